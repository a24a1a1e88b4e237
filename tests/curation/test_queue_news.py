"""What a reviewer is told about a queue: decisions since it was ranked, a newer run, a quick round that failed."""

import time
from datetime import timedelta

import pytest

from curation.decisions.events import Decision
from curation.jobs import QUICK, latest_job, running_job, start_job
from curation.queue_news import read_news
from curation.queues import QueueQuery, open_queue
from curation.quick_rounds import n_moved_up

SURE, TORN, WRONG = (0.9, 0.05, 0.05), (0.5, 0.4, 0.1), (0.05, 0.9, 0.05)


def probs_of(project, **suspect):
    """Every training item is surely what it is labelled as, except those named."""
    given = project.decisions.labels_at(0).set_index("item_id")["given_label"]
    found = {}
    for item_id in "abcd":
        place = project.task.classes.index(given[item_id])
        found[item_id] = tuple(suspect.get(item_id, SURE)[(position - place) % 3] for position in range(3))
    return found


@pytest.fixture
def queue(project, add_run):
    add_run(project, "run-0001", probs_of(project, a=WRONG, b=TORN))
    return open_queue(project, QueueQuery(run_id="run-0001", by="loss"))


def test_decisions_since_the_run_are_counted_by_item(project, queue, clock):
    assert read_news(project, queue, clock()).n_since == 0
    for verdict in ("label_right", "ambiguous"):
        wanted = [Decision(item_id, verdict) for item_id in "ab"]
        project.decisions.decide(wanted, annotator="ada", now=clock())
    news = read_news(project, queue, clock())
    assert (news.n_since, news.newer, news.job, news.problem) == (2, None, "", "")


def test_a_newer_run_is_told_with_what_it_moved_up(project, queue, add_run, now):
    add_run(project, "run-0002", probs_of(project, c=WRONG, d=TORN))
    assert n_moved_up(project, queue.query, "run-0002", first_page=2) == 2
    assert n_moved_up(project, queue.query, "run-0002", first_page=3) == 1
    newer = read_news(project, queue, now).newer
    assert newer is not None
    assert newer.run_id == "run-0002"
    assert "the same items" in newer.text, "all four are on the first page, before and after"
    after = open_queue(project, QueueQuery(run_id="run-0002", by="loss"))
    assert read_news(project, after, now).newer is None


def test_decisions_are_counted_from_the_newest_run_on(project, queue, add_run, now):
    project.decisions.decide([Decision(item_id, "label_right") for item_id in "ab"], annotator="ada", now=now)
    add_run(project, "run-0002", probs_of(project), event=project.decisions.last_event())
    assert read_news(project, queue, now).n_since == 0
    project.decisions.decide([Decision("c", "label_right")], annotator="ada", now=now)
    assert read_news(project, queue, now).n_since == 1


def test_what_was_decided_has_not_moved_up(project, queue, add_run, now):
    add_run(project, "run-0002", probs_of(project, c=WRONG, d=TORN))
    project.decisions.decide([Decision("c", "label_right")], annotator="ada", now=now)
    assert n_moved_up(project, queue.query, "run-0002", first_page=1) == 1
    project.decisions.decide([Decision("d", "label_right")], annotator="ada", now=now)
    assert n_moved_up(project, queue.query, "run-0002", first_page=1) == 0


def test_a_quick_round_that_failed_says_why_until_another_has_worked(project, queue, add_run, now):
    start_job(project, "train", ["train", str(project.folder), "--quick", "--no-such-option"])
    until = time.monotonic() + 120
    while latest_job(project).state != "failed":
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "could not be updated" in read_news(project, queue, now).problem
    add_run(project, "run-0002", probs_of(project))
    assert read_news(project, queue, now).problem == ""


def test_what_the_queue_has_brought_is_told_once_the_person_rests(project, queue, clock):
    def told():
        return read_news(project, queue, clock()).text

    before = told()
    for item_id in "ab":
        project.decisions.decide([Decision(item_id, "label_right")], annotator="ada", now=clock())
        assert told() == before
    assert told().startswith("0 of the last 2 were wrong")
    project.decisions.decide([Decision("c", "label_right")], annotator="ada", now=clock())
    assert told().startswith("0 of the last 2")
    late = clock() + timedelta(seconds=31)
    project.decisions.decide([Decision("d", "label_right")], annotator="ada", now=late)
    assert read_news(project, queue, late).text.startswith("0 of the last 4")


def test_a_quick_round_whose_run_is_there_no_longer_ranks(project, queue, add_run, now):
    with running_job(project, "train", ("train", QUICK)) as job:
        assert read_news(project, queue, now).job == "Ranking anew with your decisions: starting"
        job.belongs_to("run-0002")
        add_run(project, "run-0002", probs_of(project))
        assert "Estimating what your edits change" in read_news(project, queue, now).job


def test_an_empty_queue_is_told_of_once(project, queue, now):
    nothing = open_queue(project, QueueQuery(run_id="run-0001", by="loss", search="no such path"))
    assert read_news(project, nothing, now).text == "Nothing with a label is left in this queue."
