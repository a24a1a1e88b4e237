"""Decode every image once, on all cores, and say why one cannot be used. Workers load this module alone: no pandas."""

import multiprocessing
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from diagnostics.chunks import n_cores
from diagnostics.errors import ImageError
from diagnostics.image_files import ImageRoot, inspect_image
from diagnostics.progress import Progress, ProgressCallback

INLINE_BELOW = 500
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why one file or row cannot be used; `code` names the finding."""

    code: str
    message: str


@dataclass(slots=True)
class Looked:
    """What a look at files told. In columns: a tuple a file costs more to send between processes than to fill.

    width, height, content_hash : of the files that can be used, in order; as `inspect_image` tells them
    thumbnails : theirs, one behind the other
    unusable : why the others cannot be, by their position among all files
    """

    width: list[int] = field(default_factory=list)
    height: list[int] = field(default_factory=list)
    content_hash: list[str] = field(default_factory=list)
    thumbnails: bytearray = field(default_factory=bytearray)
    unusable: dict[int, Unusable] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.width) + len(self.unusable)

    def append(self, looked: "Looked") -> None:
        """Take over what was told of the files that come next."""
        n_before = len(self)
        self.width += looked.width
        self.height += looked.height
        self.content_hash += looked.content_hash
        self.thumbnails += looked.thumbnails
        self.unusable |= {n_before + position: problem for position, problem in looked.unusable.items()}


@contextmanager
def looking_at_images(
    paths: Sequence[str],
    root_numbers: Sequence[int],
    roots: Sequence[ImageRoot],
    on_progress: ProgressCallback,
) -> Iterator[Callable[[], Looked]]:
    """Begin to decode every image completely, on all cores; the function that is given waits until all are."""
    tasks = [
        (
            tuple(roots),
            list(zip(root_numbers[start : start + CHUNK], paths[start : start + CHUNK], strict=True)),
        )
        for start in range(0, len(paths), CHUNK)
    ]

    def put_together(parts: Iterable[Looked]) -> Looked:
        looked = Looked()
        for part in parts:
            looked.append(part)
            on_progress(Progress("checking images", len(looked), len(paths)))
        return looked

    if len(paths) < INLINE_BELOW:
        with warnings.catch_warnings():
            _ignore_warnings()
            yield lambda: put_together(map(_look_at_chunk, tasks))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_cores(), mp_context=context, initializer=_ignore_warnings) as pool:
        parts = pool.map(_look_at_chunk, tasks)
        try:
            yield lambda: put_together(parts)
        finally:
            pool.shutdown(cancel_futures=True)


Task = tuple[tuple[ImageRoot, ...], list[tuple[int, str]]]


def _look_at_chunk(task: Task) -> Looked:
    roots, files = task
    looked = Looked()
    for position, (root, path) in enumerate(files):
        try:
            facts = inspect_image(roots[root].read(path))
        except ImageError as error:
            looked.unusable[position] = Unusable(error.code, str(error))
            continue
        looked.width.append(facts.width)
        looked.height.append(facts.height)
        looked.content_hash.append(facts.content_hash)
        looked.thumbnails += facts.thumbnail
    return looked


def _ignore_warnings() -> None:
    """Pillow warns of odd metadata; whether an image is usable is told by decoding it."""
    warnings.simplefilter("ignore")
