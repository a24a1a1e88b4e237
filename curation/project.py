"""The project folder: what is where in it, made atomically, and refused where it is not one."""

import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from curation.backends.backend import Place
from curation.backends.postgresql import checked_url, schema_for
from curation.class_list import ClassList
from curation.class_log import ClassLog
from curation.database import make_database, open_database, place_of, remove_database
from curation.dataset.duplicates import barred_by, leaks_of
from curation.dataset.findings import RENAMED, Check, checks_of
from curation.dataset.intake import ONE_CLASS_A_ROW, Intake
from curation.decisions.store import DecisionStore
from curation.item_index import ItemIndex, open_items
from curation.label_kinds import label_kind_of
from curation.label_kinds.kind import LabelForm, LabelKind, form_from_json
from curation.modalities import modality_of
from curation.modalities.modality import Modality
from diagnostics.errors import DataError, ProjectError
from diagnostics.formats import refuse_newer
from diagnostics.image_files import ImageRoot
from diagnostics.task import SPLITS, Task

FORMAT_VERSION = 1
NO_LABEL_ROW = "(no label)"
NONE_ROW = "(none of the classes)"
INFO_FILE, ITEMS_FILE, FINDINGS_FILE, LEAKS_FILE, DATABASE_FILE = (
    "project.json",
    "items.parquet",
    "findings.parquet",
    "leaks.parquet",
    "project.db",
)


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """What a project is; written once, when it is made.

    roots : where the items' relative paths lead
    fingerprint : of the source data, see `curation.dataset.intake.fingerprint_of`
    columns : which columns of the source table were used; content : those that hold the content, in order
    label_form : how the source writes labels
    database : where the decisions, rounds and jobs are; None = in an SQLite file in the folder
    """

    name: str
    created_at: datetime
    seed: int
    modality: str
    label_kind: str
    classes: tuple[str, ...]
    roots: tuple[ImageRoot, ...]
    fingerprint: str
    val_fraction: float
    columns: dict[str, str]
    content: tuple[str, ...] = ()
    label_form: LabelForm = ONE_CLASS_A_ROW
    database: Place | None = None

    @property
    def owner(self) -> str:
        """What its place on a database server is marked with."""
        return f"Winnow project {self.name}, made {self.created_at.isoformat()}, data {self.fingerprint[:16]}"


