"""Checks of what is trained on and what it is measured by: sizes, missing classes, imbalance."""

from collections.abc import Iterable

import numpy as np
from scipy.stats import norm

from diagnostics.checks.facts import TrainingFacts
from diagnostics.checks.finding import ISSUE, NOT_APPLICABLE, PASSED, SKIPPED, TIP, Check, Seen
from diagnostics.metrics import CONFIDENCE, MIN_SUPPORT, difference_of_proportions, proportion

WIDE, RATHER_WIDE = 0.05, 0.02
IMBALANCED = 10.0
MAX_NAMED = 5


def validation_too_small(facts: TrainingFacts) -> Seen:
    """The interval of the share of right labels is wider than the differences that one looks for."""
    n = facts.n_items["val"]
    if n == 0:
        return Seen(
            ISSUE,
            "There is no labelled validation item, so no number says how good the model is on items it was "
            "not made for.",
            "Give a validation set (winnow init --val), or let one be drawn (--val-fraction).",
        )
    accuracy = facts.accuracy
    half = (accuracy.high - accuracy.low) / 2
    seen = (
        f"On {n:,} validation items the {facts.label_kind.words.whole} of {_percent(accuracy.value)} has a "
        f"95 % interval of ± {100 * half:.1f} points"
    )
    if half <= RATHER_WIDE:
        return Seen(PASSED, f"{seen}.")
    needed = items_for(accuracy.value, RATHER_WIDE)
    return Seen(
        ISSUE if half > WIDE else TIP,
        f"{seen}: a smaller change than that cannot be seen.",
        f"About {needed:,} items would give ± {100 * RATHER_WIDE:.0f} points. Predictions out of fold on the "
        "training items are many more: look at both.",
    )


def items_for(share: float, half_width: float) -> int:
    """How many items give a share an interval of ± half_width, to two digits: n = z² p (1 - p) / h².

    A share nearer to 0 or 1 than 5 % counts as 5 %: the formula would promise too much there.

    >>> items_for(0.9, 0.02)
    860
    """
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    p = min(max(share, 0.05), 0.95)
    n = z**2 * p * (1 - p) / half_width**2
    digits = 10 ** max(0, int(np.floor(np.log10(n))) - 1)
    return int(np.round(n / digits) * digits)


def missing_from_validation(facts: TrainingFacts) -> Seen:
    """Classes that are trained on and not measured."""
    if not facts.n_items["val"]:
        return Seen(NOT_APPLICABLE, "There is no validation set: see WD007.")
    trained = facts.counts[facts.counts["train"] > 0]
    missing, few = trained[trained["val"] == 0], trained[trained["val"].between(1, MIN_SUPPORT - 1)]
    remedy = "Make the project anew with a larger validation set: winnow init --val-fraction, or --val for your own."
    if len(missing):
        return Seen(
            ISSUE,
            f"{_classes(missing['label'])} without any validation item: neither recall nor F1 can be given, "
            "and macro F1 leaves them out.",
            remedy,
        )
    if len(few):
        return Seen(
            TIP,
            f"{_classes(few['label'])} with fewer than {MIN_SUPPORT} validation items: too few to judge.",
            remedy,
        )
    return Seen(PASSED, f"Each class has at least {int(trained['val'].min())} validation items.")


def missing_from_training(facts: TrainingFacts) -> Seen:
    """Classes that the model is measured by, or that are declared, and has never seen."""
    missing = facts.counts[facts.counts["train"] == 0]
    measured = missing[(missing["val"] > 0) | (missing["test"] > 0)]
    remedy = (
        "Label some items of it (Review, unlabelled items), add new ones, or merge it into another class."
    )
    if len(measured):
        n = int(measured[["val", "test"]].to_numpy().sum())
        return Seen(
            ISSUE,
            f"{_classes(measured['label'])} without any training item: the model can never predict it, and "
            f"all its {n:,} validation and test items count as mistakes.",
            remedy,
        )
    if len(missing):
        return Seen(TIP, f"{_classes(missing['label'])} without any item at all.", remedy)
    return Seen(
        PASSED, f"Each class has at least {int(facts.counts['train'].min())} labelled training items."
    )


def imbalance(facts: TrainingFacts) -> Seen:
    """Some classes have far fewer training items than the largest, and are recognised less often."""
    counts = facts.counts[facts.counts["train"] > 0]
    if counts.empty:
        return Seen(SKIPPED, "The run has no labelled training items.")
    largest = int(counts["train"].max())
    rare = counts[counts["train"] * IMBALANCED <= largest]
    ratio = f"The largest class has {largest:,} training items, the smallest {int(counts['train'].min()):,}"
    if rare.empty:
        return Seen(PASSED, f"{ratio}.")
    others = counts.drop(index=rare.index)
    named = f"{ratio}. {_classes(rare['label'])} with at most a tenth of the largest"
    remedy = (
        "Find more items of these classes (Performance says how), weight them more in training, or try a "
        "cap on the largest class."
    )
    recalls = [proportion(float(part["val_hits"].sum()), int(part["val"].sum())) for part in (rare, others)]
    worse = difference_of_proportions(*recalls)
    if worse.high < 0:
        return Seen(
            ISSUE,
            f"{named}: {_percent(recalls[0].value)} of their validation items are recognised, of the other "
            f"classes' {_percent(recalls[1].value)} (a difference of {-100 * worse.high:.0f} to "
            f"{-100 * worse.low:.0f} points).",
            remedy,
        )
    return Seen(TIP, f"{named}; that they are recognised less often cannot be told.", remedy)


def _classes(labels: Iterable[str]) -> str:
    names = [f"`{name}`" for name in labels]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    noun = "The class" if len(names) == 1 else f"{len(names)} classes:"
    return f"{noun} {', '.join(names[:MAX_NAMED])}{more}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


CHECKS = (
    Check(
        "WD007",
        "Validation set too small",
        "Every number measured on few items is uncertain: two trainings of the same data differ by more "
        "than what a week of labelling changes, and the best of several is picked by luck.",
        validation_too_small,
    ),
    Check(
        "WD008",
        "Classes with no or few validation items",
        "What is not measured cannot be seen to get better or worse.",
        missing_from_validation,
    ),
    Check(
        "WD009",
        "Classes missing from training",
        "A model only predicts classes that it has learnt from examples.",
        missing_from_training,
    ),
    Check(
        "WD010",
        "Imbalance",
        "A model that sees one class ten times as often guesses it when in doubt, at the cost of the rare "
        "ones.",
        imbalance,
    ),
)
