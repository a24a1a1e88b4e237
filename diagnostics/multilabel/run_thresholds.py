"""The thresholds of a run: chosen where the models held items out, kept beside its scores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diagnostics.errors import RunError
from diagnostics.formats import refuse_newer
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.thresholds import (
    DEFAULT,
    FIXED_RULES,
    N_FOLDS,
    PredictedSets,
    Thresholds,
    cross_fitted_sets,
    fixed_thresholds,
)
from diagnostics.predictions import IN_SAMPLE, ObjectArray
from diagnostics.task import BoolArray, FloatArray

FORMAT_VERSION = 1
FILE = "thresholds.json"
ENOUGH_ITEMS = 50
VALIDATION, HELD_OUT, NOWHERE, ASKED_FOR = "validation", "held-out train", "nowhere", "asked for"


@dataclass(frozen=True, slots=True)
class RunThresholds:
    """From which probability on a run predicts each label.

    thresholds : of the classes of the run
    rule : a name of THRESHOLD_RULES
    chosen_on : VALIDATION, HELD_OUT (with validation), NOWHERE: too few labelled items, a half for every class;
        or ASKED_FOR: the rule chooses nothing
    n_items : how many labelled items they were chosen on
    """

    thresholds: Thresholds
    rule: str
    chosen_on: str
    n_items: int

    def to_json(self) -> dict[str, Any]:
        """A plain dict that json.dumps takes and `from_json` reads back."""
        return {
            "format_version": FORMAT_VERSION,
            "rule": self.rule,
            "chosen_on": self.chosen_on,
            "n_items": self.n_items,
            "values": self.thresholds.values.tolist(),
            "origins": self.thresholds.origins.tolist(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RunThresholds":
        """Read back what `to_json` gave."""
        thresholds = Thresholds(np.array(values["values"]), np.array(values["origins"], dtype=object))
        rule, chosen_on = values["rule"], values["chosen_on"]
        if rule in FIXED_RULES and chosen_on in (VALIDATION, HELD_OUT):
            chosen_on = ASKED_FOR  # runs once named the items that a rule would have chosen on
        return cls(thresholds, rule, chosen_on, values["n_items"])


def predict_sets(
    label_sets: LabelSets,
    pred_probs: FloatArray,
    *,
    splits: ObjectArray,
    kinds: ObjectArray,
    units: Sequence[str],
    rule: str,
    seed: int,
) -> tuple[PredictedSets, RunThresholds]:
    """The set that is predicted for each item, by thresholds chosen without its own labels.

    They are chosen on the labelled validation items; where there are fewer than ENOUGH_ITEMS, on the train items that
    were held out as well; test items are never asked.
    splits, kinds, units : (n_items,), see `Predictions`; the content or the group of each item
    """
    if rule in FIXED_RULES:
        fixed = fixed_thresholds(FIXED_RULES[rule], len(label_sets.classes))
        return PredictedSets(fixed.predict(pred_probs), fixed), RunThresholds(fixed, rule, ASKED_FOR, 0)
    usable = label_sets.labelled & (kinds != IN_SAMPLE)
    for chosen_on, asked in (
        (VALIDATION, usable & (splits == "val")),
        (HELD_OUT, usable & np.isin(splits, ("train", "val"))),
    ):
        n_units = len({units[row] for row in np.flatnonzero(asked).tolist()})
        if n_units >= ENOUGH_ITEMS:
            found = _chosen_on(asked, label_sets, pred_probs, units, rule, seed)
            return found, RunThresholds(found.thresholds, rule, chosen_on, int(asked.sum()))
    half = fixed_thresholds(DEFAULT, len(label_sets.classes))
    return PredictedSets(half.predict(pred_probs), half), RunThresholds(half, rule, NOWHERE, 0)


def _chosen_on(
    asked: BoolArray,
    label_sets: LabelSets,
    pred_probs: FloatArray,
    units: Sequence[str],
    rule: str,
    seed: int,
) -> PredictedSets:
    return cross_fitted_sets(label_sets.only(asked), pred_probs, units, rule=rule, n_folds=N_FOLDS, seed=seed)


def read_thresholds(run_dir: Path) -> RunThresholds | None:
    """The thresholds of a run; None for a run that has none.

    raises : RunError if they are unreadable or were written by a newer Winnow
    """
    path = run_dir / FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        refuse_newer(path, values["format_version"], FORMAT_VERSION)
        return RunThresholds.from_json(values)
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"The thresholds in {path} cannot be read: {error}. Train again.") from error
