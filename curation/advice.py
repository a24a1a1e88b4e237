"""Class advice: for each class one line of what to do next, and why, from a table of rules over a table of facts.

"Low" and "well" are judged with 95 % intervals, never by the numbers alone: a class with eight validation items is too
few to judge. The facts are measured on validation, never on test; without a validation set on what the folds held out.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from curation.decisions.events import AMBIGUOUS, VERDICTS
from curation.project import Project
from curation.queues import QueueQuery, open_queue
from curation.reports import LabelledPredictions, labelled_predictions
from curation.run_classes import names_now
from curation.run_folders import read_run
from curation.run_table import RunTable, run_table
from curation.standing import NOBODY
from diagnostics.metrics import (
    MIN_SUPPORT,
    Estimate,
    difference_of_proportions,
    proportion,
)
from diagnostics.multilabel.scores import MISSING, SUPERFLUOUS
from diagnostics.task import SPLITS, IntArray

WELL, CLEARLY_GOOD = 0.85, 0.95
MANY = 1.5  # times the median class
MUTUAL = 0.03  # of a class's items taken for the other, at least, both ways
MIN_AMBIGUOUS, OFTEN_AMBIGUOUS = 3, 0.1
N_NEAREST = 50
MAX_POOL = 50_000

Target = Literal["review", "experiments"]


@dataclass(frozen=True, slots=True)
class Action:
    """Where a line of advice leads: a queue of Review, or an experiment, by the parameters of its address."""

    title: str
    target: Target
    params: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PairFacts:
    """The class that a class is most mutually confused with.

    forth, back : the share of the class's items that are predicted as the other in its place, and the reverse
    ambiguous : the share of "ambiguous" among the decisions on items that lie between the two: labelled as one and
        predicted as either
    n_ambiguous : how many these are
    by_chance : the larger of both shares if missing one class had nothing to do with being given another; 0 with one
        label an item, where it has
    """

    other: str
    forth: Estimate
    back: Estimate
    ambiguous: Estimate
    n_ambiguous: int
    by_chance: float = 0.0


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """What the rules look at, of one class.

    n_train, median_train : labelled training items, and the median over the classes
    support, n_predicted : items that are measured on: labelled, and predicted, as the class
    precision, recall, f1 : each with its interval, NaN where it is not defined
    precision_gap, recall_gap : of the class minus that of all other classes together, in [-1, 1]
    others_f1 : the mean over the other classes
    pair : None if it is not taken for another class and back
    n_unlabelled : unlabelled items of the run on which nobody has decided
    n_near, n_near_open : how many unlabelled items are among the N_NEAREST to the class's known items, and how many of
        these nobody has decided on; None if they were not looked for
    n_named : undecided unlabelled items in which the class's name is found, as `searched_name` has it; 0 if they were
        not looked for
    class_filter : the parameter of a queue of what is suspect of one class
    suspects : what the class can be of an item, "missing" and "superfluous"; () with one label an item
    """

    label: str
    n_train: int
    median_train: float
    support: int
    n_predicted: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    precision_gap: Estimate
    recall_gap: Estimate
    others_f1: float
    pair: PairFacts | None
    n_unlabelled: int
    n_near: int | None = None
    n_near_open: int | None = None
    n_named: int = 0
    class_filter: str = "given"
    suspects: tuple[str, ...] = ()

    @property
    def only_new_data(self) -> bool:
        """Whether nothing unlabelled is left that could hold positives: no pool, or its nearest are all decided."""
        return self.n_unlabelled == 0 or self.n_near_open == 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of advice.

    applies : whether it is given
    text : what was seen, with its numbers, and why this is the thing to do
    actions : what to press, the first one first
    """

    name: str
    applies: Callable[[ClassFacts], bool]
    text: Callable[[ClassFacts], str]
    actions: Callable[[ClassFacts], tuple[Action, ...]]


@dataclass(frozen=True, slots=True)
class ClassAdvice:
    """What to do next about one class. also : the names of the other rules that apply."""

    label: str
    advice: str
    text: str
    actions: tuple[Action, ...]
    also: tuple[str, ...]


