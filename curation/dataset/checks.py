"""Check rows and items: are their fields usable, do labels look alike, does an image or a group occur twice?"""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from curation.dataset.duplicates import COPY_KINDS, EXACT, MIRRORED
from curation.dataset.findings import Finding
from curation.dataset.image_checks import Unusable
from curation.dataset.near_duplicates import PLAIN, Likeness
from curation.dataset.sources import SPLIT_OF_VALUE
from diagnostics.errors import ImageError
from diagnostics.image_files import check_relative
from diagnostics.task import SPLITS

MAX_NAMED = 5
PLAIN_PATH = r"(?!\.\.?(?:/|$))[\w.-][\w .()+=@,-]*(?:/(?!\.\.?(?:/|$))[\w.-][\w .()+=@,-]*)*"
LABELLED_SPLITS = ("train", "val", "test")

Row = Any  # a named tuple of RAW_COLUMNS, as DataFrame.itertuples gives it


def check_fields(rows: pd.DataFrame, classes: tuple[str, ...] | None) -> tuple[pd.DataFrame, list[Finding]]:
    """Set aside rows whose fields cannot be used; give the others a unique id and a split ("" = to be decided).

    rows : RAW_COLUMNS; classes : the labels that may occur, None = any
    returns : the sound rows, with the index they have in `rows`, and all findings
    """
    sound = rows.assign(split=_split_of_value(rows), item_id=_asked_id(rows))
    odd = _may_be_odd(rows, sound, classes)
    kept, findings = _check_one_by_one(rows[odd], classes)
    sound.loc[kept.index, ["split", "item_id"]] = kept
    return sound[~odd | sound.index.isin(kept.index)], findings


def _check_one_by_one(
    rows: pd.DataFrame, classes: tuple[str, ...] | None
) -> tuple[pd.DataFrame, list[Finding]]:
    """The split and the item_id of each sound row, by its index in `rows`, and all findings."""
    findings: list[Finding] = []
    kept: dict[int, tuple[str, str]] = {}
    seen: dict[str, tuple[Row, str]] = {}
    for position, row in zip(rows.index, rows.astype(object).itertuples(index=False), strict=True):
        split = _split_of_row(row)
        item_id = _unique_id(row, split, seen)
        problem = _field_problem(row, split, classes) or _id_problem(item_id, seen)
        if problem is not None:
            findings.append(_finding(problem.code, problem.message, row, item_id))
            if problem.code == "duplicate_id":
                findings += _clashes(row, split, *seen[item_id])
            continue
        if not row.item_id and item_id != row.path:
            message = f"Another source has a file of this path, so that its id is {item_id!r}."
            findings.append(_finding("renamed_id", message, row, item_id))
        findings += _label_notes(row, split, item_id)
        seen[item_id] = row, split
        kept[position] = split, item_id
    return pd.DataFrame.from_dict(kept, orient="index", columns=["split", "item_id"], dtype=object), findings


def _may_be_odd(rows: pd.DataFrame, read: pd.DataFrame, classes: tuple[str, ...] | None) -> pd.Series:
    """Which rows must be looked at one by one: all that may have a finding, and all that share an id with another.

    read : the rows with the split and the id that a row without oddities has
    """
    odd = (rows["label"] == "") | ~rows["path"].str.fullmatch(PLAIN_PATH)
    odd |= (rows["split"].str.strip() != "") & ~read["split"].isin(LABELLED_SPLITS)
    odd |= read["item_id"].duplicated(keep=False)
    if classes is not None:
        odd |= ~rows["label"].isin(classes)
    while True:
        renamed = {f"{split}/{item_id}" for split in SPLITS for item_id in read.loc[odd, "item_id"]}
        clashing = ~odd & read["item_id"].isin(renamed)
        if not clashing.any():
            return odd
        odd |= clashing


def _split_of_value(rows: pd.DataFrame) -> pd.Series:
    """The split that a labelled row's value names; "" where it names none that is known."""
    return rows["split"].str.strip().str.lower().map(SPLIT_OF_VALUE).fillna("")


def _asked_id(rows: pd.DataFrame) -> pd.Series:
    """The id column, else the path."""
    given = rows["item_id"].str.strip()
    return given.where(given != "", rows["path"])


def _split_of_row(row: Row) -> str:
    """A known split; "" where validation is still to be split off; "?" for a value nobody knows."""
    value = row.split.strip().lower()
    if value == "":
        return "" if row.label else "unlabelled"
    split = SPLIT_OF_VALUE.get(value, "?")
    return "unlabelled" if split == "train" and not row.label else split


def _label_notes(row: Row, split: str, item_id: str) -> list[Finding]:
    """What is said of a sound row whose label is empty, or is there and does not count."""
    if split != "unlabelled" or row.source_role == "unlabelled":
        return []
    if row.label:
        message = f"Its split is unlabelled, so that its label {row.label!r} is not used."
        return [_finding("unused_label", message, row, item_id)]
    if SPLIT_OF_VALUE.get(row.split.strip().lower()) == "unlabelled":
        return []
    return [_finding("empty_label", "The label is empty: the item is unlabelled.", row, item_id)]


