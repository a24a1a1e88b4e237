"""Rank the predictions of any other model that gives an item several labels, without a project.

The same files as in `curation.other_predictions`, but each column of the array is a probability by itself, and the
table says in one column which labels an item has, such as `cat|dog`, or in one column a class whether it has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from curation.dataset.sources import ID_NAMES, LABEL_NAMES
from curation.other_predictions import (
    checked_classes,
    classes_of_columns,
    column_named,
    item_ids,
    read_class_names,
    read_probs,
    read_table,
)
from diagnostics.errors import DataError
from diagnostics.multilabel.label_issues import PairIssues, find_pair_issues
from diagnostics.multilabel.label_quality import fit_pair_quality
from diagnostics.multilabel.label_sets import (
    SEPARATOR,
    LabelSets,
    label_sets_of_columns,
    labels_in,
    parse_label_sets,
)
from diagnostics.multilabel.scores import (
    NO_CLASS,
    PAIR_SCORES,
    ItemScores,
    Pairs,
    SuspectPairs,
    kinds_of,
    score_label_sets,
)
from diagnostics.multilabel.signals import pair_signals
from diagnostics.multilabel.thresholds import THRESHOLD_RULES, Thresholds
from diagnostics.task import BoolArray, FloatArray

SCORES = tuple(PAIR_SCORES)
PAIR_COLUMNS = ("rank", "item_id", "label", "kind", "probability", *SCORES, "is_issue")
SET_COLUMNS = (
    "rank",
    "item_id",
    "given_labels",
    "predicted_labels",
    "suspect_label",
    "kind",
    *SCORES,
    "is_issue",
)
MAX_PAIRS = 100_000


@dataclass(frozen=True, slots=True)
class OtherSetPredictions:
    """Row i of everything belongs to one item.

    item_ids : (n_items,) of str; the row number, from 0, where the table of labels has no id
    pred_probs : (n_items, n_classes), memory-mapped
    separator : between the labels of a set in text
    """

    item_ids: Sequence[str]
    label_sets: LabelSets
    pred_probs: FloatArray
    separator: str


@dataclass(frozen=True, slots=True)
class SetRanking:
    """Items, and single pairs of an item and a label, in the order in which to look at them.

    items : SET_COLUMNS, most suspect first
    pairs : PAIR_COLUMNS, the up to MAX_PAIRS most suspect ones of `n_pairs`
    n_item_issues, n_pair_issues : by confident learning
    n_left_out : items that have no value to rank by, such as those that nobody labelled
    """

    items: pd.DataFrame
    pairs: pd.DataFrame
    n_pairs: int
    n_item_issues: int
    n_pair_issues: int
    n_left_out: int


def read_other_set_predictions(
    probs: Path, labels: Path, classes: Path | None = None, *, separator: str = SEPARATOR
) -> OtherSetPredictions:
    """Read a `.npy` of (n_items, n_classes) probabilities and a table of sets of labels, perhaps with ids.

    classes : names the classes in the order of the array's columns. Without it they are told from the labels, as
        `read_other_predictions` does it, or are the one-hot columns in their order: all columns but that of the ids.
    separator : between the labels of one item; without a column of labels, the table has one-hot columns
    raises : DataError for files that cannot be read, do not fit each other, or hold labels that are no class; rows are
        counted from 0, as in the array
    """
    pred_probs = read_probs(probs)
    table = read_table(labels, n_rows=len(pred_probs), beside=probs.name)
    column = column_named(table, LABEL_NAMES)
    if column is None:
        cells = _one_hot_columns(table, pred_probs.shape[1], labels, classes)
        label_sets = label_sets_of_columns(cells, separator=separator)
    else:
        names = pd.Series(labels_in(table[column], separator=separator), dtype=object)
        known = classes_of_columns(names, pred_probs.shape[1], labels, classes)
        label_sets = parse_label_sets(table[column], known, separator=separator)
    return OtherSetPredictions(item_ids(table), label_sets, pred_probs, separator)


def rank_other_set_predictions(
    found: OtherSetPredictions,
    *,
    by: str = "label_quality",
    filter_by: str = "prune_by_noise_rate",
    threshold: str = "0.5",
) -> SetRanking:
    """Score all pairs and items, mark the issues of confident learning with this filter, rank by one of PAIR_SCORES.

    threshold : a name of THRESHOLD_RULES: from which probability on an item is predicted to have a label
    Equal items stay in their order.
    """
    label_sets = found.label_sets
    signals = pair_signals(label_sets, found.pred_probs)
    issues = find_pair_issues(label_sets, found.pred_probs, filter_by=filter_by)
    thresholds = THRESHOLD_RULES[threshold](label_sets, found.pred_probs)
    scores, pairs = score_label_sets(
        signals, fit_pair_quality(signals), thresholds=thresholds.values, by=by, n_pairs=MAX_PAIRS
    )
    is_issue = issues.mask(len(label_sets))
    items = _items_table(found, scores, thresholds, is_issue, by)
    return SetRanking(
        items=items,
        pairs=_pairs_table(found, pairs, thresholds, issues),
        n_pairs=int(np.count_nonzero(label_sets.labelled)) * len(label_sets.classes),
        n_item_issues=int(np.count_nonzero(is_issue)),
        n_pair_issues=len(issues.rows),
        n_left_out=len(label_sets) - len(items),
    )


def _one_hot_columns(table: pd.DataFrame, n_classes: int, path: Path, listed: Path | None) -> pd.DataFrame:
    """The columns of the classes, in the order of the array's."""
    id_column = column_named(table, ID_NAMES)
    there = {name.strip(): name for name in table.columns if name != id_column}
    if listed is None:
        names: Sequence[str] = checked_classes(list(there), n_classes, where=f"{path.name}, its header,")
    else:
        names = checked_classes(read_class_names(listed), n_classes, where=listed.name)
    missing = [name for name in names if name not in there]
    if missing:
        raise DataError(
            f"{path.name} has no column that looks like a label, and none for {', '.join(map(repr, missing))}; it has "
            f"{', '.join(table.columns)}. Call the column of labels label, or have one of 1 and 0 for every class."
        )
    return table[[there[name] for name in names]].set_axis(list(names), axis=1)