# ---------------------------------------------------------------- conditions


def too_few_to_judge(facts: ClassFacts) -> bool:
    return facts.support < MIN_SUPPORT


def confused_and_ambiguous(facts: ClassFacts) -> bool:
    pair = facts.pair
    return (
        pair is not None
        and min(pair.forth.low, pair.back.low) >= max(MUTUAL, pair.by_chance)
        and pair.n_ambiguous >= MIN_AMBIGUOUS
        and pair.ambiguous.low >= OFTEN_AMBIGUOUS
    )


# Two classes that nearly always come together are no case for this rule: of several labels an item, that can be so in
# the world, and a model that is right about both has no trouble with it.


def low_precision(facts: ClassFacts) -> bool:
    return _judged(facts) and facts.precision_gap.high < 0 and facts.precision.high < CLEARLY_GOOD


def low_recall(facts: ClassFacts) -> bool:
    return _judged(facts) and facts.recall_gap.high < 0 and facts.recall.high < CLEARLY_GOOD


def low_recall_with_a_pool(facts: ClassFacts) -> bool:
    return low_recall(facts) and not facts.only_new_data


def low_recall_without_a_pool(facts: ClassFacts) -> bool:
    return low_recall(facts) and facts.only_new_data


def does_well(facts: ClassFacts) -> bool:
    return _judged(facts) and facts.f1.low > min(WELL, facts.others_f1)


def does_well_and_has_many(facts: ClassFacts) -> bool:
    return does_well(facts) and facts.n_train >= MANY * facts.median_train


def always(_facts: ClassFacts) -> bool:
    return True


def _judged(facts: ClassFacts) -> bool:
    return not too_few_to_judge(facts)


# ---------------------------------------------------------------- texts and actions


def _too_few(facts: ClassFacts) -> str:
    return (
        f"It has {facts.support} items to be measured on; below {MIN_SUPPORT} nothing can be said. Recall "
        f"lies somewhere in {_interval(facts.recall)}. Add validation items of it before you act on its "
        "numbers."
    )


def _merge_or_clarify(facts: ClassFacts) -> str:
    pair = _pair(facts)
    return (
        f"{_percent(pair.forth)} of its items are taken for `{pair.other}`, {_percent(pair.back)} the other "
        f"way round, and people could not tell in {pair.n_ambiguous} of their decisions between the two "
        f"({_percent(pair.ambiguous)}). Write down a rule that tells them apart, or merge them: more labels "
        "of this kind teach a model nothing."
    )


def _review_predictions(facts: ClassFacts) -> str:
    return (
        f"Precision {_percent(facts.precision)} on {facts.n_predicted:,} predictions, "
        f"{_points(facts.precision_gap)} points below the other classes: other things are taken for it. "
        "Wrong labels among what is predicted as this class teach that, so look through them."
    )


def _find_positives(facts: ClassFacts) -> str:
    near = (
        f"Of the {facts.n_near} unlabelled items nearest to its known ones {facts.n_near_open} are undecided"
        if facts.n_near is not None
        else f"{facts.n_unlabelled:,} unlabelled items are undecided"
    )
    named = f" Undecided ones with its name: {facts.n_named:,}." if facts.n_named else ""
    return (
        f"{_recall(facts)}: its items are missed, and reviewing predictions cannot find what the model does "
        f"not predict. {near}: label those that belong to it.{named}{_unlearnt(facts)}"
    )


def _new_data(facts: ClassFacts) -> str:
    why = (
        "there are no undecided unlabelled items"
        if facts.n_unlabelled == 0
        else f"the {facts.n_near} unlabelled items nearest to its known ones are all decided"
    )
    return (
        f"{_recall(facts)}: its items are missed, reviewing predictions cannot find what the model does not "
        f"predict, and {why}. Only new data will help: collect more items of this "
        f"class.{_unlearnt(facts)}"
    )


def _unlearnt(facts: ClassFacts) -> str:
    """What of several labels an item teaches a model to miss a class."""
    if MISSING not in facts.suspects:
        return ""
    return " Training items that show it without the label teach the model not to see it: add it there."


