"""How many wrong labels are left in a queue: intervals that hold what they promise, and hints that follow from them."""

import numpy as np
import pytest

from curation import yield_meter
from curation.decisions.events import Decision
from curation.queues import QueueQuery, open_queue
from curation.yield_meter import (
    MIN_JUDGED,
    MODEL_PRIOR,
    QUALITY_PRIOR,
    Judged,
    QueueYield,
    Undecided,
    estimate_yield,
    hint,
    queue_yield,
)
from diagnostics.metrics import Estimate

NOT_KNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def made_up(rng, *, intercept, slope, n=1_500):
    """A queue in order: the doubt of each item, and whether its label is wrong."""
    doubt = np.sort(rng.normal(-1.5, 2.5, n))[::-1]
    return doubt, rng.random(n) < 1 / (1 + np.exp(-(intercept + slope * doubt)))


def after(doubt, is_wrong, n_decided, *, prior=MODEL_PRIOR):
    """The yield after the first items of a queue were decided."""
    rest = doubt[n_decided:]
    judged = Judged(doubt[:n_decided], is_wrong[:n_decided])
    return estimate_yield(judged.is_wrong, judged, Undecided(rest, np.ones(len(rest))), prior=prior)


def holds(estimate, truth):
    """Whether a number is in the interval, to the nearest whole item."""
    return estimate.low - 0.5 <= truth <= estimate.high + 0.5


@pytest.mark.parametrize("n_decided", [25, 100, 400])
@pytest.mark.parametrize(("intercept", "slope"), [(-3.0, 1.2), (-2.0, 1.0), (-2.5, 0.7)])
def test_the_interval_holds_the_truth_as_often_as_it_says(n_decided, intercept, slope):
    rng = np.random.default_rng(0)
    held, held_next = [], []
    for _ in range(30):
        doubt, is_wrong = made_up(rng, intercept=intercept, slope=slope)
        found = after(doubt, is_wrong, n_decided)
        held.append(holds(found.errors_left, is_wrong[n_decided:].sum()))
        share = is_wrong[n_decided : n_decided + 50].mean()
        held_next.append(found.next_share.low <= share <= found.next_share.high)
    assert np.mean(held) >= 0.9
    assert np.mean(held_next) >= 0.9


def test_a_learnt_label_quality_is_believed_more_from_the_start():
    rng = np.random.default_rng(1)
    widths, held = {MODEL_PRIOR: [], QUALITY_PRIOR: []}, []
    for _ in range(20):
        doubt, is_wrong = made_up(rng, intercept=0.0, slope=1.0)
        for prior, found in widths.items():
            estimate = after(doubt, is_wrong, 25, prior=prior).errors_left
            found.append(estimate.high - estimate.low)
        held.append(holds(estimate, is_wrong[25:].sum()))
    assert np.mean(held) >= 0.9
    assert np.mean(widths[QUALITY_PRIOR]) < 0.9 * np.mean(widths[MODEL_PRIOR])


def test_the_interval_is_wider_where_only_the_top_was_decided():
    doubt, is_wrong = made_up(np.random.default_rng(2), intercept=-2.5, slope=1.0)
    top, spread = np.arange(100), np.arange(0, 1500, 15)
    left = Undecided(doubt[750:], np.ones(750))
    widths = {}
    for name, decided in (("top", top), ("spread", spread)):
        judged = Judged(doubt[decided], is_wrong[decided])
        found = estimate_yield(judged.is_wrong, judged, left).errors_left
        widths[name] = (found.high - found.low) / found.value
    assert widths["top"] > widths["spread"]


def test_an_item_that_stands_for_many_counts_as_many():
    doubt, is_wrong = made_up(np.random.default_rng(3), intercept=-2.5, slope=1.0, n=8_000)
    judged = Judged(doubt[:200], is_wrong[:200])
    whole = estimate_yield(judged.is_wrong, judged, Undecided(doubt[200:], np.ones(7_800)))
    thinned = estimate_yield(judged.is_wrong, judged, Undecided(doubt[205::10], np.full(780, 10.0)))
    assert thinned.n_left == whole.n_left == 7_800
    assert thinned.errors_left.value == pytest.approx(whole.errors_left.value, rel=0.02)