class Project:
    """A project on disk. Source data is only read; runs, decisions and caches live in the folder, the decisions perhaps
    on a database server instead."""

    def __init__(self, folder: Path, info: ProjectInfo) -> None:
        self.folder = folder
        self.info = info
        self.database_path = folder / DATABASE_FILE
        self.runs_dir = folder / "runs"
        self.partial_runs_dir = folder / "runs" / "partial"
        self.jobs_dir = folder / "jobs"
        self.cache_dir = folder / "cache"

    @classmethod
    def create(cls, folder: Path, intake: Intake, *, now: datetime, database: str | None = None) -> "Project":
        """Make a project: built beside, then renamed, so that a folder either is a project or does not exist.

        database : URL of the PostgreSQL database for the decisions; None = an SQLite file in the folder
        raises : ProjectError if the folder exists and is not empty, or for a URL that will not do; StorageError if
            the database cannot be reached or written to
        """
        refuse_occupied(folder)
        folder = folder.resolve()
        place = None if database is None else schema_for(database, folder.name)
        staging = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
        project = cls(staging, _info_of(folder.name, intake, now, place))
        try:
            staging.mkdir(parents=True)
            _write_parts(project, intake)
            _move_into_place(project, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "Project":
        """Open a project.

        raises : ProjectError if the folder is no project, lacks a part, or was written by a newer Winnow
        """
        if not is_project(folder):
            raise ProjectError(
                f"{folder} is not a Winnow project: it has no {INFO_FILE}. "
                f"Make one with: winnow init {folder} --data DATA"
            )
        path = folder / INFO_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ProjectError(f"{path} is not readable JSON: {error}.") from error
        if not isinstance(values, dict) or not isinstance(values.get("format_version"), int):
            raise ProjectError(f"{path} does not have the fields of a project. Restore it from a backup.")
        refuse_newer(path, values["format_version"], FORMAT_VERSION, error=ProjectError)
        parts = (ITEMS_FILE, FINDINGS_FILE, *([] if values.get("database") else [DATABASE_FILE]))
        lost = [name for name in parts if not (folder / name).is_file()]
        if lost:
            raise ProjectError(f"{folder} lacks {' and '.join(lost)}. Restore the project from a backup.")
        return cls(folder.resolve(), _info_from_json(values, path))

    @cached_property
    def item_index(self) -> ItemIndex:
        """The items by row and by id, on disk."""
        return open_items(
            self.folder / ITEMS_FILE,
            Task(self.info.modality, self.info.label_kind, self.info.classes),
            self.cache_dir,
            searched=self.modality.searched,
        )

    @property
    def items(self) -> pd.DataFrame:
        """The item table in source order: ITEM_COLUMNS, then the modality's own; memory-mapped, so taking some rows of
        it reads only these."""
        return self.item_index.frame

    @property
    def modality(self) -> Modality:
        """What kind of items these are."""
        return modality_of(self.info.modality)

    @property
    def label_kind(self) -> LabelKind:
        """How many labels an item has."""
        return label_kind_of(self.info.label_kind)

    @property
    def checks(self) -> dict[str, Check]:
        """What was looked for when the data was taken in, the gravest first."""
        return checks_of(self.modality.checks, self.label_kind.checks)

    def training_content(self) -> pd.DataFrame:
        """What models read of the items beside their files: a row an item, in source order; perhaps no column."""
        return self.modality.training_content(self.items, self.folder)

    @cached_property
    def findings(self) -> pd.DataFrame:
        """What was found wrong when the data was taken in, FINDING_COLUMNS."""
        path = self.folder / FINDINGS_FILE
        try:
            found = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise ProjectError(
                f"{path} cannot be read: {error}. Restore the project from a backup."
            ) from error
        return found.assign(code=found["code"].replace(RENAMED))

    @cached_property
    def leaks(self) -> pd.DataFrame:
        """The items that belong with held-out ones, `curation.dataset.duplicates.LEAK_COLUMNS`.

        A project of an older Winnow has equal files alone, see `near_looked_for`.
        """
        if not self.near_looked_for:
            return leaks_of(self.items, None)
        return pd.read_parquet(self.folder / LEAKS_FILE)

    @property
    def near_looked_for(self) -> bool:
        """Whether nearly the same items were looked for when the data was taken in; an older Winnow did not."""
        return (self.folder / LEAKS_FILE).is_file()

    @property
    def database(self) -> Place:
        """Where the decisions, rounds and jobs are."""
        return self.info.database or place_of(self.database_path)

    @cached_property
    def engine(self) -> Engine:
        return open_database(self.database, owner=self.info.owner)

    @cached_property
    def class_log(self) -> ClassLog:
        """What people made of the source's classes, see `curation.class_list`."""
        return ClassLog(self.engine, self.info.classes, self.label_kind)

    @property
    def classes(self) -> ClassList:
        """The classes as of now, whichever process changed them last."""
        return self.class_log.now()

    @property
    def task(self) -> Task:
        """What is classified into what, in class names as of now."""
        return self.task_at(self.class_log.now())

    def task_at(self, classes: ClassList) -> Task:
        """What is classified into what, in the names of these classes."""
        return Task(self.info.modality, self.info.label_kind, classes.names)

    @cached_property
    def decisions(self) -> DecisionStore:
        """The store of what people decided."""
        return DecisionStore(self.engine, self.item_index, self.class_log, barred=self._barred())

    def _barred(self) -> dict[str, str]:
        return barred_by(self.leaks, self.modality.noun)

    def read_image(self, item_id: str) -> bytes:
        """The file of an item.

        raises : ProjectError for an unknown item, or if the source data has moved or changed
        """
        row = int(self.item_index.rows_of([item_id])[0])
        if row < 0:
            raise ProjectError(f"There is no item {item_id!r} in {self.info.name}.")
        path = str(self.items["path"].iloc[row])
        root = self.info.roots[int(self.items["root"].iloc[row])]
        try:
            return root.read(path)
        except (DataError, OSError) as error:
            raise ProjectError(
                f"The file of {item_id!r} cannot be read from {root.path}: {error} "
                "If the data has moved, put it back or correct the folder under roots in project.json."
            ) from error

    def counts(self) -> pd.DataFrame:
        """Items that have each class, in names as of now, in each split: label, then one column a split.

        An item counts for each of its classes. Items that are labelled with none, and then those without a label, come
        last.
        """
        classes = self.classes
        per_label = self.given_counts
        members = [
            (NO_LABEL_ROW,) if key is None else self._counts_as(classes, key) for key in per_label.index
        ]
        rows = np.repeat(np.arange(len(per_label)), [len(names) for names in members])
        labels = np.array([name for names in members for name in names], dtype=object)
        counted = per_label.iloc[rows].groupby(labels).sum()
        order = [name for name in (*classes.names, NONE_ROW, NO_LABEL_ROW) if name in counted.index]
        return counted.loc[order].rename_axis(index="label").reset_index()

    def _counts_as(self, classes: ClassList, label: str) -> tuple[str, ...]:
        return self.label_kind.members(str(classes.name_of(label))) or (NONE_ROW,)

    def n_items(self) -> dict[str, int]:
        """How many items each split has."""
        n = np.bincount(self.item_index.split, minlength=len(SPLITS)).tolist()
        return dict(zip(SPLITS, n, strict=True))

    @cached_property
    def given_counts(self) -> pd.DataFrame:
        """How many items of each split the source gives each label: a column a split, indexed by label text in class
        keys, or None."""
        keys = pd.Index([None, *self.item_index.labels.names], dtype=object)
        n = np.zeros((len(keys), len(SPLITS)), dtype=np.int64)
        np.add.at(n, (self.item_index.given.astype(np.int64) + 1, self.item_index.split), 1)
        table = pd.DataFrame(n, index=keys, columns=list(SPLITS))
        return table[table.any(axis=1)]


def is_project(folder: Path) -> bool:
    """Whether the folder is a Winnow project."""
    return (folder / INFO_FILE).is_file()


def refuse_occupied(folder: Path) -> None:
    """Raise ProjectError if a project cannot be made here because something is here."""
    if is_project(folder):
        raise ProjectError(f"{folder} is a project already. Open it with: winnow app {folder}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(f"{folder} exists and is not empty. Choose a folder that does not exist yet.")
    parent = next(path for path in folder.resolve().parents if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ProjectError(f"{folder} cannot be made: {parent} is no folder that can be written to.")


def _write_parts(project: Project, intake: Intake) -> None:
    for path in (project.partial_runs_dir, project.jobs_dir, project.cache_dir):
        path.mkdir(parents=True)
    intake.items.to_parquet(project.folder / ITEMS_FILE, index=False)
    intake.findings.to_parquet(project.folder / FINDINGS_FILE, index=False)
    intake.leaks.to_parquet(project.folder / LEAKS_FILE, index=False)
    for name, text in intake.files.items():
        (project.folder / name).write_text(text, encoding="utf-8")
    info = json.dumps(_info_to_json(project.info), indent=1, ensure_ascii=False)
    (project.folder / INFO_FILE).write_text(info + "\n", encoding="utf-8")


def _move_into_place(project: Project, folder: Path) -> None:
    """Make the tables and, if that goes well, the folder what it is to be; if one fails, neither stays."""
    make_database(project.database, owner=project.info.owner, now=project.info.created_at)
    try:
        if folder.exists():
            folder.rmdir()
        project.folder.replace(folder)
    except OSError:
        remove_database(project.database)
        raise


def _info_of(name: str, intake: Intake, now: datetime, database: Place | None) -> ProjectInfo:
    return ProjectInfo(
        name=name,
        created_at=now,
        seed=intake.seed,
        modality=intake.modality,
        label_kind=intake.label_form.kind,
        classes=intake.classes,
        roots=intake.roots,
        fingerprint=intake.fingerprint,
        val_fraction=intake.val_fraction,
        columns=intake.columns.named,
        content=intake.content,
        label_form=intake.label_form,
        database=database,
    )


def _info_to_json(info: ProjectInfo) -> dict[str, Any]:
    values = asdict(replace(info, database=None)) | {
        "format_version": FORMAT_VERSION,
        "created_at": info.created_at.isoformat(),
        "roots": [{"kind": root.kind, "path": str(root.path)} for root in info.roots],
    }
    if info.database is None:
        del values["database"]
    else:
        values["database"] = info.database.to_json()
    return dict(sorted(values.items()))


def _info_from_json(values: dict[str, Any], path: Path) -> ProjectInfo:
    fields = {name: value for name, value in values.items() if name != "format_version"}
    try:
        return ProjectInfo(
            **fields
            | {
                "created_at": datetime.fromisoformat(values["created_at"]),
                "classes": tuple(values["classes"]),
                "content": tuple(values.get("content", ())),
                "label_form": form_from_json(values.get("label_form", {})),
                "database": _place_from_json(values.get("database")),
                "roots": tuple(ImageRoot(root["kind"], Path(root["path"])) for root in values["roots"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise ProjectError(f"{path} does not have the fields of a project: {error}.") from error


def _place_from_json(values: dict[str, str] | None) -> Place | None:
    return None if values is None else Place(checked_url(values["url"]), values["schema"])
