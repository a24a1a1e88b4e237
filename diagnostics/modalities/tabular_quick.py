"""Features of rows for quick rounds, kept by content like those of images."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from diagnostics.modalities import EmbedInputs
from diagnostics.predictions import SharedEmbeddings
from diagnostics.progress import Progress
from diagnostics.rows.quick import FIT_FILE, ComputedRows, QuickFit, fit_quick, schema_of
from diagnostics.run_folder import Run
from diagnostics.training.config import TrainConfig
from diagnostics.training.embeddings import FOLDER, FeatureStore


@dataclass(frozen=True, slots=True)
class RowFeatures:
    """See `diagnostics.modalities.QuickFeatures`."""

    arch: str = "row_features"
    pretrained: bool = False
    source: str = "the rows themselves (ranks, pieces of ranges, categories, and random combinations of them)"

    def embed(self, inputs: EmbedInputs) -> SharedEmbeddings:
        """(1, n_rows, n_features). Ranges and categories are those of the rows that there were first, also for fewer
        rows and for some more; with twice as many, or other features, they are learnt anew.

        raises : DataError as `fit_quick`
        """
        items = inputs.items.drop_duplicates("content_hash", ignore_index=True)
        store = _store_for(items, inputs.cache_dir)
        path = store.folder / FIT_FILE
        if not path.is_file():
            fit_quick(items).save(path)
        new = items[~items["content_hash"].isin(store.contents)].reset_index(drop=True)
        if len(new):
            self._add(store, QuickFit.load(path), new, inputs)
        return store.shared(inputs.items)

    def _add(self, store: FeatureStore, fit: QuickFit, items: pd.DataFrame, inputs: EmbedInputs) -> None:
        n_done = 0

        def tell(n: int) -> None:
            nonlocal n_done
            n_done += n
            inputs.on_progress(Progress("embed", n_done, len(items), "rows prepared once"))

        store.append(items["content_hash"].tolist(), ComputedRows(fit, items, tell))


def _store_for(items: pd.DataFrame, cache_dir: Path) -> FeatureStore:
    """One that has all of these contents, else the one for about so many rows."""
    name = f"rows-{schema_of(items)}"
    for folder in sorted((cache_dir / FOLDER).glob(f"{name}-*")):
        store = FeatureStore(folder)
        if items["content_hash"].isin(store.contents).all():
            return store
    doublings = int(math.log2(max(1, len(items))))
    return FeatureStore(cache_dir / FOLDER / f"{name}-{doublings:02}")


def find_quick_features(config: TrainConfig, base: Run | None) -> RowFeatures:
    """Always the rows' own: they are there at once, and near to what the best models of rows reach."""
    return RowFeatures()
