"""Write what people made of a dataset: the curated CSV, its manifest, and the changes alone as a patch.

The same decisions and the same run give the same bytes. Text that a spreadsheet could take for a formula is written as
`curation.spreadsheet` says, which reading an export undoes. Files are written beside and moved into place.
"""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from curation.class_caps import n_cap_changes, named_caps
from curation.class_list import ClassList
from curation.decisions.events import ADDED, STATUSES
from curation.exported_labels import exported_form, label_columns, written
from curation.notes import notes_at
from curation.project import Project
from curation.rounds import training_items, version_now
from curation.run_classes import names_now
from curation.run_folders import list_runs, read_run
from curation.spreadsheet import CURATED_COLUMNS, EXPORTED_SCORES, MANIFEST_SUFFIX, exported_name, make_safe
from diagnostics.errors import ProjectError
from diagnostics.image_files import ImageRoot
from diagnostics.run_folder import Run
from diagnostics.task import are_among

FORMAT_VERSION = 1
PATCH_COLUMNS = ("id", "path", "verdict", "label", "note", "annotator", "decided_at")
LIBRARIES = ("winnow", "numpy", "pandas", "pyarrow", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the files, the run whose scores are in them, and how many items have each status."""

    paths: list[Path]
    run_id: str | None
    n_items: int
    statuses: dict[str, int]


def export_curated(
    project: Project,
    out: Path,
    *,
    run_id: str | None = None,
    patch: Path | None = None,
    leave_out_capped: bool = False,
) -> Exported:
    """Write every item, in source order, to `out` (see `curated_table`), and a manifest to `out`.manifest.json.

    run_id : whose scores to write; the newest run if not given, none if there is no run
    patch : also write the decided items alone here (PATCH_COLUMNS); `winnow decide --from` replays it
    leave_out_capped : write no train items above the cap on their class; otherwise they are there like all others, and
        the manifest says how many they are
    raises : ProjectError rather than overwrite a file that is no earlier export of this project
    """
    manifest_path = out.with_name(out.name + MANIFEST_SUFFIX)
    _refuse_foreign_export(project, out, manifest_path)
    if patch is not None:
        _refuse_same(out, patch)
        _refuse_foreign(patch, PATCH_COLUMNS)
    event, classes = project.decisions.last_event(), project.classes
    run = read_run(project, run_id) if run_id is not None or list_runs(project) else None
    table = curated_table(project, run, event, classes=classes)
    capped = capped_items(project, event, classes)
    if leave_out_capped:
        table = table[~table["id"].isin(capped)].reset_index(drop=True)
    manifest = _manifest(project, run, event, table, classes)
    manifest["caps"] = _caps_facts(project, classes, capped, left_out=leave_out_capped)
    _write_beside(manifest_path, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    _write_csv(table, out)
    paths = [out, manifest_path]
    if patch is not None:
        _write_csv(patch_table(project, event, classes=classes), patch)
        paths.append(patch)
    run_name = run.info.run_id if run is not None else None
    return Exported(paths, run_name, len(table), manifest["items"]["by_status"])


def curated_table(
    project: Project, run: Run | None, event: int, *, classes: ClassList | None = None
) -> pd.DataFrame:
    """Every item in source order as it stands at an event: CURATED_COLUMNS, then the content as the source has it.

    split : train for an unlabelled item that got a label; path : see `shown_paths`
    given_label : as the source has it; label and predicted_label : in the names of `classes`, those of now if not given
    Several labels are separated as in the source; where it has a column each, so has the export, for `label`.
    """
    items, classes = project.items, classes or project.classes
    form = exported_form(project.info.label_form, classes)
    labels = project.decisions.labels_at(event, classes=classes)
    decided = project.decisions.state_table(event, classes=classes)
    decided = decided.set_index("item_id").reindex(items["item_id"])
    added = (items["split"] == "unlabelled").to_numpy() & (labels["status"] == ADDED).to_numpy()
    table = pd.DataFrame(
        {
            "id": items["item_id"],
            "path": shown_paths(items, project.info.roots),
            "split": items["split"].mask(added, "train"),
            "label": written(labels["label"], form),
            "given_label": written(items["given_label"], form),
            "status": labels["status"],
            "verdict": labels["verdict"],
            "annotator": decided["annotator"].to_numpy(),
            "decided_at": _iso(decided["decided_at"]),
            "round": decided["round"].astype("Int64").array,
        }
    )
    own = pd.concat([table, _scores(project, run, classes)], axis=1)[list(CURATED_COLUMNS)]
    return pd.concat([own, label_columns(labels["label"], classes, form), _content(project)], axis=1)


def _content(project: Project) -> pd.DataFrame:
    """The columns of the source that hold the content of the items, as they were."""
    content = project.modality.exported(project.items, project.info.content)
    return content.rename(columns=exported_name)


def capped_items(project: Project, event: int, classes: ClassList) -> pd.Index:
    """The ids of the train items that are above the cap on their class as of now, decisions as of an event."""
    version = replace(version_now(project), event=event, class_change=classes.number)
    items = training_items(project, version)
    found: pd.Index = pd.Index(items["item_id"][items["held_back"]])
    return found


def patch_table(project: Project, event: int, *, classes: ClassList | None = None) -> pd.DataFrame:
    """The items that a decision stands for at an event, in source order: PATCH_COLUMNS.

    note : of the decision, else the one that was beside it
    """
    items = project.items
    decided = project.decisions.state_table(event, classes=classes).set_index("item_id")
    changed = are_among(items["item_id"], decided.index)
    decided = decided.reindex(items.loc[changed, "item_id"]).reset_index()
    paths = shown_paths(items, project.info.roots)[changed].reset_index(drop=True)
    notes = notes_at(project.engine, event)
    beside = pd.Series([notes.get(item_id, "") for item_id in decided["item_id"]], dtype="str")
    table = decided.rename(columns={"item_id": "id"}).assign(
        path=paths,
        decided_at=_iso(decided["decided_at"]),
        note=decided["note"].where(decided["note"] != "", beside),
    )
    return table[list(PATCH_COLUMNS)]


def shown_paths(items: pd.DataFrame, roots: Sequence[ImageRoot]) -> pd.Series:
    """Each item's path; with images in several folders relative to the folder that holds them all, so that one
    --images opens the export. Paths inside a zip stay as they are.
    """
    base = _images_base(items, roots)
    if base is None:
        return items["path"]
    prefixes = {
        number: "" if roots[number].path == base else roots[number].path.relative_to(base).as_posix() + "/"
        for number in sorted(set(items["root"]))
    }
    shown = items["root"].map(prefixes).astype("str") + items["path"]
    return shown.where(items["path"] != "", "")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV; numbers keep every digit.

    raises : ProjectError rather than overwrite a file with other columns
    """
    _refuse_foreign(path, tuple(table.columns))
    _write_csv(table, path)


def read_header(path: Path) -> tuple[str, ...]:
    """The column names of a CSV; empty if it has none or is no text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return tuple(next(csv.reader(file), ()))
    except (UnicodeDecodeError, csv.Error):
        return ()


def _images_base(items: pd.DataFrame, roots: Sequence[ImageRoot]) -> Path | None:
    """The folder that holds all the items' folders; None if there is one root only, or a zip among them."""
    used = [roots[number] for number in sorted(set(items["root"]))]
    if len(used) < 2 or any(root.kind != "folder" for root in used):
        return None
    return Path(os.path.commonpath([root.path for root in used]))


def _scores(project: Project, run: Run | None, classes: ClassList) -> pd.DataFrame:
    items = project.items
    if run is None:
        return pd.DataFrame(index=items.index, columns=list(EXPORTED_SCORES), dtype="float64")
    scores = run.scores.set_index("item_id")[list(EXPORTED_SCORES)]
    names = dict(zip(run.info.classes, names_now(project, run.info, classes), strict=True))
    then = scores["predicted_label"].dropna().unique()
    now = dict(zip(then, classes.labels_as(then, names), strict=True))
    predicted = written(scores["predicted_label"].map(now), exported_form(project.info.label_form, classes))
    scores = scores.assign(predicted_label=predicted)
    return scores.reindex(items["item_id"]).reset_index(drop=True)


def _iso(times: pd.Series) -> pd.Series:
    return pd.Series([None if pd.isna(time) else time.isoformat() for time in times], dtype="str")


def _manifest(
    project: Project, run: Run | None, event: int, table: pd.DataFrame, classes: ClassList
) -> dict[str, Any]:
    set_aside = project.findings.query("severity == 'set aside'")
    n_set_aside = len(set_aside.drop_duplicates(["source", "row", "path"]))
    by_status = table["status"].value_counts()
    by_split = table.groupby(["split", "status"]).size().unstack(fill_value=0).sort_index()
    n_test = int(((table["split"] == "test") & table["verdict"].notna()).sum())
    base = _images_base(project.items, project.info.roots)
    return {
        "format_version": FORMAT_VERSION,
        "project": project.info.name,
        "modality": project.info.modality,
        "label_form": exported_form(project.info.label_form, classes).to_json(),
        "content": [exported_name(name) for name in project.info.content],
        "fingerprint": project.info.fingerprint,
        "event": event,
        "class_change": classes.number,
        "classes": list(classes.names),
        "classes_of_source": {key: classes.shown[key] for key in project.info.classes},
        "images": [str(base)] if base is not None else [str(root.path) for root in project.info.roots],
        "items": {
            "total": len(table),
            "set_aside": n_set_aside,
            "by_status": {status: int(by_status.get(status, 0)) for status in STATUSES},
            "by_split": {
                str(split): {str(status): int(n) for status, n in row.items() if n}
                for split, row in by_split.iterrows()
            },
        },
        "test": {"touched": n_test > 0, "decisions": n_test, "unlocked": project.decisions.test_unlocked()},
        "run": _run_facts(run),
        "versions": {"python": ".".join(map(str, sys.version_info[:3]))}
        | {name: version(name) for name in LIBRARIES},
    }


def _caps_facts(project: Project, classes: ClassList, capped: pd.Index, *, left_out: bool) -> dict[str, Any]:
    number = n_cap_changes(project)
    return {
        "change": number,
        "at_most": named_caps(project, classes, number),
        "items_above": len(capped),
        "left_out": left_out,
    }


def _run_facts(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    facts = run.info.to_json()
    names = (
        "run_id",
        "dataset_version",
        "arch",
        "pretrained",
        "n_folds",
        "in_sample",
        "resolved",
        "versions",
    )
    return {name: facts[name] for name in names}


# ------------------------------------------------------------ files


def _refuse_foreign_export(project: Project, out: Path, manifest_path: Path) -> None:
    form = exported_form(project.info.label_form, project.classes)
    own = [*CURATED_COLUMNS, *map(exported_name, form.columns)]
    _refuse_foreign(out, _safe_names([*own, *_content(project).columns]))
    if not out.exists():
        if manifest_path.exists() and _manifest_fingerprint(manifest_path) != project.info.fingerprint:
            raise ProjectError(f"{manifest_path} belongs to something else. Choose another name for --out.")
        return
    if _manifest_fingerprint(manifest_path) != project.info.fingerprint:
        raise ProjectError(
            f"{out} was not exported from {project.info.name}, so it is not overwritten. Choose another name for --out."
        )


def _refuse_foreign(path: Path, columns: Sequence[str]) -> None:
    if path.is_dir() or not path.parent.is_dir():
        raise ProjectError(f"{path} cannot be written: it is a folder, or its folder does not exist.")
    if path.exists() and read_header(path) != tuple(columns):
        raise ProjectError(
            f"{path} exists and holds something else than what would be written, so it is not overwritten. "
            "Choose another name."
        )


def _refuse_same(out: Path, patch: Path) -> None:
    if out.resolve() == patch.resolve():
        raise ProjectError(f"The curated CSV and the patch cannot both be {out}. Choose two names.")


def _manifest_fingerprint(path: Path) -> str | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values.get("fingerprint") if isinstance(values, dict) else None


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name].dtype)]
    safe = table.copy(deep=False)
    for name in texts:
        safe[name] = table[name].astype(object).map(_safe)
    safe.columns = pd.Index(_safe_names(table.columns))
    # Python's csv does not quote a lone carriage return by itself, and a reader would end the row there.
    returns = any("\r" in value for column in _cells(safe) for value in column if isinstance(value, str))
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    _write_beside(path, safe.to_csv(index=False, lineterminator="\n", quoting=quoting))


def _cells(table: pd.DataFrame) -> Iterator[Iterable[object]]:
    """All that could be texts, the names of the columns among them."""
    yield table.columns
    for place in range(table.shape[1]):
        column = table.iloc[:, place]
        if not pd.api.types.is_numeric_dtype(column.dtype):
            yield column


def _safe_names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(make_safe(name) for name in names)


def _safe(value: object) -> object:
    return make_safe(value) if isinstance(value, str) else value


def _write_beside(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.partial")
    try:
        beside.write_text(text, encoding="utf-8", newline="")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ProjectError(f"{path} cannot be written: {error}.") from error
