"""How far a long piece of work has come, as a value that a bar, a job row or a log line can show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps of `stage`; `metrics` are numbers worth showing, named with their unit."""

    stage: str
    done: int
    total: int
    detail: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


ProgressCallback = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """The callback for callers that do not watch."""
