"""Take a dataset in: read its sources, check every item, set broken ones aside, split off validation."""

import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from curation.dataset.checks import (
    Row,
    check_copies,
    check_fields,
    check_groups,
    check_labels,
    check_leaks,
    check_likeness,
)
from curation.dataset.duplicates import leaks_of, units_of
from curation.dataset.findings import SET_ASIDE, Finding, checks_of, findings_table
from curation.dataset.image_checks import Unusable
from curation.dataset.near_duplicates import Likeness
from curation.dataset.sources import RAW_COLUMNS, Columns, Reading, Source, open_source, read_source
from curation.dataset.splits import check_fraction
from curation.label_kinds import label_kind_of
from curation.label_kinds.kind import LabelForm, LabelKind, form_from_json
from curation.modalities import guess_modality, modality_of
from curation.modalities.modality import Asked, Content, Modality
from curation.spreadsheet import read_manifest
from diagnostics.errors import DataError
from diagnostics.image_files import ImageRoot
from diagnostics.progress import ProgressCallback
from diagnostics.task import ITEM_COLUMNS

MAX_SUMMARISED = 3
ONE_CLASS_A_ROW = LabelForm()
FINGERPRINTED = ("item_id", "path", "split", "given_label", "content_hash")


@dataclass(frozen=True, slots=True)
class IntakeSpec:
    """What to take in, as `winnow init` asks for it.

    data : a table, a folder or a zip; val, test, unlabelled : further ones of that kind
    images : where the paths of tables lead; None = each table's own folder
    group_column : what may not be in two splits, such as the patient or the product; None = there is no such thing
    classes : the labels that may occur; None = those that do
    modality : key of `curation.modalities.MODALITIES`; None = what the data look like
    label_form : how labels are written; None = as an export of Winnow says, else one class a row
    text_columns : what the text is made of; feature_columns : the only ones that are features; ignored_columns : those
        that are none; () = what the columns look like
    val_fraction, seed : see `split_off_validation`; used only if no validation set is given
    """

    data: Path
    images: Path | None = None
    val: Path | None = None
    test: Path | None = None
    unlabelled: Path | None = None
    path_column: str | None = None
    label_column: str | None = None
    id_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    label_from_name: str | None = None
    classes: tuple[str, ...] | None = None
    val_fraction: float = 0.2
    seed: int = 0
    encoding: str = "utf-8"
    modality: str | None = None
    label_form: LabelForm | None = None
    text_columns: tuple[str, ...] = ()
    feature_columns: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Intake:
    """A dataset that was taken in.

    modality : key of `curation.modalities.MODALITIES`; taken_as : why, "" if it was asked for
    items : ITEM_COLUMNS and the modality's own, one row a usable item, in source order
    findings : FINDING_COLUMNS
    leaks : `curation.dataset.duplicates.LEAK_COLUMNS`
    columns : which columns of the main table were used, named or guessed; content : those that hold the content
    label_form : how the source writes labels
    files : what else belongs into the project folder, by file name
    fingerprint : SHA-256 over what the items are; equal for equal data
    """

    modality: str
    items: pd.DataFrame
    findings: pd.DataFrame
    leaks: pd.DataFrame
    classes: tuple[str, ...]
    roots: tuple[ImageRoot, ...]
    fingerprint: str
    columns: Columns
    seed: int
    val_fraction: float
    taken_as: str = ""
    content: tuple[str, ...] = ()
    label_form: LabelForm = ONE_CLASS_A_ROW
    files: Mapping[str, str] = field(default_factory=dict)


def take_in(spec: IntakeSpec, *, on_progress: ProgressCallback) -> Intake:
    """Read and check everything; broken items become findings, never an error of their own.

    raises : DataError if a source cannot be read at all, or nothing is left to train on
    """
    check_fraction(spec.val_fraction)
    with _collector_paused():
        return _take_in(spec, on_progress)


def _take_in(spec: IntakeSpec, on_progress: ProgressCallback) -> Intake:
    classes_given = tuple(dict.fromkeys(spec.classes)) if spec.classes else None
    form = spec.label_form or form_from_json(read_manifest(spec.data).get("label_form", {}))
    kind = label_kind_of(form.kind)
    labels = kind.reader(form, classes_given)
    asked = Asked(spec.text_columns, spec.feature_columns, spec.ignored_columns, spec.encoding)
    read = _read_sources(spec, form, asked)
    rows, of_form = labels.in_form(read.rows)
    with read.modality.take_in(rows, read.roots, asked, on_progress) as taking:
        named = taking.rows[[*RAW_COLUMNS, "source_role"]]
        sound, of_fields = check_fields(named, labels, needs_path=read.reading.needs_path)
        content = taking.finish()
    items, of_content = _with_content(sound, content)
    likeness = content.alike(items, on_progress)
    items = _with_splits(items.assign(unit=units_of(items, likeness)), spec, kind)
    leaks = leaks_of(items, likeness)
    classes = labels.classes_of(items["given_label"])
    findings = [*read.findings, *of_form, *of_fields, *of_content, *content.findings]
    findings += check_labels(items, classes, kind.counted)
    findings += _check_together(items, likeness, leaks, read.modality, grouped=spec.group_column is not None)
    table = findings_table(findings, checks_of(read.modality.checks, kind.checks))
    _refuse_useless(items, classes, table)
    return Intake(
        modality=read.modality.key,
        taken_as=read.taken_as,
        items=items[[*ITEM_COLUMNS, *content.stored]],
        findings=table,
        leaks=leaks,
        classes=classes,
        roots=tuple(read.roots),
        fingerprint=fingerprint_of(items),
        columns=read.columns,
        seed=spec.seed,
        val_fraction=spec.val_fraction,
        content=tuple(read.reading.content.values()),
        label_form=form,
        files=content.files,
    )


