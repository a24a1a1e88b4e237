"""How long the texts of a project are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curation.dataset.checks import shown_names
from diagnostics.task import TEXT_COLUMN, IntArray

MAX_SHOWN = 5
EXCERPT = 160


@dataclass(frozen=True)
class TextLengths:
    """Lengths of all texts.

    words, characters : (n_texts,)
    longest, shortest : at most MAX_SHOWN items each, the most extreme first: name, words, characters, text (how it
        begins)
    """

    words: IntArray
    characters: IntArray
    longest: pd.DataFrame
    shortest: pd.DataFrame

    def of(self, unit: str) -> IntArray:
        """(n_texts,), in "words" or "characters"."""
        return {"words": self.words, "characters": self.characters}[unit]

    def said(self, unit: str) -> str:
        """The lengths in a sentence."""
        lengths = self.of(unit)
        return (
            f"{lengths.min():,} to {lengths.max():,} {unit}; half of the texts have at most "
            f"{np.median(lengths):,.0f}."
        )


def text_lengths(items: pd.DataFrame) -> TextLengths:
    """The lengths of these texts. items : columns item_id, path, text, n_words"""
    words: IntArray = items["n_words"].to_numpy(dtype=np.int64)
    characters = items[TEXT_COLUMN].str.len().to_numpy().astype(np.int64)
    order = np.lexsort((characters, words)).astype(np.int64)
    return TextLengths(
        words,
        characters,
        longest=_shown(items, words, characters, order[::-1][:MAX_SHOWN]),
        shortest=_shown(items, words, characters, order[:MAX_SHOWN]),
    )


def _shown(items: pd.DataFrame, words: IntArray, characters: IntArray, rows: IntArray) -> pd.DataFrame:
    chosen = items.iloc[rows]
    columns = {
        "name": shown_names(chosen).to_numpy(dtype=object),
        "words": words[rows],
        "characters": characters[rows],
        "text": chosen[TEXT_COLUMN].str.slice(0, EXCERPT).to_numpy(dtype=object),
    }
    return pd.DataFrame(columns)
