"""What a check is and what it can say: five outcomes that are never mistaken for each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from diagnostics.checks.facts import TrainingFacts

Outcome = Literal["issue", "tip", "passed", "not applicable", "skipped"]
ISSUE: Final = "issue"
TIP: Final = "tip"
PASSED: Final = "passed"
NOT_APPLICABLE: Final = "not applicable"
SKIPPED: Final = "skipped"
OUTCOMES: tuple[Outcome, ...] = (ISSUE, TIP, PASSED, NOT_APPLICABLE, SKIPPED)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check found.

    outcome : "issue": the numbers of the run are worse, or less to be trusted, than they could be; "tip": worth
        knowing; "passed": looked at and fine; "not applicable": makes no sense for this run; "skipped": could not be
        looked at
    text : what was seen, with numbers; of the last two outcomes, why
    remedy : what to do; "" if nothing needs doing
    """

    outcome: Outcome
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that can be wrong with a training.

    why : why it matters, for a newcomer
    look : the check itself
    unless : checks whose issue explains what this one would see; it is not applicable then
    """

    code: str
    title: str
    why: str
    look: Callable[[TrainingFacts], Seen]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingFinding:
    """What one check says of one run: see `Seen` and `Check`."""

    code: str
    title: str
    outcome: Outcome
    seen: str
    why: str
    remedy: str
