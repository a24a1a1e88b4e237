"""How the command line shows results: tables for people, one JSON document for programs, progress on stderr."""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from diagnostics.progress import Progress, ProgressCallback

WIDTH = 100
IN_SAMPLE_NOTE = ", IN SAMPLE: the model was trained on these items, so memorised errors look right"


def print_json(document: object) -> None:
    """One JSON document on stdout; numbers that are not defined become null."""
    sys.stdout.write(json.dumps(plain(document), indent=2, allow_nan=False) + "\n")


def plain(value: object) -> Any:
    """The same value as JSON types: dataclasses and frames as objects, times as ISO 8601, NaN as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return [plain(record) for record in value.to_dict("records")]
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(entry) for entry in value]
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if value is None or str(value) in {"<NA>", "NaT"}:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value


def print_table(title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, object]]) -> None:
    """A table for people. `columns` maps a heading to a justification, "left" or "right"."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False)
    for heading, justify in columns.items():
        table.add_column(Text(heading), justify="right" if justify == "right" else "left")
    for row in rows:
        table.add_row(*(Text(str(row[heading])) for heading in columns))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def print_wide_table(
    title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, object]], *, n_keys: int
) -> None:
    """A table for people in parts, one below the other, that are no wider than the screen or 100 characters.

    columns : as for `print_table`; the first n_keys say which row it is and stand in each part
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    keys = list(columns)[:n_keys]
    for number, part in enumerate(_parts_that_fit(columns, rows, keys, width)):
        shown = {name: columns[name] for name in (*keys, *part)}
        print_table(title if number == 0 else "", shown, rows)


def _parts_that_fit(
    columns: Mapping[str, str], rows: Sequence[Mapping[str, object]], keys: Sequence[str], width: int
) -> list[list[str]]:
    """The other columns in order, in parts that are no wider than the screen together with the keys."""
    wide = {
        name: 2 + max(len(text) for text in (*name.splitlines(), *(str(row[name]) for row in rows)))
        for name in columns
    }
    room = width - sum(wide[name] for name in keys)
    parts: list[list[str]] = [[]]
    for name in columns:
        if name in keys:
            continue
        if parts[-1] and sum(wide[each] for each in parts[-1]) + wide[name] > room:
            parts.append([])
        parts[-1].append(name)
    return parts


def print_line(text: str = "") -> None:
    """One line for people on stdout."""
    sys.stdout.write(text + "\n")


def print_note(text: str) -> None:
    """One line for people on stderr, out of the way of what a program reads."""
    sys.stderr.write(text + "\n")


def with_interval(value: float, low: float, high: float) -> str:
    """A share as per cent with its 95 % interval, or a dash where it is not defined.

    >>> with_interval(0.5, 0.25, 0.75)
    '50.0 % (25.0–75.0)'
    """
    return "–" if value != value else f"{share(value)} ({100 * low:.1f}–{100 * high:.1f})"


def share(value: float) -> str:
    """A share as per cent, or a dash where it is not defined."""
    return "–" if value != value else f"{100 * value:.1f} %"


def difference_with_interval(value: float, low: float, high: float) -> str:
    """A difference of two shares in percentage points with its 95 % interval, or a dash where it is not defined.

    >>> difference_with_interval(0.043, 0.012, 0.074)
    '+4.3 (+1.2 to +7.4)'
    """
    value, low, high = (round(100 * number, 1) + 0.0 for number in (value, low, high))
    return "–" if value != value else f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[ProgressCallback]:
    """A callback that draws progress with the time left on stderr: a bar on a terminal, else a line now and then."""
    if quiet or not sys.stderr.isatty():
        yield _line_every(seconds=None if quiet else 10.0)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def show(progress: Progress) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = bar.add_task(progress.stage, total=progress.total, detail="")
            bar.update(
                tasks[progress.stage],
                completed=progress.done,
                total=progress.total,
                detail=_detail(progress),
            )

        yield show


def _line_every(seconds: float | None) -> ProgressCallback:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if seconds is not None and time.monotonic() - last >= seconds:
            last = time.monotonic()
            print_note(f"{progress.stage} {progress.done}/{progress.total} {_detail(progress)}".rstrip())

    return show


def _detail(progress: Progress) -> str:
    shown = {
        "train_loss": "train loss",
        "valid_loss": "valid loss",
        "accuracy": "accuracy",
        "items_per_s": "items/s",
    }
    numbers = [
        f"{title} {progress.metrics[key]:.3g}" for key, title in shown.items() if key in progress.metrics
    ]
    left = progress.metrics.get("seconds_left")
    if left is not None:
        numbers.append(f"{left:.0f} s left")
    return " · ".join([progress.detail, *numbers]).strip(" ·")
