"""Folders of files derived from others: built once, moved into place whole, and named after what they came from."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pyarrow as pa

DIGEST_BYTES = 8


def derived_folder(
    parent: Path, name: str, source: Mapping[str, object], build: Callable[[Path], None]
) -> Path:
    """The folder `name`-… in `parent` that `build` has filled from this source, now or before, here or elsewhere.

    source : what names the source and the format, JSON-able; another one is another folder, and older ones are removed
    build : fills an empty folder that it is given
    """
    target = parent / f"{name}-{_digest(source)}"
    if target.is_dir():
        return target
    beside = parent / f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.partial"
    try:
        beside.mkdir(parents=True)
        build(beside)
        pa.default_memory_pool().release_unused()  # what was read to build it is not held for later
        move_unless_there(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    _remove_others(parent, name, target)
    return target


def stamp_of(path: Path) -> list[int]:
    """What changes when a file is written anew: its size and its time."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def move_unless_there(beside: Path, target: Path) -> None:
    """Move a folder into place; if another process has put the same there in the meantime, that one stays."""
    try:
        beside.replace(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(beside)


def _digest(source: Mapping[str, object]) -> str:
    text = json.dumps(source, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _remove_others(parent: Path, name: str, target: Path) -> None:
    """Remove what was derived from an older source, and what a process that has ended left half built."""
    n_hex = 2 * DIGEST_BYTES
    for folder in parent.glob(f"{name}-" + "?" * n_hex):
        if folder != target:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in parent.glob(f".{name}-" + "?" * n_hex + ".*.*.partial"):
        if not psutil.pid_exists(int(folder.name.split(".")[-3])):
            shutil.rmtree(folder, ignore_errors=True)
