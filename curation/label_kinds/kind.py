"""What the curation side knows of one kind of label; everything that differs between kinds is a field here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from curation.dataset.findings import Check, Finding
from curation.dataset.image_checks import Unusable
from diagnostics.task import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from diagnostics.label_space import LabelSpace
    from diagnostics.metrics import ClassReport, Estimate
    from diagnostics.run_folder import Run


@dataclass(frozen=True, slots=True)
class LabelForm:
    """How a source writes labels. Neither: one class a row.

    separator : what stands between the labels of an item; "" = there is no such mark
    columns : one a class, which say 1 or 0; () = there are none
    """

    separator: str = ""
    columns: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The key of the kind of label that is written so."""
        return "multi" if self.separator or self.columns else "single"

    def __str__(self) -> str:
        """In words; "" for one class a row."""
        if self.columns:
            return f"one column each ({', '.join(self.columns)})"
        return f"several, separated by {self.separator}" if self.separator else ""

    def to_json(self) -> dict[str, object]:
        """As `form_from_json` reads it."""
        return {"separator": self.separator, "columns": list(self.columns)}


def form_from_json(values: Mapping[str, Any]) -> LabelForm:
    """How labels are written, from project.json or a manifest; of an older Winnow, one class a row."""
    return LabelForm(str(values.get("separator", "")), tuple(values.get("columns", ())))


class LabelReader(Protocol):
    """Reads the labels of a source, of which only some may occur if the user said which."""

    def in_form(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
        """The rows with every label that can be read in its one form, and what there is to say of how it was written.

        rows : RAW_COLUMNS
        """

    def is_odd(self, labels: pd.Series) -> BoolArray:
        """(n_rows,), which labels in their form have to be looked at one by one, because `problem` may refuse them."""

    def problem(self, label: str) -> Unusable | None:
        """Why a label in its form cannot be used; None if it can."""

    def classes_of(self, labels: pd.Series) -> tuple[str, ...]:
        """The classes, in order: those the user named, else those that occur; labels : those of usable items."""


Members = Callable[[str], tuple[str, ...]]
Labels = npt.NDArray[np.object_]
Change = Callable[[str | None, str, Sequence[str]], str | None]
Join = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class LabelKind:
    """One kind of label.

    key : as `diagnostics.task.Task.label_kind` and project.json name it
    checks : what is looked for when labels are taken in, beside what is looked for in all
    reader : (form, the classes that the user named or None) -> what reads the labels of a source
    members : (label text) -> the classes that an item with this label has, in the order in which they stand there
    text : (classes, all classes in order) -> the one text of a label that has these
    wrong_name : (name) -> why no class may be called so; "" if it may
    hold_out : (units, label texts, fraction=, seed=) -> (n_items,), which items go to validation
    max_k : (number of classes) -> what k of the ranking by confusion can be at most; why_max_k : the reason
    changes : what can be done with a class beside giving it, by its name in `curation.bulk`: (label text, None = not
        labelled; the class; all classes in order) -> the new label, None where that changes nothing
    together : (probabilities grouped by what their classes have become) -> that of each group
    join : (probabilities, (n_classes_of_run, n_classes) 1 where a class has become the other) -> those of the classes
    occurring_in : the columns of a run's scores that name labels which are no class; () = every label is one
    predicted : (run, rows of its predictions) -> the labels that it predicts, in its own classes
    prediction : (the label that a run predicts, its most probable class, both as of now) -> what is shown as predicted
    class_report, totals : (labels, codes, predicted codes) -> what `curation.reports` says of a split
    compared : the names of those totals that runs are compared by, the leading one first
    said : (a row of a queue, the ranking, its k) -> in words, what the model says of it
    says_about : (what explanations are about, the labels of these items) -> (n_items,), which cards have to name it
    reasoned_from : the columns of a queue that `diagnostics.reasons` reads beside what was seen of the items
    exchanged_by_chance : (labels, codes, predicted codes) -> (n_classes, n_classes), how many items would be predicted
        the second class in place of the first if the one had nothing to do with the other
    own_columns : of a ranked queue, beside those of all kinds of label
    class_suspects : of `curation.run_index.SUSPECTS`, what a class can be of an item; () where it has just one
    class_filter : the field of `curation.queues.QueueQuery` by which one class is reviewed at a time
    suspects_text : how many items of a class are suspect, of {n_open} that nobody decided on and {n} in its queue
    cap_note : what a cap on a class means for the items that it is about, a sentence; "" where they have no other class
    """

    key: str
    checks: Mapping[str, Check]
    reader: Callable[[LabelForm, tuple[str, ...] | None], LabelReader]
    members: Members
    text: Callable[[Iterable[str], Sequence[str]], str]
    wrong_name: Callable[[str], str]
    hold_out: Callable[..., BoolArray]
    max_k: Callable[[int], int]
    why_max_k: str
    changes: Mapping[str, Change]
    together: Callable[[Any], pd.Series]
    join: Join
    occurring_in: tuple[str, ...]
    predicted: Callable[["Run", IntArray], Labels]
    prediction: Callable[[str | None, str], str | None]
    class_report: Callable[["LabelSpace", IntArray, IntArray], "ClassReport"]
    totals: Callable[["LabelSpace", IntArray, IntArray], "dict[str, Estimate]"]
    compared: tuple[str, ...]
    said: Callable[[Mapping[str, Any], str, int], str]
    says_about: Callable[[Labels, Labels], BoolArray]
    reasoned_from: tuple[str, ...]
    exchanged_by_chance: Callable[["LabelSpace", IntArray, IntArray], FloatArray]
    own_columns: tuple[str, ...]
    class_suspects: tuple[str, ...]
    class_filter: str
    suspects_text: str
    cap_note: str

    def counted(self, labels: pd.Series) -> dict[str, int]:
        """How many items have each class; labels : texts, null where nobody labelled."""
        counts: dict[str, int] = {}
        for label, n in labels.value_counts().to_dict().items():
            for name in self.members(str(label)):
                counts[name] = counts.get(name, 0) + int(n)
        return counts
