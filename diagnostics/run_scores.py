"""The scores of a run, from the predictions and the training that its folder already holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from diagnostics.label_kinds.scoring import scoring_of, write_scored
from diagnostics.neighbours import nearest_items, write_near_items
from diagnostics.predictions import read_predictions
from diagnostics.training.config import TrainConfig


def write_scores(
    run_dir: Path,
    content_hashes: Sequence[str],
    *,
    config: TrainConfig,
    why_missing: Mapping[str, str] | None = None,
) -> None:
    """Score every item of the run, as `diagnostics.label_kinds.scoring.Scoring.score_run` does; near items are kept in
    its folder for the quick rounds that follow."""
    predictions = read_predictions(run_dir)
    near = None
    if predictions.fold_embeddings is not None:
        near = nearest_items(predictions, content_hashes, seed=config.seed)
        write_near_items(run_dir, near)
    scored = scoring_of(predictions.label_kind).score_run(
        run_dir,
        predictions,
        near,
        content_hashes=content_hashes,
        config=config,
        why_missing=why_missing or {},
    )
    write_scored(run_dir, scored)
