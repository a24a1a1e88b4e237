"""Why an item is suspect: the columns of the scores that say so, and the sentence made from them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagnostics.task import NO_LABEL, BoolArray, IntArray

if TYPE_CHECKING:
    from diagnostics.label_quality import LabelQuality
    from diagnostics.signals import Signals

DOUBTS = {name: f"doubt_{name}" for name in ("held_out", "neighbours", "dynamics", "trained")}
LABELS_SEEN = ("neighbour_label", "model_label", "training_label")
COUNTS_SEEN = ("neighbour_count", "n_neighbours", "model_count", "n_models")
SAID_OF_LABEL = ("given_label", "p_given", "predicted_label")
SAID_OF_PAIR = ("suspect", "second_label", "p_second")
QUALITY_COLUMNS = (*DOUBTS.values(), *LABELS_SEEN, *COUNTS_SEEN)


def quality_table(scores: pd.DataFrame, signals: "Signals", quality: "LabelQuality") -> pd.DataFrame:
    """The scores with this label quality in place of theirs where there is one, and QUALITY_COLUMNS.

    scores : as `scores_table` gives them, rows as those of the signals
    doubt_* : how much more a signal supports the best other class than the given label (see `diagnostics.signals`)
    neighbour_label : the commonest label of n_neighbours neighbours, neighbour_count of them have it
    model_label : the first choice of most of the n_models models, model_count of them
    training_label : the class that the models took the item for while they were trained on it
    All are null where a signal has nothing to say.
    """
    table = scores.copy()
    found = quality.of(signals)
    table["label_quality"] = np.where(np.isnan(found), table["label_quality"], found)
    labelled = np.flatnonzero(signals.codes != NO_LABEL)
    doubts = signals.doubts(labelled, signals.codes[labelled])
    for name, title in DOUBTS.items():
        column = np.full(len(signals), np.nan)
        if name in signals.names:
            column[labelled] = doubts[:, signals.names.index(name)]
        table[title] = column
    table = table.assign(
        **_neighbour_columns(signals), **_model_columns(signals), **_training_columns(signals)
    )
    return table[[*scores.columns, *QUALITY_COLUMNS]]


def _neighbour_columns(signals: "Signals") -> dict[str, pd.Series]:
    codes, counts, totals = (np.zeros(len(signals), dtype=np.int64) for _ in range(3))
    if signals.neighbours is not None:
        near = signals.neighbours.codes
        alike = (near[:, :, None] == near[:, None, :]).sum(axis=2) * (near != NO_LABEL)
        first = alike.argmax(axis=1)
        codes = near[np.arange(len(near)), first]
        counts, totals = alike.max(axis=1), (near != NO_LABEL).sum(axis=1)
    known = totals > 0
    return {
        "neighbour_label": _class_names(signals, codes, known),
        "neighbour_count": _whole_numbers(counts, known),
        "n_neighbours": _whole_numbers(totals, known),
    }


def _model_columns(signals: "Signals") -> dict[str, pd.Series]:
    votes, nothing = signals.votes, np.zeros(len(signals), dtype=np.int64)
    codes, counts, n_models = (votes.codes, votes.counts, votes.n_models) if votes else (nothing, nothing, 0)
    known = np.full(len(signals), votes is not None)
    return {
        "model_label": _class_names(signals, codes, known),
        "model_count": _whole_numbers(counts, known),
        "n_models": _whole_numbers(np.full(len(signals), n_models), known),
    }


def _training_columns(signals: "Signals") -> dict[str, pd.Series]:
    if signals.dynamics is None:
        nothing = np.zeros(len(signals), dtype=np.int64)
        return {"training_label": _class_names(signals, nothing, np.zeros(len(signals), dtype=bool))}
    probs = signals.dynamics.probs
    known = ~np.isnan(np.asarray(probs[:, 0]))
    return {"training_label": _class_names(signals, np.asarray(probs).argmax(axis=1), known)}


def _class_names(signals: "Signals", codes: IntArray, known: BoolArray) -> pd.Series:
    names = np.asarray(signals.classes, dtype=object)[np.maximum(codes, 0)]
    names[~known] = None
    return pd.Series(names, dtype="str")


def _whole_numbers(values: IntArray, known: BoolArray) -> pd.Series:
    return pd.Series(values, dtype="Int32").where(pd.Series(known))


def reasons(rows: pd.DataFrame) -> list[str]:
    """In words why each item is suspect, or is not: one sentence a row, what speaks against the label first.

    rows : of the scores of a run; columns that are missing, as in runs of before, or null are not spoken of

    Of items with several labels it is the suspect pair that is spoken of.

    >>> reasons(pd.DataFrame({"suspect": ["missing"], "second_label": ["7"], "p_second": [0.93], "neighbour_count": [6],
    ...     "n_neighbours": [10]}))
    ['`7` is missing: the model gives it 93 %; 6 of 10 neighbours have it']
    >>> reasons(pd.DataFrame({"given_label": ["hat"], "neighbour_label": ["shoes"], "neighbour_count": [7],
    ...     "n_neighbours": [10], "model_label": ["shoes"], "model_count": [5], "n_models": [5]}))
    ['7 of 10 neighbours are `shoes`; every fold model says `shoes`']
    """
    return [
        _reason({name: value for name, value in row.items() if pd.notna(value)}) for row in _records(rows)
    ]


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    wanted = (*SAID_OF_LABEL, *SAID_OF_PAIR, *QUALITY_COLUMNS)
    columns = {name: rows[name].tolist() for name in wanted if name in rows}
    return [{name: values[place] for name, values in columns.items()} for place in range(len(rows))]


def _reason(row: Mapping[str, Any]) -> str:
    return _reason_of_pair(row) if "suspect" in row else _reason_of_label(row)


def _reason_of_pair(row: Mapping[str, Any]) -> str:
    label, kind = row["second_label"], row["suspect"]
    parts = [f"the model gives it {round(100 * row['p_second'])} %"]
    if "n_neighbours" in row:
        count, total = row["neighbour_count"], row["n_neighbours"]
        parts.append(f"{count} of {total} neighbours {'has' if count == 1 else 'have'} it")
    head = f"`{label}` is {kind}" if kind else f"least sure of `{label}`"
    return f"{head}: {'; '.join(parts)}"


def _reason_of_label(row: Mapping[str, Any]) -> str:
    given = row.get("given_label")
    parts: list[tuple[object, str]] = []
    if "neighbour_label" in row:
        label, count, total = row["neighbour_label"], row["neighbour_count"], row["n_neighbours"]
        parts.append((label, f"{count} of {total} neighbours are `{label}`"))
    if "model_label" in row:
        label, count, total = row["model_label"], row["model_count"], row["n_models"]
        who = "every fold model says" if count == total else f"{count} of {total} fold models say"
        parts.append((label, f"{who} `{label}`"))
    if "training_label" in row and given is not None:
        label = row["training_label"]
        learnt = (
            "its label was learnt in training"
            if label == given
            else f"in training it was taken for `{label}`"
        )
        parts.append((label, learnt))
    if not parts and "p_given" in row and given is not None:
        parts.append(
            (given, f"the model gives `{given}` {row['p_given']:.0%}, it says `{row['predicted_label']}`")
        )
    return "; ".join(text for _, text in sorted(parts, key=lambda part: part[0] == given))
