"""What the scripts that make the samples have in common: their command line and how they write tables."""

import argparse
import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

PREFIXES = {"train": "tr", "valid": "va", "test": "te", "unlabelled": "un"}


def write_from_command_line(write: Callable[[Path], None], *, description: str) -> None:
    """Read which folder to write to, and write it. write : takes a folder that does not exist yet"""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; must not exist")
    write(parser.parse_args().out)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with lines that end alike everywhere."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
