"""A person's work on a dataset: the project on disk, decisions, queues, rounds, jobs, export."""
