"""Each item has one of the classes."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from curation.dataset.findings import Finding
from curation.dataset.image_checks import Unusable
from curation.dataset.splits import split_off_validation
from curation.label_kinds.kind import LabelForm, LabelKind, LabelReader
from diagnostics.task import BoolArray, IntArray

if TYPE_CHECKING:
    from diagnostics.label_space import LabelSpace
    from diagnostics.metrics import ClassReport, Estimate
    from diagnostics.run_folder import Run

HESITATION = {
    "confusion": "the first and number {k} differ by {value:.2f}",
    "entropy": "entropy {value:.2f}",
}


@dataclass(frozen=True, slots=True)
class OneLabelReader:
    """A label is a class, as it is written. classes : those that may occur, None = any"""

    classes: tuple[str, ...] | None

    def in_form(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
        return rows, []

    def is_odd(self, labels: pd.Series) -> BoolArray:
        if self.classes is None:
            return np.zeros(len(labels), dtype=np.bool_)
        return ~labels.isin(self.classes).to_numpy(dtype=np.bool_)

    def problem(self, label: str) -> Unusable | None:
        return None if self.classes is None else unknown_class([label], self.classes)

    def classes_of(self, labels: pd.Series) -> tuple[str, ...]:
        return self.classes or tuple(sorted(set(labels.dropna())))


def unknown_class(names: Iterable[str], classes: Sequence[str]) -> Unusable | None:
    """That some of these names are no class, with the nearest class; None if all are."""
    strange = [name for name in names if name not in classes]
    if not strange:
        return None
    near = difflib.get_close_matches(strange[0], classes, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    said = f"{strange[0]!r} is" if len(strange) == 1 else f"{', '.join(map(repr, strange))} are"
    return Unusable("unknown_class", f"{said} none of the {len(classes)} classes.{hint}")


def _reader(form: LabelForm, classes: tuple[str, ...] | None) -> LabelReader:
    return OneLabelReader(classes)


def _hold_out(units: Sequence[str], labels: Sequence[str], *, fraction: float, seed: int) -> BoolArray:
    return np.array(split_off_validation(units, labels, fraction=fraction, seed=seed), dtype=np.bool_)


def _said(record: Mapping[str, Any], by: str, k: int) -> str:
    predicted = f"`{record['predicted_label']}` with {percent(record['p_predicted'])}"
    return predicted + (_hesitation(record, by, k) if by in HESITATION else _against_given(record))


def _hesitation(record: Mapping[str, Any], by: str, k: int) -> str:
    second = f", then `{record['second_label']}` with {percent(record['p_second'])}"
    return f"{second}; {HESITATION[by].format(k=k, value=record[by])}"


def _against_given(record: Mapping[str, Any]) -> str:
    given = record["given_label"]
    if given is None:
        return "; it has no label yet"
    if given == record["predicted_label"]:
        return f", as labelled; next is `{record['second_label']}` with {percent(record['p_second'])}"
    return f"; given label `{given}` gets {percent(record['p_given'])}"


def percent(share: float) -> str:
    """
    >>> percent(0.984), percent(0.0004), percent(0.9996)
    ('98 %', 'under 0.1 %', 'over 99.9 %')
    """
    value = 100 * share
    if value < 0.1:
        return "under 0.1 %"
    if value > 99.9:
        return "over 99.9 %"
    return f"{value:.1f} %" if value < 0.95 or value > 99.05 else f"{value:.0f} %"


def _predicted(run: "Run", rows: IntArray) -> npt.NDArray[np.object_]:
    predicted: npt.NDArray[np.object_] = np.asarray(run.info.classes, dtype=object)[
        run.predictions.pred_probs[rows].argmax(axis=1)
    ]
    return predicted


def _class_report(labels: "LabelSpace", codes: IntArray, predicted: IntArray) -> "ClassReport":
    from diagnostics.metrics import class_report

    return class_report(codes, predicted, labels.classes)


def _totals(labels: "LabelSpace", codes: IntArray, predicted: IntArray) -> "dict[str, Estimate]":
    found = _class_report(labels, codes, predicted)
    return {"accuracy": found.accuracy, "macro_f1": found.macro_f1}


ONE_LABEL = LabelKind(
    key="single",
    checks={},
    reader=_reader,
    members=lambda label: (label,),
    text=lambda names, classes: next(iter(names)),
    wrong_name=lambda name: "",
    hold_out=_hold_out,
    max_k=lambda n_classes: max(2, n_classes),
    why_max_k="The run knows {n_classes} classes",
    changes={},
    together=lambda groups: groups.sum(),
    join=lambda probs, names: probs @ names,
    occurring_in=(),
    predicted=_predicted,
    prediction=lambda label, most_probable: most_probable,
    class_report=_class_report,
    totals=_totals,
    compared=("accuracy", "macro_f1"),
    said=_said,
    says_about=lambda about, labels: about != labels,
    reasoned_from=("given_label",),
    exchanged_by_chance=lambda labels, codes, predicted: np.zeros((len(labels.classes),) * 2),
    own_columns=(),
    class_suspects=(),
    class_filter="given",
    suspects_text="{n_open:,} of {n:,} labels suspect and open",
    cap_note="",
)