def test_the_same_decisions_give_the_same_answer():
    doubt, is_wrong = made_up(np.random.default_rng(4), intercept=-2.0, slope=1.0)
    assert after(doubt, is_wrong, 50) == after(doubt, is_wrong, 50)


def test_too_few_decisions_say_nothing_but_how_many_more_it_takes():
    doubt, is_wrong = np.linspace(5, -5, 40), np.ones(40, dtype=np.bool_)
    found = after(doubt, is_wrong, MIN_JUDGED - 2)
    assert np.isnan(found.errors_left.value)
    assert str(found) == "8 of the last 8 were wrong; decide 2 more to see how many are left in this queue"


def test_extremes_stay_within_what_there_is():
    doubt = np.linspace(8, -8, 60)
    for is_wrong in (np.ones(60, dtype=np.bool_), np.zeros(60, dtype=np.bool_)):
        found = after(doubt, is_wrong, 30)
        assert 0 <= found.errors_left.low <= found.errors_left.value <= found.errors_left.high <= 30
    same = after(np.zeros(60), np.arange(60) % 2 == 0, 30).errors_left
    assert same.low < 15 < same.high
    assert after(doubt, np.ones(60, dtype=np.bool_), 60).n_left == 0


# ---------------------------------------------------------------- a queue of a project


@pytest.fixture
def reviewed(make_project, add_run, now):
    """120 cats and dogs and 20 unlabelled items; the model is the surer that a label is wrong, the higher its number.
    The 15 most suspect ones are decided: 10 relabelled, 2 excluded, 3 right; an ambiguous and an unlabelled one too."""
    names = [f"i{number:03d}" for number in range(120)]
    project = make_project(
        [(name, "train", "cat") for name in names] + [(f"u{n:02d}", "unlabelled", None) for n in range(20)]
    )
    other = np.linspace(0.02, 0.97, 120)
    probs = {name: (1 - p - 0.01, p, 0.01) for name, p in zip(names, other, strict=True)}
    add_run(project, "run-0001", probs | {f"u{n:02d}": (0.5, 0.3, 0.2) for n in range(20)})
    verdicts = ["label_wrong"] * 10 + ["bad_item", "out_of_scope"] + ["label_right"] * 3 + ["ambiguous"]
    wanted = [
        Decision(name, verdict, "dog" if verdict == "label_wrong" else None)
        for name, verdict in zip(names[::-1], verdicts, strict=False)
    ]
    project.decisions.decide(wanted, annotator="ada", now=now)
    project.decisions.decide([Decision("u00", "labelled", "cat")], annotator="ada", now=now)
    return project


def test_the_yield_of_a_queue_counts_what_was_judged_in_it(reviewed):
    found = queue_yield(open_queue(reviewed, QueueQuery(by="loss")))
    assert (found.n_judged, found.n_recent, found.n_recent_wrong, found.n_left) == (16, 16, 12, 104)
    assert 0 < found.errors_left.low < found.errors_left.value < found.errors_left.high <= 104
    assert 0 < found.next_share.value < 1


def test_items_without_a_label_are_not_left_and_decisions_on_them_do_not_count(reviewed):
    found = queue_yield(open_queue(reviewed, QueueQuery(splits=("train", "unlabelled"), by="entropy")))
    assert (found.n_judged, found.n_left) == (16, 104)
    found = queue_yield(open_queue(reviewed, QueueQuery(splits=("unlabelled",), by="entropy")))
    assert (found.n_judged, found.n_left) == (0, 0)
    assert str(found) == "Nothing with a label is left in this queue"