@dataclass(frozen=True)
class _Read:
    """What the sources hold, before labels and content are looked at.

    rows : RAW_COLUMNS, source_role, and the columns that hold the content
    """

    modality: Modality
    taken_as: str
    reading: Reading
    rows: pd.DataFrame
    roots: Sequence[ImageRoot]
    columns: Columns
    findings: Sequence[Finding]


def _read_sources(spec: IntakeSpec, form: LabelForm, asked: Asked) -> _Read:
    sources = _sources(spec, form)
    opened = {source.role: open_source(source) for source in sources}
    main = sources[0]
    key, taken_as = (spec.modality, "") if spec.modality else guess_modality(main, opened[main.role], asked)
    modality = modality_of(key)
    reading = modality.reading(main, opened[main.role], asked)
    roots: list[ImageRoot] = []
    raws = {source.role: read_source(source, opened.pop(source.role), reading, roots) for source in sources}
    rows = pd.concat([raw.rows.assign(source_role=role) for role, raw in raws.items()], ignore_index=True)
    findings = [finding for raw in raws.values() for finding in raw.findings]
    return _Read(modality, taken_as, reading, rows, roots, raws["data"].columns, findings)


def _check_together(
    items: pd.DataFrame, likeness: Likeness | None, leaks: pd.DataFrame, modality: Modality, *, grouped: bool
) -> list[Finding]:
    """What is wrong with items beside each other: copies, leaks, near copies, and groups if there are any."""
    findings = check_copies(items, modality.noun) + check_leaks(items, leaks, modality.noun)
    if likeness is not None:
        findings += check_likeness(items, likeness, modality.noun, modality.nouns)
    return findings + check_groups(items) if grouped else findings


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Rows are tuples without cycles; looking for cycles among hundreds of thousands costs a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def fingerprint_of(items: pd.DataFrame) -> str:
    """SHA-256 over ids, paths, splits, labels and contents, whatever the order of the rows."""
    table = items[list(FINGERPRINTED)].astype(object).fillna("")
    lines = sorted("\x1f".join(row) for row in zip(*(table[name] for name in FINGERPRINTED), strict=True))
    return hashlib.sha256("\x1e".join(lines).encode()).hexdigest()


def _sources(spec: IntakeSpec, form: LabelForm) -> list[Source]:
    asked = Columns(
        spec.path_column,
        spec.label_column,
        spec.id_column,
        spec.split_column,
        spec.group_column,
        form.columns,
    )
    given = {"data": spec.data, "val": spec.val, "test": spec.test, "unlabelled": spec.unlabelled}
    return [
        Source(path, role, spec.images, asked, spec.label_from_name, spec.encoding)
        for role, path in given.items()
        if path is not None
    ]


def _with_content(sound: pd.DataFrame, content: Content) -> tuple[pd.DataFrame, list[Finding]]:
    """The items whose content can be used, with it; a finding for each other.

    sound : indexed by the rows' place among those looked at
    """
    bad = sound.index.isin(list(content.unusable))
    bad_rows: Iterable[Row] = sound[bad].itertuples()
    findings = [_content_finding(content.unusable[row.Index], row) for row in bad_rows]
    items = sound[~bad].join(content.table).reset_index(drop=True)
    items = items.rename(columns={"label": "given_label", "row": "source_row"})
    unlabelled = (items["split"] == "unlabelled") | (items["given_label"] == "")
    items["given_label"] = items["given_label"].where(~unlabelled, None)
    items["group"] = items["group"].where(items["group"] != "", None).astype("str")
    return items, findings


def _content_finding(problem: Unusable, row: Row) -> Finding:
    return Finding(problem.code, problem.message, row.source, row.row, row.path, row.item_id)


def _with_splits(items: pd.DataFrame, spec: IntakeSpec, kind: LabelKind) -> pd.DataFrame:
    """Items whose split is still to be decided become train, or validation if none was given.

    What belongs with test items does not go to validation, which is to tell something else than the test does.
    """
    undecided = items["split"] == ""
    given = spec.val is not None or bool((items["split"] == "val").any())
    items.loc[undecided, "split"] = "train"
    if not given:
        of_test = items["unit"].isin(items.loc[items["split"] == "test", "unit"])
        train = items[(items["split"] == "train") & ~of_test]
        held_out = kind.hold_out(
            train["unit"].tolist(),
            train["given_label"].tolist(),
            fraction=spec.val_fraction,
            seed=spec.seed,
        )
        items.loc[train.index[held_out], "split"] = "val"
    return items


def _refuse_useless(items: pd.DataFrame, classes: tuple[str, ...], findings: pd.DataFrame) -> None:
    labelled = items[items["split"] == "train"]
    if len(labelled) >= 2 and labelled["given_label"].nunique() >= 2 and len(classes) >= 2:
        return
    aside = findings[findings["severity"] == SET_ASIDE]
    shown: Iterable[Row] = aside.head(MAX_SUMMARISED).itertuples()
    examples = "; ".join(
        f"{row.source}{f', row {row.row}' if row.row else ''}, {row.path or row.item_id}: {row.message}"
        for row in shown
    )
    reason = f" {len(aside)} items were set aside, for example {examples}" if len(aside) else ""
    raise DataError(
        f"There is nothing to train on: {len(labelled)} usable training items of "
        f"{labelled['given_label'].nunique()} classes; at least 2 of 2 classes are needed.{reason}"
    )
