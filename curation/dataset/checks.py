"""Check rows and items: are their fields usable, do labels look alike, does an item or a group occur twice?"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from curation.label_kinds.kind import LabelReader

MAX_NAMED = 5
PLAIN_PATH = r"(?!\.\.?(?:/|$))[\w.-][\w .()+=@,-]*(?:/(?!\.\.?(?:/|$))[\w.-][\w .()+=@,-]*)*"
LABELLED_SPLITS = ("train", "val", "test")

Row = Any  # a named tuple of RAW_COLUMNS, as DataFrame.itertuples gives it


def check_fields(
    rows: pd.DataFrame, labels: "LabelReader", *, needs_path: bool = True
) -> tuple[pd.DataFrame, list[Finding]]:
    """Set aside rows whose fields cannot be used; give the others a unique id and a split ("" = to be decided).

    rows : RAW_COLUMNS; labels : which labels can be used
    needs_path : whether a row without a path is set aside; if not, it has an id
    returns : the sound rows, with the index they have in `rows`, and all findings
    """
    sound = rows.assign(split=_split_of_value(rows), item_id=_asked_id(rows))
    odd = _may_be_odd(rows, sound, labels, needs_path)
    kept, findings = _check_one_by_one(rows[odd], labels, needs_path)
    sound.loc[kept.index, ["split", "item_id"]] = kept
    return sound[~odd | sound.index.isin(kept.index)], findings


def _check_one_by_one(
    rows: pd.DataFrame, labels: "LabelReader", needs_path: bool
) -> tuple[pd.DataFrame, list[Finding]]:
    """The split and the item_id of each sound row, by its index in `rows`, and all findings."""
    findings: list[Finding] = []
    kept: dict[int, tuple[str, str]] = {}
    seen: dict[str, tuple[Row, str]] = {}
    for position, row in zip(rows.index, rows.astype(object).itertuples(index=False), strict=True):
        split = _split_of_row(row)
        item_id = _unique_id(row, split, seen)
        problem = _field_problem(row, split, labels, needs_path) or _id_problem(item_id, seen)
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


def _may_be_odd(rows: pd.DataFrame, read: pd.DataFrame, labels: "LabelReader", needs_path: bool) -> pd.Series:
    """Which rows must be looked at one by one: all that may have a finding, and all that share an id with another.

    read : the rows with the split and the id that a row without oddities has
    """
    has_path = needs_path | (rows["path"] != "")
    odd = (rows["label"] == "") | (has_path & ~rows["path"].str.fullmatch(PLAIN_PATH))
    odd |= (rows["split"].str.strip() != "") & ~read["split"].isin(LABELLED_SPLITS)
    odd |= read["item_id"].duplicated(keep=False)
    odd |= labels.is_odd(rows["label"])
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
    if not row.path or (row.root, row.path) != (first.root, first.path):
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


def _field_problem(row: Row, split: str, labels: "LabelReader", needs_path: bool) -> Unusable | None:
    if needs_path and not row.path.strip():
        return Unusable("empty_path", "The path is empty.")
    try:
        check_relative(row.path or "no file")
    except ImageError as error:
        return Unusable(error.code, str(error))
    if split == "?":
        return Unusable("unknown_split", f"{row.split!r} is none of {', '.join(SPLIT_OF_VALUE)}.")
    if split in ("val", "test") and not row.label:
        return Unusable("label_missing", f"An item of the {split} set has no label.")
    return labels.problem(row.label) if row.label and split != "unlabelled" else None


def _finding(code: str, message: str, row: Row, item_id: str = "") -> Finding:
    return Finding(code, message, row.source, row.row, row.path, item_id)


def check_labels(
    items: pd.DataFrame, classes: Sequence[str], counted: Callable[[pd.Series], Mapping[str, int]]
) -> list[Finding]:
    """Classes that are too small, and labels that differ only in case or blanks.

    counted : (label texts) -> how many items have each class
    """
    counts = Counter(counted(items.loc[items["split"].isin(["train", "val"]), "given_label"]))
    findings = [
        Finding(
            "small_class", f"Class {label!r} has {_items(counts[label])} in train and validation together."
        )
        for label in sorted(classes)
        if counts[label] < 2
    ]
    all_counts = counted(items["given_label"])
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


def check_copies(items: pd.DataFrame, noun: str) -> list[Finding]:
    """Items that occur more than once: in two splits, with two labels, or just twice. noun : what one item is called"""
    findings = []
    items = items.assign(path=shown_names(items))
    copies = items[items["content_hash"].duplicated(keep=False)]
    for _, group in copies.groupby("content_hash", sort=False):
        first = group.iloc[0]
        named = ", ".join(f"{row.path} ({row.split})" for row in group.head(MAX_NAMED).itertuples())
        more = f" and {len(group) - MAX_NAMED} more" if len(group) > MAX_NAMED else ""
        labels = sorted(set(group["given_label"].dropna()))
        where = (first["source"], int(first["source_row"]), first["path"], first["item_id"])
        if _leaks(set(group["split"]) - {"unlabelled"}):
            findings.append(Finding("leak", f"The same {noun} is in several splits: {named}{more}.", *where))
        if len(labels) > 1:
            message = f"The same {noun} has the labels {', '.join(map(repr, labels))}: {named}{more}."
            findings.append(Finding("conflicting_labels", message, *where))
        elif not _leaks(set(group["split"])):
            findings.append(
                Finding(
                    "duplicate_item", f"The same {noun} occurs {len(group)} times: {named}{more}.", *where
                )
            )
    return findings


def check_leaks(items: pd.DataFrame, leaks: pd.DataFrame, noun: str) -> list[Finding]:
    """Nearly the same item in two splits of which one is held out, and unlabelled copies of held-out items.

    leaks : LEAK_COLUMNS; equal files in labelled splits are left to `check_copies`
    """
    unlabelled = leaks["split"] == "unlabelled"
    told = leaks[leaks["kind"].isin(COPY_KINDS) & (unlabelled | (leaks["kind"] != EXACT))]
    known = _Known(items, noun)
    row_of = {item_id: row for row, item_id in enumerate(known.item_id)}
    findings = []
    pairs: Iterable[Row] = told.itertuples(index=False)
    for pair in pairs:
        rows = [row_of[pair.item_id], row_of[pair.other_id]]
        nearly = known.nearly(pair.likeness, mirrored=pair.kind == MIRRORED)
        same = f"the same {noun}" if pair.kind == EXACT else nearly
        code = "unlabelled_copy" if pair.split == "unlabelled" else "near_leak"
        findings.append(known.finding(code, f"{known.named(rows)} are {same}.", rows[0]))
    return findings


def check_likeness(items: pd.DataFrame, likeness: Likeness, noun: str, nouns: str) -> list[Finding]:
    """Items that are nearly the same within a split, how many say nothing, and whether there were too many pairs."""
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
            f"There are more than {len(likeness.first):,} pairs of nearly the same {nouns}, as among the frames of a "
            "film; not all of them were looked at."
        )
        findings.append(Finding("many_alike", message))
    known = _Known(items, noun)
    return findings + _equal_looks(known, likeness) + _near_pairs(known, likeness)


def _equal_looks(known: "_Known", likeness: Likeness) -> list[Finding]:
    """A finding for each look of several files; equal files are left to `check_copies`, leaks to `check_leaks`."""
    looks = pd.DataFrame({"look": likeness.look, "content": known.content_hash})
    looks = looks[looks["look"] != PLAIN].drop_duplicates()
    looks = looks[looks["look"].duplicated(keep=False)]
    nearly = known.nearly(1.0, mirrored=False)
    alike = (rows.tolist() for rows in looks.groupby("look", sort=False).groups.values())
    return [known.near(rows, nearly) for rows in alike if known.is_fine(rows)]


def _near_pairs(known: "_Known", likeness: Likeness) -> list[Finding]:
    """A finding for each pair of looks, of the first items that have them, unless it is a leak."""
    looks, rows = np.unique(likeness.look, return_index=True)
    first, second = (
        rows[np.searchsorted(looks, side)].tolist() for side in (likeness.first, likeness.second)
    )
    how = zip(likeness.cosine.tolist(), likeness.mirrored.tolist(), strict=True)
    return [
        known.near([one, other], known.nearly(cosine, mirrored=mirrored))
        for one, other, (cosine, mirrored) in zip(first, second, how, strict=True)
        if known.is_fine([one, other])
    ]


class _Known:
    """What findings tell of items, by row, as lists: taking rows out of a frame one by one is far slower."""

    def __init__(self, items: pd.DataFrame, noun: str) -> None:
        labels = items["given_label"].astype(object)
        self.noun = noun
        self.item_id, self.split = (items[name].tolist() for name in ("item_id", "split"))
        self.path = shown_names(items).tolist()
        self.label = labels.where(labels.notna(), None).tolist()
        self.source, self.source_row = items["source"].tolist(), items["source_row"].tolist()
        self.content_hash = items["content_hash"].tolist()

    def finding(self, code: str, message: str, row: int) -> Finding:
        return Finding(
            code, message, self.source[row], self.source_row[row], self.path[row], self.item_id[row]
        )

    def is_fine(self, rows: Iterable[int]) -> bool:
        """Whether items may be copies of one another without a leak."""
        return not _leaks({self.split[row] for row in rows})

    def nearly(self, likeness: float, *, mirrored: bool) -> str:
        return f"nearly the same {self.noun} (alike to {likeness:.3f}{', one mirrored' if mirrored else ''})"

    def near(self, rows: Sequence[int], nearly: str) -> Finding:
        message = f"{self.named(rows)} are {nearly}"
        labels = sorted({self.label[row] for row in rows} - {None})
        if len(labels) < 2:
            return self.finding("near_duplicate", f"{message}.", rows[0])
        listed = ", ".join(map(repr, labels))
        return self.finding("near_conflict", f"{message} and have the labels {listed}.", rows[0])

    def named(self, rows: Sequence[int]) -> str:
        """The first few with their splits."""
        shown = [f"{self.path[row]} ({self.split[row]})" for row in rows[:MAX_NAMED]]
        if len(rows) > MAX_NAMED:
            return f"{', '.join(shown)} and {len(rows) - MAX_NAMED} more"
        return " and ".join([", ".join(shown[:-1]), shown[-1]])


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
            first = members.iloc[0]
            where = (first["source"], int(first["source_row"]), first["path"])
            findings.append(Finding("group_leak", f"Group {group!r} is in {spread}.", *where))
    return findings


def shown_names(items: pd.DataFrame) -> pd.Series:
    """What people see as the name of each item: its path, or its id if it has no file of its own."""
    return items["path"].where(items["path"] != "", items["item_id"])


def _leaks(splits: set[str]) -> bool:
    """Held-out items must not occur anywhere else."""
    return len(splits) > 1 and bool(splits & {"val", "test"})
