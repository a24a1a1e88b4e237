"""What the curation side knows of one kind of item; everything that differs between kinds is a field here."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from curation.dataset.findings import Check, Finding
from curation.dataset.image_checks import Unusable
from curation.dataset.near_duplicates import Likeness
from curation.dataset.sources import Opened, Reading, Source
from diagnostics.image_files import ImageRoot
from diagnostics.progress import ProgressCallback


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user said of the content: columns of the source, () where nothing was said; the encoding of texts."""

    text_columns: tuple[str, ...] = ()
    feature_columns: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Content:
    """What the content of the rows is.

    table : the usable rows by their place among all, with content_hash, the columns that are stored, and perhaps others
        that `alike` needs
    stored : the columns of the table that are kept with the items
    unusable : why the other rows cannot be used, by their place
    findings : on the content of rows that can be used, or on all together
    alike : (items, progress) -> which of them are nearly the same, None where only equal ones are told
    files : what else is written into the project folder, by file name
    """

    table: pd.DataFrame
    stored: tuple[str, ...]
    unusable: Mapping[int, Unusable]
    alike: Callable[[pd.DataFrame, ProgressCallback], Likeness | None]
    findings: Sequence[Finding] = ()
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TakingIn:
    """A look at the content that has begun.

    rows : RAW_COLUMNS, where a row that has neither an id nor a file has got an id from its content
    finish : waits until all content was looked at
    """

    rows: pd.DataFrame
    finish: Callable[[], Content]


TakeIn = Callable[
    [pd.DataFrame, Sequence[ImageRoot], Asked, ProgressCallback], AbstractContextManager[TakingIn]
]


@dataclass(frozen=True, slots=True)
class Modality:
    """One kind of item.

    key : as `diagnostics.task.Task.modality` and project.json name it; noun, nouns : what people call one item and many
    checks : what is looked for when items are taken in, the gravest first
    claims : (main source, asked) -> why it is taken for items of this kind; "" if it is not
    reading : (main source, asked) -> how the sources are read
    take_in : (rows with RAW_COLUMNS and content columns, roots, asked, progress) -> what their content is
    searched : (stored item table) -> the text of each item that the search looks through
    exported : (stored items, names of the source columns) -> these columns as they were, in the order of `items`
    training_content : (items, project folder) -> the columns that models read, a row an item, in the order of `items`
    training_choices : (project folder) -> what people chose about these columns, "" as long as they chose nothing
    """

    key: str
    noun: str
    nouns: str
    checks: Mapping[str, Check]
    claims: Callable[[Source, Opened, Asked], str]
    reading: Callable[[Source, Opened, Asked], Reading]
    take_in: TakeIn
    searched: Callable[[pa.Table], pa.ChunkedArray]
    exported: Callable[[pd.DataFrame, Sequence[str]], pd.DataFrame]
    training_content: Callable[[pd.DataFrame, Path], pd.DataFrame]
    training_choices: Callable[[Path], str]
