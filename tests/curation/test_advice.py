"""Each rule on made-up facts, then the facts of a small project."""

from dataclasses import replace

import numpy as np
import pytest

from curation.advice import RULES, ClassFacts, PairFacts, advise, class_advice, class_facts
from curation.decisions.events import Decision
from curation.label_kinds.kind import LabelForm
from curation.queues import QueueQuery, open_queue
from diagnostics.metrics import difference_of_proportions, proportion
from diagnostics.predictions import FOLDER

CLASSES = ("cat", "dog", "fox")


def facts(*, precision=(45, 50), recall=(45, 50), others=(900, 1000), **changes) -> ClassFacts:
    """A class with so many of so many predictions, and items, right; the other classes with theirs."""
    of_class, of_items, of_others = proportion(*precision), proportion(*recall), proportion(*others)
    made = ClassFacts(
        label="cat",
        n_train=100,
        median_train=100.0,
        support=recall[1],
        n_predicted=precision[1],
        precision=of_class,
        recall=of_items,
        f1=proportion(45, 50),
        precision_gap=difference_of_proportions(of_class, of_others),
        recall_gap=difference_of_proportions(of_items, of_others),
        others_f1=0.9,
        pair=None,
        n_unlabelled=0,
    )
    return replace(made, **changes)


def pair(*, forth=(10, 50), back=(8, 50), ambiguous=(6, 20)) -> PairFacts:
    return PairFacts("dog", proportion(*forth), proportion(*back), proportion(*ambiguous), ambiguous[0])


def test_few_validation_items_are_too_few_to_judge_however_bad_the_numbers():
    advice = advise(facts(precision=(0, 8), recall=(0, 8)))
    assert advice.advice == "too few validation items to judge"
    assert "8 items" in advice.text
    assert advice.also == ()


def test_low_precision_leads_to_what_is_predicted_as_the_class():
    advice = advise(facts(precision=(25, 50)))
    assert advice.advice == "review predictions of this class"
    assert "50 % (37–63)" in advice.text
    assert advice.actions[0].params == (("split", "train"), ("predicted", "cat"))


def test_a_low_precision_that_the_interval_does_not_tell_is_no_reason():
    assert advise(facts(precision=(8, 10))).advice != "review predictions of this class"


def test_low_recall_leads_to_the_unlabelled_items_nearest_to_the_known_ones():
    advice = advise(facts(recall=(25, 50), n_unlabelled=40, n_near=40, n_near_open=12))
    assert advice.advice == "find more positives"
    assert "Of the 40 unlabelled items nearest to its known ones 12 are undecided" in advice.text
    assert [action.params for action in advice.actions] == [
        (("split", "unlabelled"), ("like", "cat"), ("decided", "open"))
    ]


def test_a_name_that_unlabelled_items_hold_is_searched_for_as_it_is_written_there():
    advice = advise(facts(label="top_up", recall=(25, 50), n_unlabelled=40, n_named=3))
    assert "Undecided ones with its name: 3." in advice.text
    assert dict(advice.actions[1].params)["search"] == "top up"


@pytest.mark.parametrize(
    "pool",
    [{"n_unlabelled": 0}, {"n_unlabelled": 90, "n_near": 50, "n_near_open": 0}],
    ids=["no pool", "its nearest are all decided"],
)
def test_low_recall_without_undecided_neighbours_says_that_only_new_data_will_do(pool):
    advice = advise(facts(recall=(25, 50), **pool))
    assert advice.advice == "find more positives: new data"
    assert "Only new data will help" in advice.text
    assert advice.actions == ()


def test_the_less_urgent_of_two_reasons_is_named_beside_the_first():
    advice = advise(facts(precision=(25, 50), recall=(25, 50), n_unlabelled=40))
    assert advice.advice == "review predictions of this class"
    assert advice.also == ("find more positives",)


def test_a_class_that_does_well_and_has_many_leads_to_the_class_cap():
    advice = advise(facts(f1=proportion(198, 200), n_train=300))
    assert advice.advice == "stop collecting, try a cap"
    assert (advice.actions[0].target, advice.actions[0].params) == ("experiments", (("class", "cat"),))


def test_a_class_that_does_well_and_has_no_more_than_others_needs_nothing():
    advice = advise(facts(f1=proportion(198, 200)))
    assert (advice.advice, advice.actions) == ("does well", ())


