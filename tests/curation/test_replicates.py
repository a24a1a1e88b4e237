from dataclasses import replace

import pytest

import curation.replicates
from curation.jobs import _register, _update, read_job, resume_job
from curation.replicates import replicates_of, train_seeds
from curation.reports import compare_runs
from curation.rounds import dataset_version
from curation.run_folders import allocate_run, found_lr
from curation.runs import train_project
from diagnostics.compare import verdict_text
from diagnostics.errors import Cancelled
from diagnostics.progress import Progress
from diagnostics.run_folder import QuickInfo
from diagnostics.training.config import TrainConfig

SEEDS = [TrainConfig(seed=seed) for seed in range(5)]
PROBS = {"a": (0.8, 0.1, 0.1), "v": (0.1, 0.8, 0.1)}


@pytest.fixture
def trained(project, add_run, monkeypatch):
    """Trainings that finish at once; those of seed 1 are cancelled the first time. A list of (seed, resumed run)."""
    asked = []

    def train(project, config, *, job, on_progress, should_stop, resume_run_id, now):
        asked.append((config.seed, resume_run_id))
        on_progress(Progress("training", 1, 2, metrics={"seconds_left": 10.0}))
        run = resume_run_id or allocate_run(project, config, 0, now=now).run_id
        if config.seed == 1 and resume_run_id is None:
            raise Cancelled("stopped")
        fingerprint = dataset_version(project).fingerprint
        folder = project.partial_runs_dir / run
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        add_run(project, run, PROBS, config=config, fingerprint=fingerprint)
        return run

    monkeypatch.setattr(curation.replicates, "train_project", train)
    return asked


def test_replicates_differ_in_the_seed_alone(project, add_run):
    add_run(project, "run-0001", PROBS, config=SEEDS[0])
    add_run(project, "run-0002", PROBS, config=replace(SEEDS[1], epochs=3))
    add_run(project, "run-0003", PROBS, config=SEEDS[2], fingerprint="other data")
    add_run(project, "run-0004", PROBS, config=SEEDS[3], quick=QuickInfo("features", None, 0.1))
    last = add_run(project, "run-0005", PROBS, config=SEEDS[4])
    assert [info.run_id for info in replicates_of(project, last)] == ["run-0001", "run-0005"]


def test_replicates_are_in_the_order_of_their_numbers(project, add_run):
    runs = [
        add_run(project, f"run-{number}", PROBS, config=SEEDS[number % 5]) for number in (9998, 9999, 10000)
    ]
    found = [info.run_id for info in replicates_of(project, runs[1])]
    assert found == ["run-9998", "run-9999", "run-10000"]


def test_of_two_runs_with_one_seed_the_one_that_is_asked_for_counts(project, add_run):
    first = add_run(project, "run-0001", PROBS, config=SEEDS[0])
    second = add_run(project, "run-0002", PROBS, config=SEEDS[0])
    other = add_run(project, "run-0003", PROBS, config=SEEDS[1])
    assert [info.run_id for info in replicates_of(project, first)] == ["run-0001", "run-0003"]
    assert [info.run_id for info in replicates_of(project, other)] == ["run-0002", "run-0003"]
    assert [info.run_id for info in replicates_of(project, second)] == ["run-0002", "run-0003"]


def test_a_quick_run_stands_alone(project, add_run):
    quick = QuickInfo("features", None, 0.1)
    add_run(project, "run-0001", PROBS, config=SEEDS[0], quick=quick)
    info = add_run(project, "run-0002", PROBS, config=SEEDS[1], quick=quick)
    assert replicates_of(project, info) == [info]


def test_after_a_stop_the_finished_trainings_stay_and_the_rest_go_on(project, trained, now):
    with pytest.raises(Cancelled):
        train_seeds(project, SEEDS[0], 3, now=lambda: now)
    assert trained == [(0, None), (1, None)]
    assert train_seeds(project, SEEDS[0], 3, now=lambda: now) == ["run-0001", "run-0002", "run-0003"]
    assert trained[2:] == [(1, "run-0002"), (2, None)]
    assert train_seeds(project, SEEDS[0], 3, now=lambda: now) == ["run-0001", "run-0002", "run-0003"]
    assert len(trained) == 4


