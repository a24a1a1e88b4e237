"""The scores of a run, from the predictions and the training that its folder already holds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from diagnostics.dynamics import read_dynamics
from diagnostics.label_quality import fit_label_quality, write_label_quality
from diagnostics.neighbours import nearest_items, write_near_items
from diagnostics.predictions import read_predictions
from diagnostics.reasons import quality_table
from diagnostics.run_folder import SCORES_FILE, write_table
from diagnostics.scores import scores_table
from diagnostics.signals import signals_of


def write_scores(
    run_dir: Path, content_hashes: Sequence[str], *, seed: int, why_missing: Mapping[str, str] | None = None
) -> None:
    """Score every item of the run; its label's quality and the reasons come from all signals that there are.

    content_hashes : (n_items,), in the order of the predictions
    seed : of the labels that are drawn to learn the weights of the signals
    why_missing : by the name of a signal, what to say where it cannot be had
    """
    predictions = read_predictions(run_dir)
    near = None
    if predictions.fold_embeddings is not None:
        near = nearest_items(predictions, content_hashes, seed=seed)
        write_near_items(run_dir, near)
    signals = signals_of(predictions, dynamics=read_dynamics(run_dir), near=near)
    said = why_missing or {}
    signals = replace(signals, missing={name: said.get(name, why) for name, why in signals.missing.items()})
    quality = fit_label_quality(signals, seed=seed)
    write_label_quality(run_dir, quality)
    write_table(run_dir / SCORES_FILE, quality_table(scores_table(predictions), signals, quality))
