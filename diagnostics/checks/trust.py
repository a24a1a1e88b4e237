"""Checks of what the numbers stand on: leaks into validation and test, and how the gold test set was used."""

from diagnostics.checks.facts import TrainingFacts
from diagnostics.checks.finding import ISSUE, NOT_APPLICABLE, PASSED, SKIPPED, TIP, Check, Seen

OFTEN, TOO_OFTEN = 10, 20
ENOUGH_RUNS = 4


def exact_leaks(facts: TrainingFacts) -> Seen:
    """Training items that are validation or test items, too."""
    return _leaks(facts, facts.n_exact_leaks, "the same as a validation or test item", "Exact duplicates")


def near_leaks(facts: TrainingFacts) -> Seen:
    """Training items that are nearly a validation or test item, or belong together with one."""
    what = "nearly the same as a validation or test item, or of one group with it"
    return _leaks(facts, facts.n_near_leaks, what, "Near duplicates")


def _leaks(facts: TrainingFacts, n: int | None, what: str, kind: str) -> Seen:
    if not facts.n_items["val"] + facts.n_items["test"]:
        return Seen(NOT_APPLICABLE, "There are neither validation nor test items.")
    if n is None:
        return Seen(SKIPPED, f"{kind} were not looked for when the data were taken in.")
    n_train = facts.n_items["train"]
    if n == 0:
        return Seen(PASSED, f"None of {n_train:,} training items is {what}.")
    return Seen(
        ISSUE,
        f"{n:,} of {n_train:,} training items {'is' if n == 1 else 'are'} {what}.",
        "Page Data shows them in pairs and leaves them out of training (winnow leaks PROJECT --exclude).",
    )


def never_tested(facts: TrainingFacts) -> Seen:
    """There are several runs, and nobody has held them against the gold test set."""
    if not facts.n_items["test"]:
        return Seen(
            TIP,
            "There is no test set. Validation is looked at in every round, so that it is slowly fitted, too.",
            "Give a gold test set (winnow init --test), however small, and look at it seldom.",
        )
    if facts.looks.n:
        return Seen(PASSED, f"Test was looked at {_times(facts.looks.n)}.")
    if facts.n_full_runs < ENOUGH_RUNS:
        return Seen(
            PASSED,
            f"Nobody has looked at the test set yet, which is as it should be with {facts.n_full_runs} full "
            "runs.",
        )
    return Seen(
        ISSUE,
        f"There are {facts.n_full_runs} full runs, all judged by the validation set alone; nobody has looked "
        "at the test set yet.",
        "Look at it once: page Rounds, validation against test, says whether the two move together.",
    )


def tested_too_often(facts: TrainingFacts) -> Seen:
    """Results on the test set were looked at so often that choosing by it is likely."""
    if not facts.n_items["test"]:
        return Seen(NOT_APPLICABLE, "There is no test set.")
    looks = facts.looks
    people = "1 person" if looks.n_people == 1 else f"{looks.n_people} people"
    runs = "1 run" if looks.n_runs == 1 else f"{looks.n_runs} runs"
    seen = f"Results on the test set were looked at {_times(looks.n)}, by {people}, of {runs}"
    if looks.n < OFTEN:
        return Seen(PASSED, f"{seen}." if looks.n else "Nobody has looked at the test set yet.")
    return Seen(
        ISSUE if looks.n >= TOO_OFTEN else TIP,
        f"{seen}.",
        "Decide by validation from now on, and look at test once, at the end. If decisions were already "
        "made by it, collect a new test set.",
    )


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


CHECKS = (
    Check(
        "WD011",
        "Leaks: exact duplicates",
        "A model that has learnt an item by heart gets it right in validation, too: the numbers are better "
        "than the model.",
        exact_leaks,
    ),
    Check(
        "WD012",
        "Leaks: near duplicates",
        "Near copies on both sides, such as two pictures of one scene, are as good as one item there: the numbers are "
        "better than the model.",
        near_leaks,
    ),
    Check(
        "WD013",
        "Test set missing or never used",
        "Only items that nothing was chosen by tell whether the gains on validation are real.",
        never_tested,
    ),
    Check(
        "WD014",
        "Test set used too often",
        "Whoever picks the run that does best on test fits the test set by choosing: it becomes a second "
        "validation set, and its numbers too good.",
        tested_too_often,
    ),
)