def _stop_collecting(facts: ClassFacts) -> str:
    return (
        f"F1 {_percent(facts.f1)}, and {facts.n_train:,} training items where the median class has "
        f"{facts.median_train:,.0f}: more of it are unlikely to pay. Try whether fewer cost it nothing and "
        "help the others."
    )


def _nothing_to_do(facts: ClassFacts) -> str:
    return f"F1 {_percent(facts.f1)}; the other classes have {100 * facts.others_f1:.0f} % on average."


def _go_on(facts: ClassFacts) -> str:
    return (
        f"F1 {_percent(facts.f1)}: on {facts.support:,} items neither precision nor recall can be told from "
        "the other classes'. Go on with its most suspect labels."
    )


def _look_at_validation(facts: ClassFacts) -> tuple[Action, ...]:
    return (_review("Its validation items", split="val", given=facts.label),)


def _open_pair(facts: ClassFacts) -> tuple[Action, ...]:
    pair = (("split", "train"), ("pair", facts.label), ("pair", _pair(facts).other))
    return (Action("Review the pair", "review", pair),)


def _open_predictions(facts: ClassFacts) -> tuple[Action, ...]:
    labelled = _review("Review predictions", split="train", predicted=facts.label)
    unlabelled = _review("Unlabelled ones", split="unlabelled", predicted=facts.label, decided="open")
    actions = (labelled, *_open_suspects(facts, SUPERFLUOUS, "Where it is superfluous"))
    return (*actions, unlabelled) if facts.n_unlabelled else actions


def _open_neighbours(facts: ClassFacts) -> tuple[Action, ...]:
    nearest = _review("Nearest unlabelled", split="unlabelled", like=facts.label, decided="open")
    named = _review("With its name", split="unlabelled", search=searched_name(facts.label), decided="open")
    return (nearest, *((named,) if facts.n_named else ()), *_open_missing(facts))


def _open_missing(facts: ClassFacts) -> tuple[Action, ...]:
    return _open_suspects(facts, MISSING, "Where it is missing")


def _open_suspects(facts: ClassFacts, suspect: str, title: str) -> tuple[Action, ...]:
    """The training items of which the class is suspect in this way, where a class can be."""
    if suspect not in facts.suspects:
        return ()
    asked = {facts.class_filter: facts.label, "suspect": suspect, "decided": "open"}
    return (_review(title, split="train", **asked),)


def _open_cap(facts: ClassFacts) -> tuple[Action, ...]:
    return (Action("Try a class cap", "experiments", (("class", facts.label),)),)


def _open_class(facts: ClassFacts) -> tuple[Action, ...]:
    asked = {facts.class_filter: facts.label, "decided": "open"}
    return (_review("Review its labels", split="train", **asked),)


def _none(_facts: ClassFacts) -> tuple[Action, ...]:
    return ()


RULES: tuple[Rule, ...] = (
    Rule("too few validation items to judge", too_few_to_judge, _too_few, _look_at_validation),
    Rule("merge or clarify", confused_and_ambiguous, _merge_or_clarify, _open_pair),
    Rule("review predictions of this class", low_precision, _review_predictions, _open_predictions),
    Rule("find more positives", low_recall_with_a_pool, _find_positives, _open_neighbours),
    Rule("find more positives: new data", low_recall_without_a_pool, _new_data, _open_missing),
    Rule("stop collecting, try a cap", does_well_and_has_many, _stop_collecting, _open_cap),
    Rule("does well", does_well, _nothing_to_do, _none),
    Rule("go on reviewing", always, _go_on, _open_class),
)
TOO_FEW, DOES_WELL, GO_ON = RULES[0].name, RULES[-2].name, RULES[-1].name
NEEDED = tuple(rule.name for rule in RULES if rule.name not in (TOO_FEW, DOES_WELL, GO_ON))


def advise(facts: ClassFacts) -> ClassAdvice:
    """The first rule that applies; `also` names the others that ask for something."""
    rules = [rule for rule in RULES if rule.applies(facts)]
    first = rules[0]
    also = tuple(rule.name for rule in rules[1:] if rule.name in NEEDED)
    return ClassAdvice(facts.label, first.name, first.text(facts), first.actions(facts), also)


