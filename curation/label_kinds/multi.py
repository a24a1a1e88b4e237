"""Each item has any number of the classes, none among them. A label is the text of a set, see
`diagnostics.multilabel.label_sets`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from curation.dataset.findings import NOTE, SET_ASIDE, Check, Finding
from curation.dataset.image_checks import Unusable
from curation.label_kinds.kind import (
    LabelForm,
    LabelKind,
    LabelReader,
)
from curation.label_kinds.single import unknown_class
from diagnostics.errors import DataError
from diagnostics.multilabel.label_sets import (
    LABELLED_WITH_NONE,
    SEPARATOR,
    check_class_names,
    parse_label_sets,
)
from diagnostics.multilabel.scores import MISSING, SUPERFLUOUS
from diagnostics.task import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from diagnostics.label_space import LabelSpace
    from diagnostics.metrics import ClassReport, Estimate
    from diagnostics.multilabel.metrics import SetReport

UNREADABLE, REPEATED = "unreadable_labels", "repeated_label"
HESITATION = {
    "confusion": "; its nearest probability is {value:.2f} from where it decides",
    "entropy": "; entropy {value:.2f}",
}
CAP_NOTE = (
    "Items with other labels are held back last, and not where one of these would be left with fewer items than the "
    "cap: then more of the class are trained on."
)
TOTALS = ("subset_accuracy", "hamming_loss", "micro_f1", "macro_f1")
PLACE = ("source", "row", "path", "item_id")
CHECKS = {
    UNREADABLE: Check(
        SET_ASIDE,
        "Labels that cannot be read",
        f"Put one separator between two labels and none elsewhere, write {LABELLED_WITH_NONE} for an item that has "
        f"none of the labels, and use no {SEPARATOR!r} in a name; in columns of labels write 1 or 0.",
    ),
    REPEATED: Check(NOTE, "Labels named more than once for an item", "Nothing to do: each counts once."),
}


def members(label: str) -> tuple[str, ...]:
    """The classes of a label in its canonical text.

    >>> members("cat|dog"), members("(none)")
    (('cat', 'dog'), ())
    """
    return () if label == LABELLED_WITH_NONE else tuple(label.split(SEPARATOR))


def text_of(names: Iterable[str], classes: Sequence[str]) -> str:
    """The canonical text of a set.

    >>> text_of({"dog", "cat"}, ("cat", "dog")), text_of([], ("cat", "dog"))
    ('cat|dog', '(none)')
    """
    wanted = set(names)
    if len(wanted) == 1:
        return wanted.pop()
    return SEPARATOR.join(name for name in classes if name in wanted) or LABELLED_WITH_NONE


@dataclass(frozen=True, slots=True)
class SetReader:
    """Labels with a mark between them, or of one column a class, which come with SEPARATOR between them.

    classes : those that may occur, in order; None = any, in alphabetical order
    """

    form: LabelForm
    classes: tuple[str, ...] | None
    _problems: dict[str, Unusable] = field(default_factory=dict)

    def in_form(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
        forms, repeats = {}, {}
        for label in pd.unique(rows["label"]):
            names = self._names(label)
            if (problem := self._wrong_with(label, names)) is not None:
                self._problems[label] = problem
                forms[label] = label
                continue
            forms[label] = self._in_order(names) if label else ""
            repeats[label] = sorted({name for name in names if names.count(name) > 1})
        repeated = rows[rows["label"].map(lambda label: bool(repeats.get(label)))]
        told = zip(*(repeated[name] for name in ("label", *PLACE)), strict=True)
        findings = [
            Finding(
                REPEATED,
                f"{', '.join(map(repr, repeats[label]))} is named more than once in {label!r}.",
                *place,
            )
            for label, *place in told
        ]
        return rows.assign(label=rows["label"].map(forms)), findings

    def is_odd(self, labels: pd.Series) -> BoolArray:
        return labels.isin(list(self._problems)).to_numpy(dtype=np.bool_)

    def problem(self, label: str) -> Unusable | None:
        return self._problems.get(label)

    def classes_of(self, labels: pd.Series) -> tuple[str, ...]:
        found = self.classes or tuple(
            sorted({name for label in labels.dropna().unique() for name in members(label)})
        )
        check_class_names(found)
        return found

    def _names(self, label: str) -> list[str]:
        if label.strip() in ("", LABELLED_WITH_NONE):
            return []
        return [name.strip() for name in label.split(self.form.separator or SEPARATOR)]

    def _wrong_with(self, label: str, names: list[str]) -> Unusable | None:
        if "" in names:
            return Unusable(UNREADABLE, f"There is nothing between two separators in {label!r}.")
        if LABELLED_WITH_NONE in names:
            return Unusable(UNREADABLE, f"{label!r} says that there is no label, and names labels.")
        if barred := [name for name in names if SEPARATOR in name]:
            return Unusable(UNREADABLE, f"The name {barred[0]!r} has {SEPARATOR!r} in it.")
        return None if self.classes is None else unknown_class(names, self.classes)

    def _in_order(self, names: list[str]) -> str:
        return text_of(names, self.classes or sorted(set(names)))


def _reader(form: LabelForm, classes: tuple[str, ...] | None) -> LabelReader:
    if form.separator and form.columns:
        raise DataError("Labels are either separated by a mark or in one column each; name one of the two.")
    if form.columns and classes is not None and set(classes) != set(form.columns):
        raise DataError("The classes are the columns of the labels; leave --classes out or name the same.")
    if form.separator:
        check_class_names(("any",), separator=form.separator)
    return SetReader(form, classes or form.columns or None)


def _wrong_name(name: str) -> str:
    if SEPARATOR in name:
        return f"{SEPARATOR!r} stands between the labels of an item, so that no name may have it"
    if name == LABELLED_WITH_NONE:
        return "it stands for no label at all"
    return ""


def hold_out(units: Sequence[str], labels: Sequence[str], *, fraction: float, seed: int) -> BoolArray:
    """(n_items,), which items go to validation: the same share of each label, and what belongs together on one side.

    See `diagnostics.multilabel.splits.share_out`; with one unit alone, nothing does.
    labels : label texts, of items that somebody labelled
    """
    from diagnostics.multilabel.splits import share_out

    if fraction == 0 or len(set(units)) < 2:
        return np.zeros(len(units), dtype=np.bool_)
    classes = tuple(sorted({name for label in set(labels) for name in members(label)}))
    sets = parse_label_sets(pd.Series(labels, dtype=object), classes)
    held_out: BoolArray = share_out(sets, units, shares=(1 - fraction, fraction), seed=seed) == 1
    return held_out


def _with_class(label: str | None, name: str, classes: Sequence[str]) -> str | None:
    names = () if label is None else members(label)
    return None if name in names else text_of([*names, name], classes)


def _without_class(label: str | None, name: str, classes: Sequence[str]) -> str | None:
    names = () if label is None else members(label)
    return text_of([other for other in names if other != name], classes) if name in names else None


def _said(record: Mapping[str, Any], by: str, k: int) -> str:
    named = ", ".join(f"`{name}`" for name in members(record["predicted_label"])) or "none of the classes"
    return named + (HESITATION[by].format(value=record[by]) if by in HESITATION else _against_given(record))


def _against_given(record: Mapping[str, Any]) -> str:
    """Which of its labels is suspect, and why, is in what was seen of it."""
    if record["given_label"] is None:
        return "; it has no label yet"
    return ", as labelled" if record["given_label"] == record["predicted_label"] else ""


def _join(probs: FloatArray, names: FloatArray) -> FloatArray:
    """An item has a class that several were merged into as surely as it has the surest of them."""
    columns = [probs[..., into > 0].max(axis=-1, initial=0) for into in names.T]
    joined: FloatArray = np.stack(columns, axis=-1)
    return joined


def _set_report(labels: "LabelSpace", codes: IntArray, predicted: IntArray) -> "SetReport":
    from diagnostics.multilabel.metrics import set_report

    return set_report(labels.label_sets(codes), labels.targets(predicted))


def _class_report(labels: "LabelSpace", codes: IntArray, predicted: IntArray) -> "ClassReport":
    from diagnostics.metrics import ClassReport

    found = _set_report(labels, codes, predicted)
    return ClassReport(found.n_items, found.subset_accuracy, found.macro_f1, found.table)


def _totals(labels: "LabelSpace", codes: IntArray, predicted: IntArray) -> "dict[str, Estimate]":
    found = _set_report(labels, codes, predicted)
    return {name: getattr(found, name) for name in TOTALS}


def _exchanged_by_chance(labels: "LabelSpace", codes: IntArray, predicted: IntArray) -> FloatArray:
    from diagnostics.multilabel.metrics import exchanged_by_chance

    return exchanged_by_chance(labels.label_sets(codes), labels.targets(predicted))


SEVERAL_LABELS = LabelKind(
    key="multi",
    checks=CHECKS,
    reader=_reader,
    members=members,
    text=text_of,
    wrong_name=_wrong_name,
    hold_out=hold_out,
    max_k=lambda n_classes: 2,
    why_max_k="Confusion is how near a probability is to where it decides",
    changes={"add": _with_class, "remove": _without_class},
    together=lambda groups: groups.max(),
    join=_join,
    occurring_in=("given_label", "predicted_label", "second_label"),
    predicted=lambda run, rows: run.scores["predicted_label"].to_numpy(dtype=object)[rows],
    prediction=lambda label, most_probable: label,
    class_report=_class_report,
    totals=_totals,
    compared=("subset_accuracy", "micro_f1", "macro_f1"),
    said=_said,
    says_about=lambda about, labels: np.ones(len(about), dtype=np.bool_),
    reasoned_from=("given_label", "suspect", "second_label", "p_second"),
    exchanged_by_chance=_exchanged_by_chance,
    own_columns=("suspect", "suspect_label"),
    class_suspects=(MISSING, SUPERFLUOUS),
    class_filter="suspect_label",
    suspects_text="{n_open:,} of {n:,} suspects open",
    cap_note=CAP_NOTE,
)
