"""Images: a file each, decoded once when they are taken in."""

from pathlib import Path

import pandas as pd

from curation.modalities.modality import Modality


def _training_content(items: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Models read the files themselves, where path and root lead."""
    return items[[]]


IMAGE = Modality(key="image", noun="image", nouns="images", training_content=_training_content)
