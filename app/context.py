"""Which project is served, to whom, and what is kept in memory for it: the only place with caches and session keys."""

import getpass
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache, wraps
from pathlib import Path
from typing import ParamSpec
from urllib.parse import unquote

import pandas as pd
import streamlit as st

from app.tokens import sign
from curation.agreement import RunAlarm, validation_alarm
from curation.derived_files import stamp_of
from curation.features import FEATURES_FILE, feature_table
from curation.project import Project
from curation.queues import Queue, QueueQuery, open_queue
from curation.rounds import DatasetVersion, dataset_version, rounds_table
from curation.run_folders import what_became
from curation.runs import list_runs
from curation.thumbnails import Picture, Thumbnails
from diagnostics.errors import ProjectError, WinnowError
from diagnostics.run_folder import RunInfo

PROJECT_VARIABLE = "WINNOW_PROJECT"
Params = ParamSpec("Params")

ANNOTATOR_KEY, RUN_KEY, REVIEWED_KEY, PROBLEM_KEY = "annotator", "run", "reviewed_run", "problem"
NEWEST = ""
ANNOTATOR_COOKIE = "winnow_annotator"
MAX_NAME = 80
MAX_QUEUES = 24

TOKEN_SECRET = secrets.token_bytes(32)


def now() -> datetime:
    """The time that pages and routes hand to the libraries."""
    return datetime.now(UTC)


def current_project() -> Project:
    """The project this process serves."""
    folder = os.environ.get(PROJECT_VARIABLE)
    if not folder:
        raise ProjectError("No project is being served. Start the app with: winnow app PROJECT")
    return _open(Path(folder))


@cache
def _open(folder: Path) -> Project:
    return Project.open(folder)


def telling(callback: Callable[Params, None]) -> Callable[Params, None]:
    """A callback whose known errors are kept for `main` to show, instead of ending the page."""

    @wraps(callback)
    def told(*args: Params.args, **kwargs: Params.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except WinnowError as error:
            st.session_state[PROBLEM_KEY] = str(error)

    return told


def take_problem() -> str:
    """What a callback ran into since the page was drawn last, "" if nothing; told once."""
    return str(st.session_state.pop(PROBLEM_KEY, ""))


# ---------------------------------------------------------------- who


def annotator() -> str:
    """The name that decisions of this session are kept under."""
    typed = str(st.session_state.get(ANNOTATOR_KEY, "")).strip()
    return typed[:MAX_NAME] or usual_name()


def usual_name() -> str:
    """The name of somebody who has typed none yet."""
    return remembered_name().strip()[:MAX_NAME] or getpass.getuser()


def remembered_name() -> str:
    """The name that this browser decided under last, "" if none."""
    return unquote(st.context.cookies.get(ANNOTATOR_COOKIE) or "")


def token() -> str:
    """What the routes ask for from a page of this session."""
    return sign(project_key(), annotator(), secret=TOKEN_SECRET, now=now())


def project_key() -> str:
    """A name of this project that does not tell where it lies."""
    info = current_project().info
    return f"{info.name}:{info.fingerprint[:16]}"


# ---------------------------------------------------------------- what


def finished_runs() -> list[RunInfo]:
    """The finished runs, newest first."""
    return list_runs(current_project())[::-1]


def newest_run_id() -> str | None:
    """The run that was finished last, None before the first."""
    return next((info.run_id for info in finished_runs()), None)


def current_run_id() -> str | None:
    """The run that pages show: the one picked in the sidebar, else the newest; None before the first."""
    known = [info.run_id for info in finished_runs()]
    picked = st.session_state.get(RUN_KEY)
    return picked if picked in known else newest_run_id()


def reviewed_run_id() -> str | None:
    """The run whose queue Review shows: the one picked in the sidebar, else the one that was newest when Review was
    opened, because no order may change under a reviewer's hands."""
    known = [info.run_id for info in finished_runs()]
    picked = st.session_state.get(RUN_KEY)
    if picked in known:
        return str(picked)
    if st.session_state.get(REVIEWED_KEY) not in known:
        st.session_state[REVIEWED_KEY] = newest_run_id()
    kept: str | None = st.session_state[REVIEWED_KEY]
    return kept


def review_newest() -> None:
    """Let Review show the newest run from now on; for callbacks, because it changes the pick in the sidebar too."""
    st.session_state[RUN_KEY] = NEWEST
    st.session_state[REVIEWED_KEY] = newest_run_id()


def leave_review() -> None:
    """Forget which run Review showed: who comes back gets the newest one."""
    st.session_state.pop(REVIEWED_KEY, None)


def forget_lost_runs() -> list[str]:
    """Show the newest run where a run was shown that is there no more; returns what became of each, a sentence.

    For the beginning of a page: the pick in the sidebar changes.
    """
    known = {NEWEST, None, *(info.run_id for info in finished_runs())}
    lost = {
        st.session_state.pop(key) for key in (RUN_KEY, REVIEWED_KEY) if st.session_state.get(key) not in known
    }
    return [what_became(current_project(), str(run_id)) for run_id in sorted(lost)]


def validation_alarm_now() -> RunAlarm | None:
    """Whether validation rises alone; looked for again when there is another run or dataset version."""
    project = current_project()
    run_ids = tuple(info.run_id for info in finished_runs())
    return _alarm(project.folder, run_ids, dataset_version(project))


@lru_cache(maxsize=8)
def _alarm(folder: Path, _run_ids: tuple[str, ...], _version: DatasetVersion) -> RunAlarm | None:
    return validation_alarm(_open(folder))


def feature_table_now() -> pd.DataFrame:
    """What the columns of a table hold and are used as; made again when a kind was changed."""
    project = current_project()
    return _feature_table(project.folder, tuple(stamp_of(project.folder / FEATURES_FILE)))


@lru_cache(maxsize=4)
def _feature_table(folder: Path, _stamp: tuple[int, ...]) -> pd.DataFrame:
    return feature_table(_open(folder).items, folder)


def n_open_decisions() -> int:
    """How many decisions of the open round stand; they are in no dataset version yet."""
    return int(rounds_table(current_project())["decisions"].iloc[-1])


_queues: OrderedDict[tuple[str, int, QueueQuery], Queue] = OrderedDict()
_queues_lock = threading.Lock()


def open_view(query: QueueQuery) -> Queue:
    """The queue of a query, its order frozen for as long as it is in use; the least recently used are dropped.

    A change of the classes opens it anew, under their present names; the order stays the same.
    """
    project = current_project()
    key = (str(project.folder), project.classes.number, query)
    with _queues_lock:
        if key not in _queues:
            _queues[key] = open_queue(project, query)
        _queues.move_to_end(key)
        while len(_queues) > MAX_QUEUES:
            _queues.popitem(last=False)
        return _queues[key]


@cache
def _thumbnails(folder: Path) -> Thumbnails:
    project = _open(folder)
    return Thumbnails(project.cache_dir / "thumbnails.db", project.read_image)


def thumbnails(item_ids: list[str]) -> list[bytes]:
    """The JPEG thumbnails of these items, empty bytes where a picture cannot be read; KeyError for an unknown item."""
    folder = Path(os.environ[PROJECT_VARIABLE])
    project = _open(folder)
    rows = project.item_index.rows_of(item_ids)
    for item_id, row in zip(item_ids, rows, strict=True):
        if row < 0:
            raise KeyError(item_id)
    hashes = project.items["content_hash"].iloc[rows]
    return _thumbnails(folder).get([Picture(*found) for found in zip(item_ids, hashes, strict=True)])
