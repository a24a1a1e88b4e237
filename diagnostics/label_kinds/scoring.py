"""What is written of a run about the quality of its labels, and how each kind of label finds it."""

import importlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from diagnostics.label_kinds import label_kind_of
from diagnostics.neighbours import NearItems
from diagnostics.predictions import Predictions
from diagnostics.run_folder import SCORES_FILE, Run, write_table, write_text
from diagnostics.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of all items, item_id, split, kind, given_label and SCORE_COLUMNS among the columns; and what they
    were found with: by the name of a file JSON-able values."""

    table: pd.DataFrame
    found_with: Mapping[str, Any]


class Scoring(Protocol):
    """The functions of the module that a kind of label names as its `scoring`."""

    def score_run(
        self,
        run_dir: Path,
        predictions: Predictions,
        near: NearItems | None,
        *,
        content_hashes: Sequence[str],
        config: TrainConfig,
        why_missing: Mapping[str, str],
    ) -> Scored:
        """Score what a full or an imported run predicts.

        near : None if the run keeps no embeddings
        content_hashes : (n_items,), in the order of the predictions
        config : of it count the seed, and how sets of labels are cut from probabilities
        why_missing : by the name of a signal, what to say where it cannot be had
        """

    def score_quick_run(
        self,
        predictions: Predictions,
        base: Run | None,
        *,
        content_hashes: pd.Series,
        decided: Collection[str],
        config: TrainConfig,
        in_space_of: Run | None = None,
    ) -> Scored:
        """Score what the heads of a quick round predict.

        base : the full run whose networks give the features, None if none does
        in_space_of : a full run that has the same features of its items, if there is one
        decided : the items on which a person has said that their present label is right
        """


def scoring_of(label_kind: str) -> Scoring:
    """How labels of this kind are scored; its libraries are loaded now."""
    scoring: Any = importlib.import_module(label_kind_of(label_kind).scoring)
    found: Scoring = scoring
    return found


def write_scored(run_dir: Path, scored: Scored) -> None:
    """Write all of it into the folder of a run, each file beside and moved into place."""
    for name, values in scored.found_with.items():
        write_text(run_dir / name, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    write_table(run_dir / SCORES_FILE, scored.table)