def _unique_id(row: Row, split: str, seen: dict[str, tuple[Row, str]]) -> str:
    """The id column, else the path; a path that another root has, too, is told apart by its split."""
    item_id = str(row.item_id).strip() or str(row.path)
    if item_id not in seen or row.item_id or seen[item_id][0].root == row.root:
        return item_id
    return f"{split or 'train'}/{item_id}"


def _id_problem(item_id: str, seen: dict[str, tuple[Row, str]]) -> Unusable | None:
    if item_id not in seen:
        return None
    message = f"The id {item_id!r} occurs before, in {_place(seen[item_id][0])}; that one is kept."
    return Unusable("duplicate_id", message)


def _clashes(row: Row, split: str, first: Row, first_split: str) -> list[Finding]:
    """What two rows of one file say differently; the later one is set aside, but the person must know."""
    if (row.root, row.path) != (first.root, first.path):
        return []
    findings = []
    if row.label and first.label and row.label != first.label:
        message = f"The same file has the label {first.label!r} in {_place(first)}, and {row.label!r} here."
        findings.append(_finding("conflicting_labels", message, row))
    if _leaks({split or "train", first_split or "train"}):
        message = (
            f"The same file is in {first_split or 'train'} ({_place(first)}), and in {split or 'train'} here."
        )
        findings.append(_finding("leak", message, row))
    return findings


def _place(row: Row) -> str:
    return f"{row.source}, row {row.row}" if row.row else str(row.source)


