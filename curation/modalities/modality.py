"""What the curation side knows of one kind of item; everything that differs between kinds is a field here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

TrainingContent = Callable[[pd.DataFrame, Path], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Modality:
    """One kind of item.

    key : as `diagnostics.task.Task.modality` and project.json name it; noun, nouns : what people call one item and many
    training_content : (items, project folder) -> the columns that models read, a row an item, in the order of `items`
    """

    key: str
    noun: str
    nouns: str
    training_content: TrainingContent