def test_well_is_judged_by_the_lower_end_of_the_interval():
    assert advise(facts(f1=proportion(10, 10), n_train=300)).advice == "go on reviewing"


def test_mutual_confusion_with_many_ambiguous_verdicts_is_a_question_of_the_classes():
    advice = advise(facts(precision=(25, 50), pair=pair()))
    assert advice.advice == "merge or clarify"
    assert advice.actions[0].params == (("split", "train"), ("pair", "cat"), ("pair", "dog"))


@pytest.mark.parametrize(
    "weak",
    [{"back": (0, 50)}, {"ambiguous": (2, 2)}, {"ambiguous": (3, 300)}],
    ids=["one way only", "two verdicts", "a small share"],
)
def test_confusion_one_way_or_few_ambiguous_verdicts_do_not_ask_for_a_merge(weak):
    assert advise(facts(pair=pair(**weak))).advice != "merge or clarify"


def test_confusion_that_chance_explains_does_not_ask_for_a_merge():
    assert advise(facts(pair=replace(pair(), by_chance=0.05))).advice == "merge or clarify"
    assert advise(facts(pair=replace(pair(), by_chance=0.1))).advice != "merge or clarify"


SET_FACTS = {"class_filter": "suspect_label", "suspects": ("missing", "superfluous")}


def test_of_several_labels_an_item_low_precision_leads_to_where_the_class_is_superfluous():
    advice = advise(facts(precision=(25, 50), **SET_FACTS))
    assert advice.actions[0].params == (("split", "train"), ("predicted", "cat"))
    asked = dict(advice.actions[1].params)
    assert (asked["suspect_label"], asked["suspect"]) == ("cat", "superfluous")


@pytest.mark.parametrize("n_unlabelled", [0, 40])
def test_of_several_labels_an_item_low_recall_leads_to_where_the_class_is_missing(n_unlabelled):
    advice = advise(facts(recall=(25, 50), n_unlabelled=n_unlabelled, **SET_FACTS))
    asked = dict(advice.actions[-1].params)
    assert (asked["split"], asked["suspect_label"], asked["suspect"]) == ("train", "cat", "missing")
    assert "without the label" in advice.text
    assert "without the label" not in advise(facts(recall=(25, 50), n_unlabelled=n_unlabelled)).text


def test_every_class_gets_a_line():
    assert RULES[-1].applies(facts())


# ---------------------------------------------------------------- of a project


@pytest.fixture
def zoo(make_project, add_run):
    """Twelve validation items a class; half of the cats are taken for foxes, one fox for a cat; two unlabelled."""
    rows = [(f"v{number:02d}", "val", CLASSES[number % 3]) for number in range(36)]
    rows += [("a", "train", "cat"), ("b", "train", "dog"), ("c", "train", "fox"), ("d", "train", "cat")]
    rows += [("u", "unlabelled", None), ("wildcat", "unlabelled", None)]
    project = make_project(rows)
    sure = dict(zip(CLASSES, np.eye(3) * 0.7 + 0.1, strict=True))
    probs = {item_id: sure[label or "dog"] for item_id, _, label in rows}
    probs |= {f"v{number:02d}": sure["fox"] for number in range(0, 36, 6)}
    probs |= {"a": sure["fox"], "c": sure["cat"], "v02": sure["cat"]}
    add_run(project, "run-0001", {item_id: tuple(values) for item_id, values in probs.items()})
    return project


def embed(project, **vectors):
    """Write these embeddings of the items of run-0001; of all others (1, 0)."""
    folder = project.runs_dir / "run-0001" / FOLDER
    items = list(project.items["item_id"])
    values = np.array([vectors.get(item_id, (1, 0)) for item_id in items], dtype=np.float16)
    np.save(folder / "embeddings.npy", values)


def test_the_facts_of_a_class_come_from_validation(zoo):
    cat, dog, fox = class_facts(zoo, "run-0001")
    assert (cat.support, cat.n_predicted, cat.n_train, cat.median_train) == (12, 7, 2, 1.0)
    assert (cat.recall.value, fox.precision.value) == (0.5, 11 / 17)
    assert dog.precision_gap.value == pytest.approx(1 - 17 / 24)
    assert cat.others_f1 == pytest.approx((dog.f1.value + fox.f1.value) / 2)
    assert cat.n_unlabelled == 2
    assert dog.pair is None