# ---------------------------------------------------------------- the facts of a project


def class_advice(project: Project, run_id: str | None = None) -> list[ClassAdvice]:
    """One line a class: those that need something first, in the order of RULES, then by ascending F1.

    run_id : None = the newest run
    raises : RunError if there is no such run, or none at all
    """
    run_id = read_run(project, run_id).info.run_id
    facts = class_facts(project, run_id)
    order = {name: number for number, name in enumerate((*NEEDED, TOO_FEW, GO_ON, DOES_WELL))}
    f1_of = {each.label: each.f1.value for each in facts}
    lines = [advise(_with_neighbours(project, run_id, each)) for each in facts]
    return sorted(lines, key=lambda line: (order[line.advice], np.nan_to_num(f1_of[line.label], nan=2.0)))


def class_facts(project: Project, run_id: str) -> list[ClassFacts]:
    """The facts of every class, in the order of the classes; its nearest unlabelled items are not looked for."""
    found = _measured(project, run_id)
    report = found.class_report()
    table = _table_of(project, run_id)
    n_train = _n_train(table)
    pairs = _pairs(found, table)
    n_unlabelled = _n_open_unlabelled(table)
    gaps = {name: _gaps(report.table, name) for name in ("precision", "recall")}
    return [
        ClassFacts(
            label=label,
            n_train=int(n_train[code]),
            median_train=float(np.median(n_train)),
            support=int(row["support"]),
            n_predicted=int(row["n_predicted"]),
            precision=_estimate(row, "precision"),
            recall=_estimate(row, "recall"),
            f1=_estimate(row, "f1"),
            precision_gap=gaps["precision"][code],
            recall_gap=gaps["recall"][code],
            others_f1=float(report.table["f1"].drop(index=code).mean()),
            pair=pairs[code],
            n_unlabelled=n_unlabelled,
            class_filter=found.kind.class_filter,
            suspects=found.kind.class_suspects,
        )
        for code, (label, row) in enumerate(zip(found.classes, report.table.to_dict("records"), strict=True))
    ]


def _measured(project: Project, run_id: str) -> LabelledPredictions:
    """Of validation; of what the folds held out where there is no validation set."""
    found = labelled_predictions(project, "val", run_id)
    return found if len(found.codes) else labelled_predictions(project, "train", run_id)


def _table_of(project: Project, run_id: str) -> RunTable:
    table = run_table(project, run_id)
    return table.in_classes(names_now(project, table.run.info, project.classes), project.classes)


def _n_train(table: RunTable) -> IntArray:
    """(n_classes,) labelled training items that have each class, as the run was trained on them."""
    train = np.flatnonzero(table.index.codes["split"] == SPLITS.index("train"))
    codes = table.given(train.astype(np.int32))
    return table.labels.by_class(np.bincount(codes[codes >= 0], minlength=len(table.labels)))


def _n_open_unlabelled(table: RunTable) -> int:
    unlabelled = SPLITS.index("unlabelled")
    n = int(np.count_nonzero(table.index.codes["split"] == unlabelled))
    decided = table.standing.now().decided
    return n - int(np.count_nonzero(table.split(decided) == unlabelled))


def _pairs(found: LabelledPredictions, table: RunTable) -> list[PairFacts | None]:
    """For each class the one that it is most often taken for and back, by the weaker of the two ways."""
    counts = found.labels.exchanged_counts(found.codes, found.predicted)
    by_chance = found.kind.exchanged_by_chance(found.labels, found.codes, found.predicted)
    weaker = np.minimum(counts, counts.T)
    support = found.labels.by_class(np.bincount(found.codes, minlength=len(found.labels)))
    now = table.standing.now()
    decided = now.verdict != NOBODY
    rows = now.rows[decided]
    labels = (table.given(rows), table.predicted(rows), table.second(rows))
    is_ambiguous = now.verdict[decided] == VERDICTS.index(AMBIGUOUS)
    pairs: list[PairFacts | None] = []
    for code in range(len(found.classes)):
        other = int(weaker[code].argmax())
        if not weaker[code, other]:
            pairs.append(None)
            continue
        between = table.labels.between(*labels, (code, other))
        n_ambiguous = int(is_ambiguous[between].sum())
        pairs.append(
            PairFacts(
                other=found.classes[other],
                forth=proportion(float(counts[code, other]), int(support[code])),
                back=proportion(float(counts[other, code]), int(support[other])),
                ambiguous=proportion(n_ambiguous, int(between.sum())),
                n_ambiguous=n_ambiguous,
                by_chance=float(
                    max(by_chance[code, other] / support[code], by_chance[other, code] / support[other])
                ),
            )
        )
    return pairs


