"""A finished run on disk: what was trained on what, its history, predictions and scores."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from diagnostics.errors import RunError
from diagnostics.formats import refuse_newer
from diagnostics.predictions import ONE_LABEL, Predictions, read_predictions
from diagnostics.training.config import TrainConfig

FORMAT_VERSION = 1
INFO_FILE, HISTORY_FILE, LR_FINDER_FILE = "run.json", "history.csv", "lr_finder.csv"
SCORES_FILE, WEIGHTS_FOLDER, LOG_FILE = "scores.parquet", "weights", "log.txt"

HISTORY_COLUMNS = (
    "fold",
    "epoch",
    "phase",
    "train_loss",
    "valid_loss",
    "accuracy",
    "held_out",
    "items_per_s",
    "seconds",
)
LR_FINDER_COLUMNS = ("lr", "loss", "chosen")
FITTED_AT_ONCE = "fitted at once"  # the phase of a model without epochs
EARLIER_NAMES = {
    "images_per_s": "items_per_s"
}  # of columns, in the files of runs from before they were renamed


@dataclass(frozen=True, slots=True)
class QuickInfo:
    """What makes a run a quick one: only heads were trained, on features that were there.

    embeddings : whose features, in words
    base_run : the run whose fold models gave them, None if they come from a pretrained network
    strength : of the heads' penalty, chosen by held-out likelihood
    """

    embeddings: str
    base_run: str | None
    strength: float


@dataclass(frozen=True, slots=True)
class ImportInfo:
    """What makes a run an imported one: its predictions were made elsewhere, nothing was trained here.

    name : what the person who imported them calls the model, "" if nothing
    file : the name of the file that they came in
    """

    name: str
    file: str


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run is, written last: a folder with a run.json is a finished run.

    config : as asked for; resolved : the same with everything that was chosen from the data filled in
    dataset_version : {"number", "fingerprint", "event"}
    n_train : items with a label that models were trained on; n_folds : models, 1 if there are no folds
    in_sample : the predictions of train items come from a model that has seen them
    notes : what a reader of the numbers should know, one sentence each
    label_kind : key of `diagnostics.label_kinds.LABEL_KINDS`
    quick : None but for a quick run; imported : None but for an imported one
    """

    run_id: str
    created_at: datetime
    finished_at: datetime
    seconds: float
    config: TrainConfig
    resolved: TrainConfig
    classes: tuple[str, ...]
    dataset_version: Mapping[str, int | str]
    device: str
    n_threads: int
    versions: Mapping[str, str]
    n_train: int
    n_folds: int
    in_sample: bool
    arch: str
    pretrained: bool
    notes: tuple[str, ...] = ()
    quick: QuickInfo | None = None
    imported: ImportInfo | None = None
    label_kind: str = ONE_LABEL

    @property
    def name(self) -> str:
        """The run's id for people to read, marked if it is a quick or an imported one."""
        if self.imported is not None:
            return f"{self.run_id} (imported{': ' if self.imported.name else ''}{self.imported.name})"
        return self.run_id if self.quick is None else f"{self.run_id} (quick)"

    @property
    def is_full(self) -> bool:
        """Whether whole models were trained here for it."""
        return self.quick is None and self.imported is None

    def to_json(self) -> dict[str, Any]:
        """A plain dict that json.dumps takes and `from_json` reads back."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {
            "created_at": self.created_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "config": self.config.to_json(),
            "resolved": self.resolved.to_json(),
            "classes": list(self.classes),
            "dataset_version": dict(self.dataset_version),
            "versions": dict(self.versions),
            "notes": list(self.notes),
            "quick": asdict(self.quick) if self.quick else None,
            "imported": asdict(self.imported) if self.imported else None,
        }
        return {"format_version": FORMAT_VERSION} | values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RunInfo":
        """Read back what `to_json` gave."""
        quick, imported = values.get("quick"), values.get("imported")
        rest = {
            field.name: values[field.name]
            for field in fields(cls)
            if field.name not in ("quick", "imported", "label_kind")
        }
        rest |= {
            "created_at": datetime.fromisoformat(values["created_at"]),
            "finished_at": datetime.fromisoformat(values["finished_at"]),
            "config": TrainConfig.from_json(values["config"]),
            "resolved": TrainConfig.from_json(values["resolved"]),
            "classes": tuple(values["classes"]),
            "notes": tuple(values["notes"]),
            "label_kind": values.get("label_kind", ONE_LABEL),
            "quick": QuickInfo(**quick) if quick else None,
            "imported": ImportInfo(**imported) if imported else None,
        }
        return cls(**rest)


class Run:
    """A finished run; its tables and arrays are read when first asked for."""

    def __init__(self, info: RunInfo, folder: Path) -> None:
        self.info = info
        self.folder = folder

    @cached_property
    def predictions(self) -> Predictions:
        return read_predictions(self.folder)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row an item, as `diagnostics.scores.scores_table` gives it."""
        path = self.folder / SCORES_FILE
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise RunError(f"The scores of {self.info.run_id} ({path}) cannot be read: {error}.") from error

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch, columns HISTORY_COLUMNS; `held_out` names the items behind valid_loss and accuracy."""
        return self._table(HISTORY_FILE, HISTORY_COLUMNS)

    @property
    def fitted_at_once(self) -> bool:
        """Whether its models have no epochs: one row of the history is a whole model."""
        return not self.history.empty and bool((self.history["phase"] == FITTED_AT_ONCE).all())

    @cached_property
    def lr_finder(self) -> pd.DataFrame:
        """The finder's curve, columns LR_FINDER_COLUMNS; empty if the learning rate was set by hand."""
        return self._table(LR_FINDER_FILE, LR_FINDER_COLUMNS)

    def _table(self, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
        path = self.folder / name
        if not path.is_file():
            return pd.DataFrame(columns=list(columns))
        return pd.read_csv(path).rename(columns=EARLIER_NAMES)


def write_run_info(run_dir: Path, info: RunInfo) -> None:
    """Write run.json beside and move it into place."""
    write_text(run_dir / INFO_FILE, json.dumps(info.to_json(), indent=1, ensure_ascii=False) + "\n")


def read_run_folder(run_dir: Path) -> Run:
    """Open a finished run.

    raises : RunError if the folder is no finished run, cannot be read, or was written by a newer Winnow
    """
    path = run_dir / INFO_FILE
    if not path.is_file():
        raise RunError(f"{run_dir} is not a finished run: it has no {INFO_FILE}.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not readable JSON: {error}.") from error
    if not isinstance(values, dict):
        raise RunError(f"{path} is not readable: it holds no fields.")
    refuse_newer(path, values.get("format_version", 0), FORMAT_VERSION)
    try:
        return Run(RunInfo.from_json(values), run_dir)
    except KeyError as error:
        raise RunError(f"{path} lacks the field {error}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path} is not readable: {error}.") from error


def write_text(path: Path, text: str) -> None:
    """Write a small file beside and move it into place."""
    beside = path.with_name(f".{path.name}.partial")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV or, by its suffix, a Parquet file beside and move it into place."""
    if path.suffix == ".parquet":
        beside = path.with_name(f".{path.name}.partial")
        table.to_parquet(beside, index=False)
        beside.replace(path)
    else:
        write_text(path, table.to_csv(index=False, lineterminator="\n"))
