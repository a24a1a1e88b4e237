"""The scores of runs whose items have one label each; see `diagnostics.label_kinds.scoring.Scoring`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from diagnostics.dynamics import read_dynamics
from diagnostics.label_kinds.scoring import Scored
from diagnostics.label_quality import FILE, fit_label_quality
from diagnostics.neighbours import NearItems
from diagnostics.predictions import Predictions
from diagnostics.reasons import quality_table
from diagnostics.run_folder import Run
from diagnostics.scores import scores_table
from diagnostics.signals import signals_of
from diagnostics.training.config import TrainConfig
from diagnostics.training.quick_scores import score_quick_round


def score_run(
    run_dir: Path,
    predictions: Predictions,
    near: NearItems | None,
    *,
    content_hashes: Sequence[str],
    config: TrainConfig,
    why_missing: Mapping[str, str],
) -> Scored:
    """A label's quality and the reasons come from all signals that there are."""
    signals = signals_of(predictions, dynamics=read_dynamics(run_dir), near=near)
    missing = {name: why_missing.get(name, why) for name, why in signals.missing.items()}
    signals = replace(signals, missing=missing)
    quality = fit_label_quality(signals, seed=config.seed)
    table = quality_table(scores_table(predictions), signals, quality)
    return Scored(table, {FILE: quality.to_json()})


def score_quick_run(
    predictions: Predictions,
    base: Run | None,
    *,
    content_hashes: pd.Series,
    decided: Collection[str],
    config: TrainConfig,
    in_space_of: Run | None = None,
) -> Scored:
    """See `diagnostics.training.quick_scores`."""
    table, quality = score_quick_round(
        predictions,
        base,
        content_hashes=content_hashes,
        decided=decided,
        seed=config.seed,
        in_space_of=in_space_of,
    )
    return Scored(table, {FILE: quality.to_json()})