def test_progress_counts_all_trainings(project, trained, now):
    seen = []
    train_seeds(project, SEEDS[2], 2, on_progress=seen.append, now=lambda: now)
    assert [(each.stage, each.done, each.total) for each in seen] == [
        ("training 1 of 2: training", 1, 4),
        ("training 2 of 2: training", 3, 4),
    ]
    assert seen[0].metrics["seconds_left"] >= 20
    assert seen[1].metrics["seconds_left"] == 10


def test_a_job_of_several_trainings_is_resumed_whole(project, now, monkeypatch):
    argv = ["train", str(project.folder), "--seeds", "3"]
    number = _register(project, "train", argv, {"state": "running"}, now)
    run = allocate_run(project, SEEDS[1], 0, now=now)
    _update(project, number, ("running",), {"state": "cancelled", "run_id": run.run_id})
    started = []
    monkeypatch.setattr("curation.jobs.start_job", lambda *args, **options: started.append(args))
    resume_job(project, "job-0001", now=now)
    assert started == [(project, "train", tuple(argv))]
    assert read_job(project, "job-0001").state == "cancelled"


def found(project, add_run, run_id, lr, **options):
    """A run whose learning rate the finder chose."""
    return add_run(project, run_id, PROBS, resolved=TrainConfig(lr=lr), **options)


def test_a_learning_rate_that_was_found_is_used_again(project, add_run):
    assert found_lr(project, TrainConfig()) is None
    found(project, add_run, "run-0001", 0.01)
    add_run(project, "run-0002", PROBS, config=TrainConfig(lr=0.3))
    found(project, add_run, "run-0003", 0.02, config=TrainConfig(epochs=3))
    found(project, add_run, "run-0004", 0.03, quick=QuickInfo("features", None, 0.1))
    assert found_lr(project, TrainConfig(seed=7)) == 0.01
    assert found_lr(project, TrainConfig(n_threads=1)) == 0.01, (
        "threads are of the machine, not of the training"
    )
    assert found_lr(project, TrainConfig(epochs=3)) == 0.02
    assert found_lr(project, TrainConfig(folds=0)) is None


def test_the_next_run_is_started_with_the_learning_rate_that_was_found(project, add_run, now, monkeypatch):
    found(project, add_run, "run-0001", 0.01)
    started = []

    def stop_at_once(project, run, *rest):
        started.append(run.config)
        raise Cancelled("stopped")

    monkeypatch.setattr("curation.runs._train", stop_at_once)
    for config in (TrainConfig(seed=1), TrainConfig(lr=0.5)):
        with pytest.raises(Cancelled):
            train_project(project, config, now=now)
    assert started == [TrainConfig(seed=1, lr=0.01), TrainConfig(lr=0.5)]


def test_a_run_that_took_over_the_learning_rate_is_a_replicate_of_the_one_that_found_it(project, add_run):
    first = found(project, add_run, "run-0001", 0.01)
    add_run(project, "run-0002", PROBS, config=TrainConfig(seed=1, lr=0.01))
    add_run(project, "run-0003", PROBS, config=TrainConfig(seed=2, lr=0.02))
    assert [info.run_id for info in replicates_of(project, first)] == ["run-0001", "run-0002"]


def test_where_the_finder_chose_anew_no_verdict_is_given(project, add_run):
    found(project, add_run, "run-0001", 0.01)
    found(project, add_run, "run-0002", 0.02, version=1, fingerprint="g")
    comparison = compare_runs(project, "val").comparison
    assert "--lr 0.01" in verdict_text(comparison)
    add_run(project, "run-0003", PROBS, config=TrainConfig(lr=0.01), version=1, fingerprint="g")
    assert not compare_runs(project, "val", "run-0001", "run-0003").comparison.noise.confounded