def _gaps(table: pd.DataFrame, name: str) -> list[Estimate]:
    """Of each class, its precision or recall minus that of all others together.

    Of several labels an item both are of the same items. The interval takes them for independent samples; its
    width is nearly all that of the class, which is the smaller one.
    """
    trials = table["n_predicted" if name == "precision" else "support"].to_numpy()
    hits = np.round(np.nan_to_num(table[name].to_numpy()) * trials)
    rows = table.to_dict("records")
    return [
        difference_of_proportions(
            _estimate(row, name), proportion(float(hits.sum() - hits[code]), int(trials.sum() - trials[code]))
        )
        for code, row in enumerate(rows)
    ]


def searched_name(label: str) -> str:
    """A class's name as a text would have it.

    >>> searched_name("top_up_limits")
    'top up limits'
    """
    return " ".join(label.replace("_", " ").split())


def _with_neighbours(project: Project, run_id: str, facts: ClassFacts) -> ClassFacts:
    """The same, with how many of the nearest unlabelled items, and of those with its name, are undecided; of a large
    pool only the queue tells."""
    if not low_recall(facts) or not 0 < facts.n_unlabelled <= MAX_POOL:
        return facts
    named = open_queue(
        project,
        QueueQuery(
            run_id=run_id,
            splits=("unlabelled",),
            by="confusion",
            search=searched_name(facts.label),
            decided="open",
        ),
    )
    facts = replace(facts, n_named=len(named))
    nearest = QueueQuery(run_id=run_id, splits=("unlabelled",), like=facts.label)
    queue = open_queue(project, nearest)
    rows = queue.rows(0, N_NEAREST)
    if not len(rows):
        return facts
    n_decided = int(np.isin(rows, queue.table.standing.now().decided).sum())
    return replace(facts, n_near=len(rows), n_near_open=len(rows) - n_decided)


def _estimate(row: Mapping[Hashable, object], name: str) -> Estimate:
    value, low, high = (float(str(row[f"{name}{end}"])) for end in ("", "_low", "_high"))
    return Estimate(value, low, high)


def _pair(facts: ClassFacts) -> PairFacts:
    if facts.pair is None:
        raise ValueError(f"{facts.label} is confused with no other class.")
    return facts.pair


def _review(title: str, **params: str) -> Action:
    return Action(title, "review", tuple(params.items()))


def _recall(facts: ClassFacts) -> str:
    return (
        f"Recall {_percent(facts.recall)} on {facts.support:,} items, {_points(facts.recall_gap)} points "
        "below the other classes"
    )


def _percent(share: Estimate) -> str:
    """
    >>> _percent(Estimate(0.5, 0.25, 0.75))
    '50 % (25–75)'
    """
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f}–{100 * share.high:.0f})"


def _interval(share: Estimate) -> str:
    """
    >>> _interval(Estimate(0.5, 0.25, 0.75)), _interval(Estimate(np.nan, np.nan, np.nan))
    ('25 to 75 %', '0 to 100 %')
    """
    if np.isnan(share.value):
        return "0 to 100 %"
    return f"{100 * share.low:.0f} to {100 * share.high:.0f} %"


def _points(gap: Estimate) -> str:
    """How far below, of a gap whose interval lies below 0.

    >>> _points(Estimate(-0.1, -0.15, -0.05))
    '5 to 15'
    """
    return f"{-100 * gap.high:.0f} to {-100 * gap.low:.0f}"
