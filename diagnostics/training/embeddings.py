"""Features that heads are trained on: computed once for each content and network, kept, read by every quick round."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from diagnostics.errors import RunError
from diagnostics.fold_arrays import CHUNK_CELLS, FoldArray
from diagnostics.modalities import EmbedInputs, NetworkItems, open_trained_of
from diagnostics.predictions import SharedEmbeddings
from diagnostics.progress import Progress
from diagnostics.run_folder import WEIGHTS_FOLDER, Run, write_text
from diagnostics.task import IntArray, are_among
from diagnostics.training.device import prepare_torch
from diagnostics.training.predict import output_sizes, predict

FOLDER = "embeddings"
ARRAY_FILE, CONTENTS_FILE, NEW_FILE = "embeddings.npy", "contents.txt", ".new.npy"
BATCH_SIZE = 64


def embed_with_run(run: Run, inputs: EmbedInputs, content_of: pd.Series) -> SharedEmbeddings:
    """The features of the items by each fold model of a run; items that the run lacks are embedded with its weights.

    content_of : the content hash of each item that the run predicted, by item_id
    raises : RunError if weights are needed and missing
    """
    predictions = run.predictions
    rows = pd.Index(predictions.item_ids).get_indexer(pd.Index(inputs.items["item_id"]))
    own = run.folder / "predictions" / "fold_embeddings.npy"
    if (rows >= 0).all() and own.is_file():
        return SharedEmbeddings(own, rows.astype(np.int64))
    store = FeatureStore(inputs.cache_dir / FOLDER / run.info.run_id)
    if predictions.fold_embeddings is not None and not len(store.contents):
        hashes = content_of.reindex(predictions.item_ids).tolist()
        store.append(hashes, predictions.fold_embeddings)
    about = _about(run)

    def networks(opened: NetworkItems) -> list[Callable[[], Any]]:
        paths = [
            run.folder / WEIGHTS_FOLDER / f"fold-{model}.safetensors" for model in range(run.info.n_folds)
        ]
        return [lambda path=path: opened.load_network(path) for path in paths]  # type: ignore[misc]

    store.add_missing(inputs, about, networks)
    return store.shared(inputs.items)


def _about(run: Run) -> dict[str, Any]:
    folder = run.folder / WEIGHTS_FOLDER
    missing = [
        name
        for name in ("model.json", *(f"fold-{model}.safetensors" for model in range(run.info.n_folds)))
        if not (folder / name).is_file()
    ]
    if missing:
        raise RunError(
            f"{run.info.run_id} lacks {', '.join(missing)} in {folder}, which a quick round needs to embed items that "
            "the run did not keep features of. Train again: winnow train."
        )
    about: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return about


class FeatureStore:
    """Features by content: rows are only ever added, so that the rows that runs name stay what they are.

    The listing comes last: rows that it does not name are not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / ARRAY_FILE
        folder.mkdir(parents=True, exist_ok=True)
        listing = folder / CONTENTS_FILE
        self.contents = pd.Index(listing.read_text().splitlines() if listing.is_file() else [], dtype=object)

    def shared(self, items: pd.DataFrame) -> SharedEmbeddings:
        return SharedEmbeddings(
            self.path, self.contents.get_indexer(pd.Index(items["content_hash"])).astype(np.int64)
        )

    def append(self, contents: Sequence[str], values: FoldArray) -> None:
        """Add rows; of equal contents the first. values : (n_models, n_items, n_features)"""
        rows = np.flatnonzero(~pd.Index(contents).duplicated())
        n_known = len(self.contents)
        known = np.load(self.path, mmap_mode="r") if n_known else None
        beside = self.folder / f".{ARRAY_FILE}.partial"
        shape = (values.shape[0], n_known + len(rows), values.shape[2])
        out = np.lib.format.open_memmap(beside, mode="w+", dtype=np.float16, shape=shape)
        step = max(1, CHUNK_CELLS // max(1, values.shape[2]))
        for model in range(shape[0]):
            for start in range(0, n_known, step):
                stop = min(start + step, n_known)
                out[model, start:stop] = known[model, start:stop] if known is not None else 0
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                out[model, n_known + start : n_known + start + len(part)] = values[model, part]
        out.flush()
        del out, known
        beside.replace(self.path)
        self.contents = self.contents.append(pd.Index(np.asarray(contents, dtype=object)[rows]))
        write_text(self.folder / CONTENTS_FILE, "\n".join(self.contents))

    def add_missing(
        self,
        inputs: EmbedInputs,
        about: dict[str, Any],
        networks: Callable[[NetworkItems], list[Callable[[], Any]]],
    ) -> None:
        """Embed the items whose contents are not there; `networks` loads one network after the other."""
        items = inputs.items.drop_duplicates("content_hash")
        items = items[~are_among(items["content_hash"], self.contents)].reset_index(drop=True)
        if items.empty:
            return
        prepare_torch(inputs.machine.n_threads)
        opened = open_trained_of(inputs.modality)(
            items,
            about=about,
            roots=inputs.roots,
            cache_dir=inputs.cache_dir,
            machine=inputs.machine,
            on_progress=inputs.on_progress,
        )
        self.append(
            items["content_hash"].tolist(), _embed(opened, networks(opened), len(items), inputs, self.folder)
        )
        (self.folder / NEW_FILE).unlink()


def _embed(
    opened: NetworkItems,
    networks: list[Callable[[], Any]],
    n_items: int,
    inputs: EmbedInputs,
    folder: Path,
) -> FoldArray:
    """(n_models, n_items, n_features) in a file of its own."""
    out = None
    n_done = 0

    def done(n: int) -> None:
        nonlocal n_done
        n_done += n
        inputs.on_progress(Progress("embed", n_done, n_items * len(networks), "items embedded once"))

    for model, load in enumerate(networks):
        network = load()
        if out is None:
            shape = (len(networks), n_items, output_sizes(network)[1])
            out = np.lib.format.open_memmap(folder / NEW_FILE, mode="w+", dtype=np.float16, shape=shape)
        positions: IntArray = np.arange(n_items)
        predict(
            network,
            opened,
            positions,
            probabilities=None,
            activation=nn.Identity(),
            embeddings=out[model],
            machine=inputs.machine,
            batch_size=BATCH_SIZE,
            should_stop=inputs.should_stop,
            on_batch=done,
        )
    if out is None:
        raise RunError("There is no network to embed items with.")
    return out
