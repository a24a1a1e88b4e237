"""Features of texts for quick rounds: TF-IDF reduced to a few dense features, from the texts alone."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from diagnostics.modalities import EmbedInputs
from diagnostics.predictions import SharedEmbeddings
from diagnostics.texts.counts import CountedTexts, dense_features
from diagnostics.training.embeddings import FOLDER, FeatureStore

PREFIX = "texts-"


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """See `diagnostics.modalities.QuickFeatures`."""

    arch: str = "tfidf"
    pretrained: bool = False
    source: str = "the texts themselves (TF-IDF, reduced), which took no label"

    def embed(self, inputs: EmbedInputs) -> SharedEmbeddings:
        """Features that an earlier round made of these texts and perhaps of some more are used again: rounds that leave
        out a few texts are to differ in their labels alone."""
        found = _find(inputs.items["content_hash"], inputs.cache_dir)
        if found is not None:
            return found.shared(inputs.items)
        return _make(CountedTexts(inputs.items["text"].tolist()), inputs.items, inputs.cache_dir)

    def embed_counted(self, counted: CountedTexts, items: pd.DataFrame, cache_dir: Path) -> SharedEmbeddings:
        """As `embed`, of texts that were counted already, row by row those of `items`."""
        found = _find(items["content_hash"], cache_dir)
        return found.shared(items) if found is not None else _make(counted, items, cache_dir)


def _find(contents: Sequence[str] | pd.Series, cache_dir: Path) -> FeatureStore | None:
    wanted = pd.Index(contents)
    for folder in sorted((cache_dir / FOLDER).glob(f"{PREFIX}*")):
        store = FeatureStore(folder)
        if (store.contents.get_indexer(wanted) >= 0).all():
            return store
    return None


def _make(counted: CountedTexts, items: pd.DataFrame, cache_dir: Path) -> SharedEmbeddings:
    hashes = sorted(set(items["content_hash"]))
    name = PREFIX + hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]
    store = FeatureStore(cache_dir / FOLDER / name)
    store.append(items["content_hash"].tolist(), np.asarray(dense_features(counted.matrix))[None])
    return store.shared(items)
