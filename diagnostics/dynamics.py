"""What the models of a run said of the items while they were being trained on them, on disk and in memory."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diagnostics.errors import RunError
from diagnostics.formats import refuse_newer
from diagnostics.task import FloatArray, IntArray

FOLDER = "dynamics"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Dynamics:
    """The models' probabilities for items in their own training batches, from the second half of the epochs.

    The area under the margin (Pleiss et al., Identifying Mislabeled Data using the Area Under the Margin Ranking, 2020)
    is read from them: logits are averaged over the epochs before they become probabilities.

    probs : (n_items, n_classes), mean over the models that learnt the item's own label; NaN where none did
    planted_rows : (n_planted,), items to which one model was given another label on purpose
    planted_codes, planted_models : (n_planted,), that label and the model; an item has one at most. Of several labels
        an item the class that was added to it or taken from it
    planted_probs : (n_planted, n_classes), what that model said of the item
    """

    probs: FloatArray
    planted_rows: IntArray
    planted_codes: IntArray
    planted_models: IntArray
    planted_probs: FloatArray

    def of_rows(self, rows: IntArray) -> "Dynamics":
        """The dynamics of these rows, (n,), -1 = of none."""
        probs = np.asarray(self.probs)[rows]
        probs[rows < 0] = np.nan
        place = np.full(len(self.probs), -1, dtype=np.int64)
        place[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
        kept = place[self.planted_rows] >= 0
        return Dynamics(
            probs=probs,
            planted_rows=place[self.planted_rows[kept]],
            planted_codes=self.planted_codes[kept],
            planted_models=self.planted_models[kept],
            planted_probs=self.planted_probs[kept],
        )


def write_dynamics(run_dir: Path, dynamics: Dynamics) -> None:
    """Write beside and move to `run_dir`/dynamics, replacing what is there."""
    beside = run_dir / f".{FOLDER}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    np.save(beside / "probs.npy", np.asarray(dynamics.probs, dtype=np.float16))
    np.savez(
        beside / "planted.npz",
        rows=dynamics.planted_rows,
        codes=dynamics.planted_codes,
        models=dynamics.planted_models,
        probs=np.asarray(dynamics.planted_probs, dtype=np.float32),
    )
    (beside / "dynamics.json").write_text(json.dumps({"format_version": FORMAT_VERSION}), encoding="utf-8")
    shutil.rmtree(run_dir / FOLDER, ignore_errors=True)
    beside.replace(run_dir / FOLDER)


def read_dynamics(run_dir: Path) -> Dynamics | None:
    """The dynamics of a run, row i for row i of its predictions; None for a run that did not keep them.

    raises : RunError if they are unreadable or were written by a newer Winnow
    """
    folder = run_dir / FOLDER
    if not folder.is_dir():
        return None
    try:
        version = json.loads((folder / "dynamics.json").read_text(encoding="utf-8"))["format_version"]
        refuse_newer(folder, version, FORMAT_VERSION)
        probs = np.load(folder / "probs.npy", mmap_mode="r")
        with np.load(folder / "planted.npz") as planted:
            parts = [planted[name] for name in ("rows", "codes", "models", "probs")]
        return Dynamics(probs, *parts)
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"The training dynamics in {folder} cannot be read: {error}. Train again.") from error
