"""Images: a file each, decoded once when they are taken in."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from curation.dataset.findings import NEAR_COPIES, NOTE, SET_ASIDE, Check, checks_in_words_of
from curation.dataset.image_checks import Looked, looking_at_images
from curation.dataset.near_duplicates import Likeness, find_near_duplicates
from curation.dataset.sources import PATH_NAMES, Opened, Reading, Source, Table
from curation.modalities.modality import Asked, Content, Modality, TakingIn
from diagnostics.image_files import IMAGE_SUFFIXES, THUMBNAIL_PX, ImageRoot
from diagnostics.progress import Progress, ProgressCallback

STORED = ("width", "height")
IMAGE_NAMES = ("image", "img", "image_path")
SAMPLED_ROWS = 1_000
CHECKS = {
    "not_an_image": Check(
        SET_ASIDE, "Files that are no images", "Remove the row or convert the file to PNG or JPEG."
    ),
    "truncated_image": Check(SET_ASIDE, "Images that do not decode to the end", "Fetch the file again."),
    "image_bomb": Check(
        SET_ASIDE, "Files too large to be decoded safely", "Scale the image down or remove the row."
    ),
    "plain_image": Check(
        NOTE, "Images of almost one shade", "Nothing to do; equal files are found among them, too."
    ),
}


def _claims(source: Source, opened: Opened, asked: Asked) -> str:
    if not isinstance(opened, Table):
        return "it holds image files" if any(map(_is_image, opened.names)) else ""
    if source.images is not None:
        return "--images says where the files are"
    lower = {name.lower(): name for name in reversed(opened.header)}
    column = source.asked.path or next((lower[name] for name in PATH_NAMES if name in lower), None)
    if column not in opened.header:
        return ""
    cells = opened.column(column, at_most=SAMPLED_ROWS)
    if any(map(_is_image, cells)) or column.lower() in IMAGE_NAMES:
        return f"column {column!r} holds paths of image files"
    return ""


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)


def _reading(source: Source, opened: Opened, asked: Asked) -> Reading:
    return Reading(content={}, needs_path=True, suffixes=IMAGE_SUFFIXES)


@contextmanager
def _take_in(
    rows: pd.DataFrame, roots: Sequence[ImageRoot], asked: Asked, on_progress: ProgressCallback
) -> Iterator[TakingIn]:
    paths, numbers = rows["path"].tolist(), rows["root"].tolist()
    with looking_at_images(paths, numbers, roots, on_progress) as wait:
        yield TakingIn(rows, lambda: _content(wait()))


def _content(looked: Looked) -> Content:
    usable = np.ones(len(looked), dtype=bool)
    usable[list(looked.unusable)] = False
    table = pd.DataFrame(
        {
            "content_hash": pd.Series(looked.content_hash, dtype=object),
            "width": np.array(looked.width, dtype=np.int64),
            "height": np.array(looked.height, dtype=np.int64),
            "thumbnail": np.arange(len(looked.width)),
        },
    ).set_axis(np.flatnonzero(usable))

    def alike(items: pd.DataFrame, on_progress: ProgressCallback) -> Likeness:
        thumbnails = np.frombuffer(looked.thumbnails, dtype=np.uint8).reshape(-1, THUMBNAIL_PX**2)
        return find_near_duplicates(
            thumbnails[items["thumbnail"].to_numpy()],
            on_step=lambda done, total: on_progress(Progress("comparing images", done, total)),
        )

    return Content(table, STORED, looked.unusable, alike)


def _searched(table: pa.Table) -> pa.ChunkedArray:
    return table["path"]


def _no_columns(items: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return items[[]]


def _training_content(items: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Models read the files themselves, where path and root lead."""
    return items[[]]


IMAGE = Modality(
    key="image",
    noun="image",
    nouns="images",
    checks=checks_in_words_of("image", "images", CHECKS, NEAR_COPIES),
    claims=_claims,
    reading=_reading,
    take_in=_take_in,
    searched=_searched,
    exported=_no_columns,
    training_content=_training_content,
    training_choices=lambda folder: "",
)
