"""The loop in rounds: a round collects decisions, closing it fixes a dataset version, the next run trains on that.

Version 0 is the source, with what was decided when it was taken in; closing round n fixes version n. A version is an
event number: it can be read again at any time, whatever was decided since.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from curation.class_caps import held_back, n_cap_changes, named_caps, with_caps
from curation.class_list import ClassList
from curation.database import acts, events, item_states, reading, rounds, writing
from curation.decisions import log
from curation.decisions.events import ADDED, DECIDE, EXCLUDED, STATUS_OF, UNDO, Decision
from curation.decisions.store import ActResult
from curation.project import Project
from curation.run_folders import has_trained, list_runs
from diagnostics.errors import DecisionError, ProjectError

TRAINING_COLUMNS = ("item_id", "path", "root", "split", "label", "content_hash", "unit", "held_back")
ROUND_COLUMNS = ("round", "version", "opened", "closed", "decisions", "runs")
AT_IMPORT = 0
EXCLUDING = tuple(verdict for verdict, status in STATUS_OF.items() if verdict and status == EXCLUDED)


@dataclass(frozen=True, slots=True)
class Round:
    """One round; its decisions are the events after `opened_event`, up to `closed_event` once it is closed."""

    number: int
    opened_at: datetime
    opened_event: int
    closed_at: datetime | None = None
    closed_event: int | None = None
    closed_by: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """The source and the decisions up to `event`, in the classes after change `class_change`, under the caps after
    change `cap_change`.

    Equal fingerprints mean equal training data. Closing a round fixes the decisions; a class that is renamed, merged or
    added, and a cap on a class, count for every version from that moment on.
    """

    number: int
    fingerprint: str
    event: int
    class_change: int = 0
    cap_change: int = 0

    def to_json(self) -> dict[str, int | str]:
        """As runs and experiments note it."""
        return asdict(self)


def list_rounds(project: Project) -> list[Round]:
    """All rounds, the first one first; the last one is open. What was decided at import is no round."""
    columns = [rounds.c[name] for name in Round.__slots__]
    is_round = (rounds.c.number != AT_IMPORT) | rounds.c.closed_event.is_(None)
    with reading(project.engine) as connection:
        rows = connection.execute(sa.select(*columns).where(is_round).order_by(rounds.c.number))
        return [Round(*row) for row in rows]


def current_round(project: Project) -> Round:
    """The open round."""
    return list_rounds(project)[-1]


def close_round(project: Project, annotator: str, now: datetime) -> Round:
    """Fix the decisions made so far as a dataset version and open the next round; also if nothing was decided.

    returns : the round that was closed; the version has its number
    raises : ProjectError if nobody is named
    """
    name = annotator.strip()
    if not name:
        raise ProjectError("Closing a round names who closed it; the annotator is empty.")
    number = _close_open_round(project, name, now)
    return next(round_ for round_ in list_rounds(project) if round_.number == number)


def is_untouched(project: Project) -> bool:
    """Whether nothing was decided, closed or trained yet."""
    with reading(project.engine) as connection:
        n_rounds = connection.execute(sa.select(sa.func.count()).select_from(rounds)).scalar_one()
        event = log.read_head(connection).event
    return n_rounds == 1 and event == 0 and not has_trained(project)


def decide_at_import(
    project: Project, decisions: Sequence[Decision], *, annotator: str, now: datetime
) -> ActResult:
    """Decide as part of taking the data in, so that version 0 has it.

    raises : ProjectError if something was decided, closed or trained already; DecisionError as the store's `decide`
    """
    if not is_untouched(project):
        raise ProjectError(
            f"{project.info.name} is at work already; what is decided now belongs to its open round."
        )
    _number_first_round(project, AT_IMPORT)
    try:
        result = project.decisions.decide(decisions, annotator=annotator, now=now)
    except DecisionError:
        _number_first_round(project, AT_IMPORT + 1)
        raise
    _close_open_round(project, annotator, now)
    return result


def _number_first_round(project: Project, number: int) -> None:
    with writing(project.engine) as connection:
        connection.execute(rounds.update().values(number=number))


def _close_open_round(project: Project, name: str, now: datetime) -> int:
    """Fix the decisions made so far, open the next round; returns the number of the one that was closed."""
    with writing(project.engine) as connection:
        event = log.take_head(connection).event
        number = log.open_round(connection)
        closing = {
            "closed_at": now,
            "closed_event": event,
            "closed_by": name,
            "fingerprint": _fingerprint(connection, project.info.fingerprint),
        }
        connection.execute(rounds.update().where(rounds.c.number == number).values(closing))
        connection.execute(rounds.insert(), {"number": number + 1, "opened_at": now, "opened_event": event})
    return number


def dataset_version(
    project: Project,
    number: int | None = None,
    *,
    class_change: int | None = None,
    cap_change: int | None = None,
) -> DatasetVersion:
    """A dataset version; the newest one if no number is given.

    class_change : with the classes after this change of them; as of now if not given
    cap_change : under the caps after this change of them; as of now if not given
    raises : ProjectError if that round is not closed, or there is no such class change; ClassError for a change of the
        caps that there is not
    """
    classes = project.classes if class_change is None else project.class_log.at(class_change)
    columns = (rounds.c.number, rounds.c.fingerprint, rounds.c.closed_event)
    closed = sa.select(*columns).where(rounds.c.closed_event.is_not(None)).order_by(rounds.c.number)
    with reading(project.engine) as connection:
        versions = [DatasetVersion(*row) for row in connection.execute(closed)]
    if not versions or versions[0].number != AT_IMPORT:
        versions = [DatasetVersion(AT_IMPORT, project.info.fingerprint, 0), *versions]
    wanted = len(versions) - 1 if number is None else number
    if not 0 <= wanted < len(versions):
        raise ProjectError(
            f"{project.info.name} has no dataset version {wanted}; it has 0 to {len(versions) - 1}. "
            "Closing a round fixes the next one."
        )
    caps = n_cap_changes(project) if cap_change is None else cap_change
    return _under(project, versions[wanted], classes, caps)


def version_now(project: Project) -> DatasetVersion:
    """The newest dataset version with the decisions made since, as closing the round now would fix it."""
    newest = dataset_version(project)
    with reading(project.engine) as connection:
        event = log.read_head(connection).event
        fingerprint = _fingerprint(connection, project.info.fingerprint)
    version = replace(newest, event=event, fingerprint=fingerprint)
    return _under(project, version, project.class_log.at(newest.class_change), newest.cap_change)


def training_items(project: Project, version: DatasetVersion) -> pd.DataFrame:
    """The items of a dataset version, in source order: TRAINING_COLUMNS, then what models of the modality read; label
    null where there is none.

    Excluded items are left out, and unlabelled items that a person labelled are in split train. Test items are as the
    source has them, except for decisions made while the test set was unlocked.
    held_back : train items above the cap on their class: they keep their label and are predicted, not trained on
    """
    items = project.items
    classes = project.class_log.at(version.class_change)
    labels = project.decisions.labels_at(version.event, classes=classes)
    added = (items["split"] == "unlabelled") & (labels["status"] == ADDED).to_numpy()
    still_unlabelled = (items["split"] == "unlabelled") & ~added
    table = items.assign(
        split=items["split"].mask(added, "train"),
        label=labels["label"].mask(still_unlabelled.to_numpy()).to_numpy(),
    )
    included = (labels["status"] != EXCLUDED).to_numpy()
    table = table[included].reset_index(drop=True).astype({"label": "str", "split": "str"})
    decided = labels["verdict"].notna().to_numpy()[included]
    caps = named_caps(project, classes, version.cap_change)
    task = project.task_at(classes)
    table["held_back"] = held_back(table, decided, caps, task=task, seed=project.info.seed)
    content = project.training_content()[included].reset_index(drop=True)
    return pd.concat([table[list(TRAINING_COLUMNS)], content], axis=1)


def rounds_table(project: Project) -> pd.DataFrame:
    """All rounds, one a row: ROUND_COLUMNS.

    version : the dataset version that the round starts from
    closed : NaT for the open round
    decisions : made in the round and not undone
    runs : the runs on that version, with commas
    """
    n_decisions = _n_decisions(project)
    runs = list_runs(project)
    rows = [
        {
            "round": round_.number,
            "version": round_.number - 1,
            "opened": round_.opened_at,
            "closed": round_.closed_at,
            "decisions": n_decisions.get(round_.number, 0),
            "runs": ", ".join(
                info.name for info in runs if info.dataset_version["number"] == round_.number - 1
            ),
        }
        for round_ in list_rounds(project)
    ]
    table = pd.DataFrame(rows, columns=list(ROUND_COLUMNS))
    return table.assign(closed=pd.to_datetime(table["closed"], utc=True))


def _n_decisions(project: Project) -> dict[int, int]:
    steps = (
        sa.select(acts.c.target, sa.func.max(acts.c.act).label("act"))
        .where(acts.c.target.is_not(None))
        .group_by(acts.c.target)
        .subquery("steps")
    )
    undone = sa.select(steps.c.target).join(acts, acts.c.act == steps.c.act).where(acts.c.kind == UNDO)
    counted = (
        sa.select(events.c.round, sa.func.count())
        .where(events.c.kind == DECIDE, events.c.act.not_in(undone))
        .group_by(events.c.round)
    )
    with reading(project.engine) as connection:
        return {row[0]: row[1] for row in connection.execute(counted)}


def _under(project: Project, version: DatasetVersion, classes: ClassList, cap_change: int) -> DatasetVersion:
    """The version in these classes, under the caps after this change of them; what people chose about the columns that
    models read counts for every version, as of now."""
    fingerprint = _with_classes(version.fingerprint, classes, project.info.classes)
    fingerprint = with_caps(fingerprint, named_caps(project, classes, cap_change))
    if chosen := project.modality.training_choices(project.folder):
        fingerprint = hashlib.sha256((fingerprint + chosen).encode()).hexdigest()
    return replace(version, fingerprint=fingerprint, class_change=classes.number, cap_change=cap_change)


def _with_classes(fingerprint: str, classes: ClassList, source: tuple[str, ...]) -> str:
    """The fingerprint of a version in these classes; its own if they are those of the source."""
    if classes.is_plain and classes.names == source:
        return fingerprint
    named = json.dumps([classes.names, [classes.shown[key] for key in classes.keys]], ensure_ascii=False)
    return hashlib.sha256((fingerprint + named).encode()).hexdigest()


def _fingerprint(connection: Connection, source: str) -> str:
    """Of the source and what the standing decisions change about it; the source's own if they change nothing."""
    columns = (item_states.c.item_id, item_states.c.verdict, item_states.c.label)
    is_excluded = item_states.c.verdict.in_(EXCLUDING)
    is_relabelled = item_states.c.verdict.is_not(None) & item_states.c.label.is_distinct_from(
        item_states.c.given_label
    )
    rows = connection.execute(sa.select(*columns).where(is_excluded | is_relabelled)).all()
    if not rows:
        return source
    digest = hashlib.sha256(source.encode())
    for change in sorted((row.item_id, row.verdict in EXCLUDING, row.label or "") for row in rows):
        digest.update(json.dumps(change, ensure_ascii=False).encode())
    return digest.hexdigest()