def _field_problem(row: Row, split: str, classes: tuple[str, ...] | None) -> Unusable | None:
    if not row.path.strip():
        return Unusable("empty_path", "The path is empty.")
    try:
        check_relative(row.path)
    except ImageError as error:
        return Unusable(error.code, str(error))
    if split == "?":
        return Unusable("unknown_split", f"{row.split!r} is none of {', '.join(SPLIT_OF_VALUE)}.")
    if split in ("val", "test") and not row.label:
        return Unusable("label_missing", f"An item of the {split} set has no label.")
    if classes is not None and row.label and split != "unlabelled" and row.label not in classes:
        near = difflib.get_close_matches(row.label, classes, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return Unusable("unknown_class", f"{row.label!r} is none of the {len(classes)} classes.{hint}")
    return None


def _finding(code: str, message: str, row: Row, item_id: str = "") -> Finding:
    return Finding(code, message, row.source, row.row, row.path, item_id)


def check_labels(items: pd.DataFrame, classes: Sequence[str]) -> list[Finding]:
    """Classes that are too small, and labels that differ only in case or blanks."""
    counts = Counter(items.loc[items["split"].isin(["train", "val"]), "given_label"].dropna())
    findings = [
        Finding(
            "small_class", f"Class {label!r} has {_items(counts[label])} in train and validation together."
        )
        for label in sorted(classes)
        if counts[label] < 2
    ]
    all_counts = Counter(items["given_label"].dropna())
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in sorted(all_counts):
        spellings["".join(label.split()).casefold()].append(label)
    for labels in spellings.values():
        if len(labels) > 1:
            listed = ", ".join(f"{label!r} ({_items(all_counts[label])})" for label in labels)
            findings.append(Finding("similar_labels", f"{listed} are taken as different classes."))
    return findings


def _items(n: int) -> str:
    return "1 item" if n == 1 else f"{n} items"


def check_copies(items: pd.DataFrame) -> list[Finding]:
    """Images that occur more than once: in two splits, with two labels, or just twice."""
    findings = []
    copies = items[items["content_hash"].duplicated(keep=False)]
    for _, group in copies.groupby("content_hash", sort=False):
        first = group.iloc[0]
        named = ", ".join(f"{row.path} ({row.split})" for row in group.head(MAX_NAMED).itertuples())
        more = f" and {len(group) - MAX_NAMED} more" if len(group) > MAX_NAMED else ""
        labels = sorted(set(group["given_label"].dropna()))
        where = (first["source"], int(first["source_row"]), first["path"], first["item_id"])
        if _leaks(set(group["split"]) - {"unlabelled"}):
            findings.append(Finding("leak", f"The same image is in several splits: {named}{more}.", *where))
        if len(labels) > 1:
            message = f"The same image has the labels {', '.join(map(repr, labels))}: {named}{more}."
            findings.append(Finding("conflicting_labels", message, *where))
        elif not _leaks(set(group["split"])):
            findings.append(
                Finding(
                    "duplicate_image", f"The same image occurs {len(group)} times: {named}{more}.", *where
                )
            )
    return findings


def check_leaks(items: pd.DataFrame, leaks: pd.DataFrame) -> list[Finding]:
    """Nearly the same image in two splits of which one is held out, and unlabelled copies of held-out items.

    leaks : LEAK_COLUMNS; equal files in labelled splits are left to `check_copies`
    """
    unlabelled = leaks["split"] == "unlabelled"
    told = leaks[leaks["kind"].isin(COPY_KINDS) & (unlabelled | (leaks["kind"] != EXACT))]
    by_id = items.set_index("item_id")
    findings = []
    rows: Iterable[Row] = told.itertuples(index=False)
    for row in rows:
        item, other = by_id.loc[row.item_id], by_id.loc[row.other_id]
        pair = f"{item['path']} ({row.split}) and {other['path']} ({row.other_split})"
        code = "unlabelled_copy" if row.split == "unlabelled" else "near_leak"
        same = (
            "are the same image."
            if row.kind == EXACT
            else f"are {_nearly(row.likeness, row.kind == MIRRORED)}."
        )
        findings.append(Finding(code, f"{pair} {same}", *_where(item), row.item_id))
    return findings


def check_likeness(items: pd.DataFrame, likeness: Likeness) -> list[Finding]:
    """Images that are nearly the same within a split, how many say nothing, and whether there were too many pairs."""
    findings = []
    n_plain = int((likeness.look == PLAIN).sum())
    if n_plain:
        message = (
            f"{_items(n_plain)} {'is' if n_plain == 1 else 'are'} of one shade almost throughout, so that nearly the "
            "same images cannot be told among them."
        )
        findings.append(Finding("plain_image", message))
    if not likeness.complete:
        message = (
            f"There are more than {len(likeness.first):,} pairs of nearly the same images, as among the frames of a "
            "film; not all of them were looked at."
        )
        findings.append(Finding("many_alike", message))
    first_row = pd.Series(np.arange(len(items)), index=likeness.look).groupby(level=0).first()
    pairs = zip(
        first_row.reindex(likeness.first), first_row.reindex(likeness.second), likeness.cosine.tolist(),
        likeness.mirrored.tolist(), strict=True,
    )  # fmt: skip
    for first, second, cosine, mirrored in pairs:
        findings += _near_pair(items.iloc[first], items.iloc[second], _nearly(cosine, mirrored))
    looks = items.assign(look=likeness.look).drop_duplicates(["look", "content_hash"])
    looks = looks[(looks["look"] != PLAIN) & looks["look"].duplicated(keep=False)]
    for _, alike in looks.groupby("look", sort=False):
        for position in range(1, len(alike)):
            findings += _near_pair(alike.iloc[0], alike.iloc[position], _nearly(1.0, mirrored=False))
    return findings


def _near_pair(first: "pd.Series[Any]", second: "pd.Series[Any]", nearly: str) -> list[Finding]:
    """Nothing where it is a leak."""
    if _leaks({first["split"], second["split"]}):
        return []
    labels = sorted({first["given_label"], second["given_label"]} - {None}, key=str)
    pair = f"{first['path']} ({first['split']}) and {second['path']} ({second['split']}) are {nearly}"
    if len(labels) > 1:
        message = f"{pair} and have the labels {', '.join(map(repr, labels))}."
        return [Finding("near_conflict", message, *_where(first), first["item_id"])]
    return [Finding("near_duplicate", f"{pair}.", *_where(first), first["item_id"])]


def check_groups(items: pd.DataFrame) -> list[Finding]:
    """Groups that are in several splits of which one is held out, and sources with items that are of no group."""
    findings = []
    for source, no_group in items.assign(no_group=items["group"].isna()).groupby("source", sort=False)[
        "no_group"
    ]:
        if no_group.any():
            message = (
                f"{int(no_group.sum())} of {_items(len(no_group))} of {source} say no group; "
                "each is a group of its own."
            )
            findings.append(Finding("no_group", message, str(source)))
    held_out = items["split"].isin(["val", "test"])
    mixed = items[items["group"].isin(items.loc[held_out, "group"].dropna())]
    for group, members in mixed.groupby("group", sort=True):
        counts = members["split"].value_counts().reindex(SPLITS).dropna().astype(int)
        if _leaks(set(counts.index)):
            spread = ", ".join(f"{split} ({_items(n)})" for split, n in counts.items())
            findings.append(
                Finding("group_leak", f"Group {group!r} is in {spread}.", *_where(members.iloc[0]))
            )
    return findings


def _nearly(likeness: float, mirrored: bool) -> str:
    return f"nearly the same image (alike to {likeness:.3f}{', one mirrored' if mirrored else ''})"


def _where(item: "pd.Series[Any]") -> tuple[str, int, str]:
    return item["source"], int(item["source_row"]), item["path"]


def _leaks(splits: set[str]) -> bool:
    """Held-out items must not occur anywhere else."""
    return len(splits) > 1 and bool(splits & {"val", "test"})
