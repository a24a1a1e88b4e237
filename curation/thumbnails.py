"""Small JPEG pictures of the items, made when first asked for and kept as blobs in one SQLite file."""

import io
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from diagnostics.errors import WinnowError
from diagnostics.image_files import decode_image

THUMBNAIL_PX = 256
READABLE_PX = 128
JPEG_QUALITY = 80
N_WORKERS = 4
MISSING = b""

_SCHEMA = "CREATE TABLE IF NOT EXISTS thumbnails (key TEXT PRIMARY KEY, jpeg BLOB NOT NULL) WITHOUT ROWID"


@dataclass(frozen=True, slots=True)
class Picture:
    """One item to draw: `key` names its content, `item_id` is what `read_image` understands."""

    item_id: str
    key: str


def make_thumbnail(data: bytes, *, size_px: int = THUMBNAIL_PX) -> bytes:
    """A JPEG whose longer side is at most `size_px`; pictures under READABLE_PX are enlarged smoothly to it.

    data : an image file Pillow can read
    returns : JPEG bytes, upright as its EXIF orientation says, transparency laid over white
    """
    picture = decode_image(data, size_px=(size_px, size_px))
    picture.thumbnail((size_px, size_px), resample=Image.Resampling.BICUBIC, reducing_gap=2.0)
    longest = max(picture.size)
    if longest < READABLE_PX:
        scale = READABLE_PX / longest
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


class Thumbnails:
    """The thumbnails of one project; safe to use from several threads.

    The file is a cache: it can be deleted while the app is stopped and is filled again as pictures are looked at.
    """

    def __init__(self, database: Path, read_image: Callable[[str], bytes]) -> None:
        self._database = database
        self._read_image = read_image
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(N_WORKERS, thread_name_prefix="thumbnails")
        database.parent.mkdir(parents=True, exist_ok=True)
        with self._writing() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_SCHEMA)

    def get(self, pictures: Sequence[Picture]) -> list[bytes]:
        """The JPEG bytes of each picture, in order; MISSING (empty) where the file cannot be read any more."""
        known = self._read({picture.key for picture in pictures})
        unknown = {picture.key: picture for picture in pictures if picture.key not in known}
        made = dict(zip(unknown, self._pool.map(self._make, unknown.values()), strict=True))
        self._write({key: jpeg for key, jpeg in made.items() if jpeg != MISSING})
        known |= made
        return [known[picture.key] for picture in pictures]

    def _make(self, picture: Picture) -> bytes:
        try:
            return make_thumbnail(self._read_image(picture.item_id))
        except (OSError, KeyError, WinnowError):
            return MISSING

    def _read(self, keys: set[str]) -> dict[str, bytes]:
        marks = ",".join("?" * len(keys))
        rows = self._connection().execute(
            f"SELECT key, jpeg FROM thumbnails WHERE key IN ({marks})", sorted(keys)
        )
        return dict(rows)

    def _write(self, made: dict[str, bytes]) -> None:
        if made:
            with self._writing() as connection:
                connection.executemany("INSERT OR IGNORE INTO thumbnails VALUES (?, ?)", made.items())

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = sqlite3.connect(self._database, timeout=10)
        connection: sqlite3.Connection = self._local.connection
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        with connection:
            yield connection