def test_a_queue_can_learn_from_what_was_decided_in_a_larger_one(reviewed):
    part = open_queue(reviewed, QueueQuery(search="i00"))
    assert np.isnan(queue_yield(part).errors_left.value)
    found = queue_yield(part, learn_from=open_queue(reviewed, QueueQuery(by="loss")))
    assert (found.n_recent, found.n_judged, found.n_left) == (0, 16, 10)
    assert found.errors_left.high < 5
    assert str(found).startswith("About 0 (0 to ")


def test_decisions_that_a_run_was_trained_on_do_not_say_how_its_doubt_goes_with_errors(reviewed, add_run):
    probs = {f"i{number:03d}": (0.9, 0.05, 0.05) for number in range(120)}
    add_run(reviewed, "run-0002", probs, event=reviewed.decisions.last_event())
    found = queue_yield(open_queue(reviewed, QueueQuery(run_id="run-0002", by="loss")))
    assert (found.n_judged, found.n_recent, found.n_recent_wrong) == (0, 16, 12)
    assert str(found).startswith("12 of the last 16 were wrong; decide 10 more")


def test_looking_at_some_of_a_long_queue_says_what_looking_at_all_does(reviewed, monkeypatch):
    queue = open_queue(reviewed, QueueQuery(by="loss"))
    whole = queue_yield(queue).errors_left
    monkeypatch.setattr(yield_meter, "N_FROM_TOP", 10)
    monkeypatch.setattr(yield_meter, "N_FROM_REST", 20)
    thinned = queue_yield(queue)
    assert thinned.n_left == 104
    assert thinned.errors_left.value == pytest.approx(whole.value, rel=0.05)


def test_where_the_run_has_learnt_a_label_quality_it_says_how_doubtful_a_label_is(reviewed):
    queue = open_queue(reviewed, QueueQuery(by="loss"))
    before = queue_yield(queue).errors_left
    (queue.table.run.folder / "label_quality.json").write_text("{}")
    assert queue_yield(queue).errors_left != before


# ---------------------------------------------------------------- what to do next


def paying(value, low, high, *, n_left=1_000):
    return QueueYield(50, 20, 200, n_left, Estimate(100.0, 60.0, 140.0), Estimate(value, low, high))


def test_another_queue_is_named_when_it_surely_pays_more():
    here, there, unsure = paying(0.1, 0.04, 0.2), paying(0.6, 0.5, 0.7), paying(0.5, 0.05, 0.9)
    assert hint(here, {"`shirt`": there, "`hat`": unsure}).queue == "`shirt`"
    assert hint(here, {"`shirt`": there}).text == (
        "`shirt` pays more now: about 30 of the next 50 should be wrong there, about 5 of the next 50 here."
    )
    assert hint(here, {"`hat`": unsure}).advice == "go on"
    assert hint(there, {"`hat`": here}).advice == "go on"


def test_it_is_time_to_stop_where_little_is_left_or_chance_does_as_well():
    little = paying(0.02, 0.0, 0.05)
    assert hint(little, {}).advice == "stop"
    assert hint(little, {}).text.startswith("Only about 1 of the next 50 should be wrong: under 5%.")
    assert hint(little, {}, stop_below=0.01).advice == "go on"
    assert hint(paying(0.1, 0.05, 0.2), {}, base_share=0.12).advice == "stop"
    nothing = QueueYield(50, 2, 200, 0, NOT_KNOWN, NOT_KNOWN)
    assert hint(nothing, {}).advice == "stop"
    assert hint(nothing, {"`shirt`": paying(0.6, 0.5, 0.7)}).advice == "switch"


def test_before_enough_is_decided_the_hint_is_to_decide():
    unknown = QueueYield(4, 3, 4, 900, NOT_KNOWN, NOT_KNOWN)
    found = hint(unknown, {"`shirt`": paying(0.6, 0.5, 0.7)})
    assert (found.advice, found.text) == (
        "decide",
        "3 of the last 4 were wrong; decide 6 more to see how many are left in this queue.",
    )
