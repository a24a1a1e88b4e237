"""Decode every image once, on all cores, and say why one cannot be used. Workers load this module alone: no pandas."""

import multiprocessing
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from diagnostics.errors import ImageError
from diagnostics.image_files import ImageFacts, ImageRoot, inspect_image
from diagnostics.progress import Progress, ProgressCallback

INLINE_BELOW = 500
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why one file or row cannot be used; `code` names the finding."""

    code: str
    message: str


Looked = ImageFacts | Unusable


def look_at_images(
    paths: Sequence[str],
    root_numbers: Sequence[int],
    roots: Sequence[ImageRoot],
    on_progress: ProgressCallback,
) -> list[Looked]:
    """Decode every image completely, on all cores; what each one is, or why it cannot be used; (n_items,)."""
    tasks = [
        (
            tuple(roots),
            list(zip(root_numbers[start : start + CHUNK], paths[start : start + CHUNK], strict=True)),
        )
        for start in range(0, len(paths), CHUNK)
    ]
    looked: list[Looked] = []
    for part in _mapped(tasks, inline=len(paths) < INLINE_BELOW):
        looked += part
        on_progress(Progress("checking images", len(looked), len(paths)))
    return looked


Task = tuple[tuple[ImageRoot, ...], list[tuple[int, str]]]


def _mapped(tasks: list[Task], *, inline: bool) -> Iterator[list[Looked]]:
    if inline:
        with warnings.catch_warnings():
            _ignore_warnings()
            yield from map(_look_at_chunk, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_n_cores(), mp_context=context, initializer=_ignore_warnings) as pool:
        yield from pool.map(_look_at_chunk, tasks)


def _look_at_chunk(task: Task) -> list[Looked]:
    roots, files = task
    return [_look_at(roots[root], path) for root, path in files]


def _look_at(root: ImageRoot, path: str) -> Looked:
    try:
        return inspect_image(root.read(path))
    except ImageError as error:
        return Unusable(error.code, str(error))


def _ignore_warnings() -> None:
    """Pillow warns of odd metadata; whether an image is usable is told by decoding it."""
    warnings.simplefilter("ignore")


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