def test_ambiguous_verdicts_count_for_the_pair_that_the_item_lies_between(zoo, clock):
    verdicts = {"a": "ambiguous", "b": "ambiguous", "c": "label_right"}
    decisions = [Decision(item_id, verdict) for item_id, verdict in verdicts.items()]
    zoo.decisions.decide(decisions, annotator="ada", now=clock())
    found = class_facts(zoo, "run-0001")[0].pair
    assert found is not None
    assert (found.other, found.n_ambiguous, found.ambiguous.value) == ("fox", 1, 0.5)
    assert (found.forth.value, found.back.value) == (0.5, 1 / 12)


def test_a_missed_class_is_led_to_its_neighbours_and_to_new_data_once_they_are_decided(zoo, clock):
    embed(zoo, u=(1, 0.1), wildcat=(0, 1))
    line = next(line for line in class_advice(zoo) if line.label == "cat")
    assert line.advice == "find more positives"
    assert "Of the 2 unlabelled items" in line.text
    assert "Undecided ones with its name: 1." in line.text, "of wildcat"
    zoo.decisions.decide(
        [Decision("u", "labelled", "dog"), Decision("wildcat", "out_of_scope")], annotator="ada", now=clock()
    )
    line = next(line for line in class_advice(zoo) if line.label == "cat")
    assert line.advice == "find more positives: new data"


def test_classes_that_need_something_come_first(zoo):
    assert [line.label for line in class_advice(zoo)][:2] == ["fox", "cat"]


# ---------------------------------------------------------------- several labels an item


@pytest.fixture
def set_zoo(make_project, add_run):
    """Forty validation items with all four mixtures of cat and dog, and fox on each that has neither. Cats alone are
    taken for foxes in half of their items, foxes for cats in three; no dog is missed."""
    sets = ("cat", "dog", "cat|dog", "fox")
    rows = [(f"v{number:02d}", "val", sets[number % 4]) for number in range(40)]
    rows += [("a", "train", "cat"), ("b", "train", "cat|dog"), ("c", "train", "fox"), ("d", "train", "dog")]
    rows += [("u", "unlabelled", None), ("wildcat", "unlabelled", None)]
    project = make_project(rows, label_form=LabelForm(separator="|"))
    says = {item_id: set((label or "dog").split("|")) for item_id, _, label in rows}
    says |= {f"v{number:02d}": {"fox"} for number in range(0, 20, 4)}
    says |= {f"v{number:02d}": {"cat"} for number in range(3, 15, 4)}
    says |= {"a": {"fox"}, "c": {"cat"}}
    add_run(
        project,
        "run-0001",
        {item_id: tuple(0.9 if name in said else 0.1 for name in CLASSES) for item_id, said in says.items()},
    )
    return project


def test_the_facts_of_a_class_of_several_count_the_items_that_have_it(set_zoo):
    cat, dog, fox = class_facts(set_zoo, "run-0001")
    assert (cat.support, cat.n_predicted, cat.n_train) == (20, 18, 2)
    assert (cat.recall.value, fox.recall.value, dog.f1.value) == (0.75, 0.7, 1.0)
    assert (cat.class_filter, cat.suspects) == ("suspect_label", ("missing", "superfluous"))
    assert dog.pair is None


def test_classes_of_one_item_are_confused_where_each_is_given_without_the_other_and_predicted_for_it(
    set_zoo, clock
):
    decisions = [Decision("a", "ambiguous"), Decision("c", "ambiguous"), Decision("d", "ambiguous")]
    set_zoo.decisions.decide(decisions, annotator="ada", now=clock())
    found = class_facts(set_zoo, "run-0001")[0].pair
    assert found is not None
    assert (found.other, found.forth.value, found.back.value) == ("fox", 0.25, 0.3)
    assert (found.n_ambiguous, found.ambiguous.value) == (2, 1.0)
    # all 20 cats come without a fox, 5 are missed; 5 of 30 others are said to be foxes
    assert found.by_chance == pytest.approx(max(5 / 20 * 5 / 30, 3 / 10 * 3 / 20))


def test_every_line_on_several_labels_leads_to_a_queue_that_can_be_opened(set_zoo):
    lines = class_advice(set_zoo)
    assert {line.label for line in lines} == set(CLASSES)
    for params in (action.params for line in lines for action in line.actions if action.target == "review"):
        asked = dict(params)
        open_queue(set_zoo, QueueQuery(splits=(asked.pop("split"),), **asked))
