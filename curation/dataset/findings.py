"""What is wrong with a dataset, one finding a row: where, what, and what to do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

SET_ASIDE, WARNING, NOTE = SEVERITIES = ("set aside", "warning", "note")


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of finding. severity : "set aside" (the item is not in the project), "warning" or "note"."""

    severity: str
    title: str
    remedy: str


COMMON: dict[str, Check] = {
    "missing_file": Check(SET_ASIDE, "Files that are not there", "Put the file there or remove the row."),
    "unsafe_path": Check(
        SET_ASIDE,
        "Paths that are absolute or leave the data folder",
        "Make the path relative to the {nouns}.",
    ),
    "unreadable_file": Check(SET_ASIDE, "Files that cannot be read", "Check the file and its permissions."),
    "duplicate_id": Check(SET_ASIDE, "Ids that occur more than once", "Give every row an id of its own."),
    "ragged_row": Check(
        SET_ASIDE, "Rows with too many or too few fields", "Quote fields that hold the delimiter."
    ),
    "unreadable_row": Check(SET_ASIDE, "Lines that are no JSON", "Write one JSON object a line, in UTF-8."),
    "empty_path": Check(SET_ASIDE, "Rows without a path", "Fill in the path or remove the row."),
    "stray_file": Check(
        SET_ASIDE, "{Nouns} outside the class folders", "Move it into the folder of its class."
    ),
    "no_label_in_name": Check(
        SET_ASIDE, "File names the pattern does not match", "Correct --label-from-name."
    ),
    "unknown_split": Check(
        SET_ASIDE, "Splits that are none of the known ones", "Use train, val, test or unlabelled."
    ),
    "unknown_class": Check(
        SET_ASIDE, "Labels that are none of the given classes", "Correct the label or add the class."
    ),
    "label_missing": Check(
        SET_ASIDE,
        "Validation or test items without a label",
        "Label the item or move it to the unlabelled ones.",
    ),
    "excluded": Check(
        SET_ASIDE, "Items excluded in an earlier project", "Nothing to do, unless it should come back."
    ),
    "small_class": Check(
        WARNING, "Classes with fewer than 2 items", "Add examples, or merge the class into another."
    ),
    "similar_labels": Check(
        WARNING,
        "Labels that differ only in case or blanks",
        "If they mean the same, merge them: Edit classes on page Data, or "
        "winnow classes PROJECT --merge OLD INTO.",
    ),
    "conflicting_labels": Check(
        WARNING,
        "One {noun} several times with different labels",
        "Review these items: at most one label is right.",
    ),
    "leak": Check(
        WARNING,
        "One {noun} in train and in validation or test",
        "See Leaks between splits: leave the training copies out of training.",
    ),
    "group_leak": Check(
        WARNING,
        "Groups in several splits",
        "Split the data so that each group is in one split, or leave their training items out of training.",
    ),
    "no_group": Check(
        WARNING, "Items without a group", "Fill in the group column: a leak by these items goes unseen."
    ),
    "duplicate_item": Check(
        NOTE, "One {noun} several times with one label", "Keep one of them, if it is no intention."
    ),
    "unlabelled_copy": Check(
        NOTE,
        "Unlabelled copies of validation or test items",
        "Nothing to do: Winnow refuses to add them to the training set.",
    ),
    "empty_label": Check(NOTE, "Rows without a label", "They count as unlabelled items."),
    "unused_label": Check(
        NOTE, "Labels of unlabelled items", "Write train as its split if the label is to be used."
    ),
    "renamed_id": Check(
        NOTE, "Ids made unique by their split", "Give the items ids of their own in an id column."
    ),
}
NEAR_COPIES: dict[str, Check] = {
    "near_leak": Check(
        WARNING,
        "Nearly one {noun} in train and in validation or test",
        "See Leaks between splits: leave the training copies out of training.",
    ),
    "near_conflict": Check(
        WARNING,
        "Nearly one {noun} with different labels",
        "Review these items: at most one label is right.",
    ),
    "many_alike": Check(
        WARNING,
        "Too many nearly equal {nouns}",
        "Say what belongs together with --group-column, such as the film that a frame is from.",
    ),
    "near_duplicate": Check(
        NOTE,
        "Nearly one {noun} several times",
        "Nothing to do: they share a fold. Keep one of them, if it is no intention.",
    ),
}
RENAMED = {"duplicate_image": "duplicate_item"}  # codes of an older Winnow


def checks_in_words_of(noun: str, nouns: str, *kinds: Mapping[str, Check]) -> dict[str, Check]:
    """COMMON checks and further ones, the gravest first, in the words for one item and for many."""
    words = {"noun": noun, "nouns": nouns, "Nouns": nouns.capitalize()}
    checks = {code: check for kind in (*kinds, COMMON) for code, check in kind.items()}
    told = {
        code: Check(check.severity, check.title.format(**words), check.remedy.format(**words))
        for code, check in checks.items()
    }
    return checks_of(told)


def checks_of(*kinds: Mapping[str, Check]) -> dict[str, Check]:
    """All these checks, the gravest first."""
    checks = {code: check for kind in kinds for code, check in kind.items()}
    return dict(sorted(checks.items(), key=lambda entry: SEVERITIES.index(entry[1].severity)))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. source, row : the file and its row (header = 1; 0 where there are no rows)."""

    code: str
    message: str
    source: str = ""
    row: int = 0
    path: str = ""
    item_id: str = ""


FINDING_COLUMNS = ("code", "severity", "source", "row", "path", "item_id", "message", "remedy")


def findings_table(findings: list[Finding], checks: Mapping[str, Check]) -> pd.DataFrame:
    """All findings, the gravest kind first, columns FINDING_COLUMNS. checks : all that can have found something"""
    rows = [
        asdict(finding) | {"severity": checks[finding.code].severity, "remedy": checks[finding.code].remedy}
        for finding in findings
    ]
    order = {code: number for number, code in enumerate(checks)}
    table = pd.DataFrame(rows, columns=list(FINDING_COLUMNS))
    return table.sort_values("code", key=lambda codes: codes.map(order), kind="stable", ignore_index=True)


def count_findings(table: pd.DataFrame, checks: Mapping[str, Check]) -> pd.DataFrame:
    """How often each check found something: code, title, severity, n, remedy; checks that found nothing have n = 0."""
    counts = table["code"].value_counts()
    return pd.DataFrame(
        {
            "code": code,
            "title": check.title,
            "severity": check.severity,
            "n": int(counts.get(code, 0)),
            "remedy": check.remedy,
        }
        for code, check in checks.items()
    )