def _items_table(
    found: OtherSetPredictions, scores: ItemScores, thresholds: Thresholds, is_issue: BoolArray, by: str
) -> pd.DataFrame:
    label_sets = found.label_sets
    values = getattr(scores, by) * (1 if PAIR_SCORES[by].ascending else -1)
    rows = np.argsort(values, kind="stable")[: np.count_nonzero(~np.isnan(values))]
    predicted = LabelSets(
        label_sets.classes, thresholds.predict(found.pred_probs), np.ones(len(label_sets), dtype=bool)
    )
    names = np.array([*label_sets.classes, None], dtype=object)
    suspect = scores.suspect[rows]
    kinds = kinds_of(label_sets.targets[rows, suspect])
    kinds[suspect == NO_CLASS] = None
    columns = {
        "rank": np.arange(1, len(rows) + 1),
        "item_id": np.asarray(found.item_ids, dtype=object)[rows],
        "given_labels": label_sets.texts(separator=found.separator)[rows],
        "predicted_labels": predicted.texts(separator=found.separator)[rows],
        "suspect_label": names[suspect],
        "kind": kinds,
        "is_issue": is_issue[rows],
    }
    columns |= {name: getattr(scores, name)[rows] for name in SCORES}
    return pd.DataFrame(columns)[list(SET_COLUMNS)]


def _pairs_table(
    found: OtherSetPredictions, suspects: SuspectPairs, thresholds: Thresholds, issues: PairIssues
) -> pd.DataFrame:
    label_sets, n_classes = found.label_sets, len(found.label_sets.classes)
    rows, places = suspects.rows, suspects.columns
    given = label_sets.targets[rows, places]
    pairs = Pairs(given, suspects.probs, suspects.quality, thresholds.values[places])
    numbers, of_issues = (
        each.rows.astype(np.int64) * n_classes + each.columns for each in (suspects, issues)
    )
    columns = {
        "rank": np.arange(1, len(rows) + 1),
        "item_id": np.asarray(found.item_ids, dtype=object)[rows],
        "label": np.array(label_sets.classes, dtype=object)[places],
        "kind": kinds_of(given),
        "probability": suspects.probs,
        "is_issue": np.isin(numbers, of_issues),
    }
    columns |= {name: score.of(pairs) for name, score in PAIR_SCORES.items()}
    return pd.DataFrame(columns)[list(PAIR_COLUMNS)]
