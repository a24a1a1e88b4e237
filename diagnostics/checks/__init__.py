"""The training doctor: coded checks of a finished run, from its curves, its splits and how it was measured.

A check is a pure function of `facts.TrainingFacts`; this is the registry of all of them.
"""

from diagnostics.checks import curves, splits, trust
from diagnostics.checks.facts import TrainingFacts
from diagnostics.checks.finding import (
    ISSUE,
    NOT_APPLICABLE,
    OUTCOMES,
    PASSED,
    SKIPPED,
    TIP,
    Check,
    Outcome,
    Seen,
    TrainingFinding,
)

__all__ = [
    "CHECKS", "ISSUE", "NOT_APPLICABLE", "OUTCOMES", "PASSED", "SKIPPED", "TIP",
    "Check", "Outcome", "TrainingFacts", "TrainingFinding", "check_training",
]  # fmt: skip

CHECKS: tuple[Check, ...] = (*curves.CHECKS, *splits.CHECKS, *trust.CHECKS)


def check_training(facts: TrainingFacts) -> list[TrainingFinding]:
    """What every check says of a run, in the order of OUTCOMES (issues first), then of their codes."""
    found: dict[str, TrainingFinding] = {}
    for check in CHECKS:
        seen = _looked(check, facts, found)
        found[check.code] = TrainingFinding(
            check.code, check.title, seen.outcome, seen.text, check.why, seen.remedy
        )
    return sorted(found.values(), key=lambda finding: OUTCOMES.index(finding.outcome))


def _looked(check: Check, facts: TrainingFacts, found: dict[str, TrainingFinding]) -> Seen:
    for code in check.unless:
        if found[code].outcome == ISSUE:
            return Seen(
                NOT_APPLICABLE,
                f"{found[code].title} ({code}) explains what would be seen here: cure that first.",
            )
    return check.look(facts)
