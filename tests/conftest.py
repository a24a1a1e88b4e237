"""Projects that several tests start from."""

import gc
import io
import json
import os
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from app.cli import run

# Each worker of the test run has a core. Two threads of linear algebra in each would spend their time on waiting for
# one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time and no clock: a busy machine or an unlucky draw must not fail a change that is right.
# `pytest --hypothesis-profile=explore` draws new ones.
TOLERATED = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
]  # fixtures here make a new project a call
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=TOLERATED)
settings.register_profile("explore", deadline=None, suppress_health_check=TOLERATED)
settings.load_profile("repeatable")


@dataclass(frozen=True)
class Answer:
    """What a command line printed, and its exit code."""

    stdout: str
    stderr: str
    returncode: int


def winnow(*arguments: object, check: bool = True) -> Answer:
    """Run a command line in this process, which has the libraries loaded that a new one takes seconds to import."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = run([str(argument) for argument in arguments])
    if check and code != 0:
        raise AssertionError(f"winnow {arguments} exited with {code}:\n{out.getvalue()}\n{err.getvalue()}")
    return Answer(out.getvalue(), err.getvalue(), code)


@pytest.fixture(autouse=True)
def own_main_module():
    """Streamlit's AppTest puts its script in the place of the main module, which new processes would then run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def run_winnow():
    """The function `winnow(*arguments, check=True)`."""
    return winnow


@pytest.fixture(scope="session")
def finished_demo(tmp_path_factory, worker_id) -> Path:
    """The demo project after `winnow demo --no-app`; read-only for tests. Made once, however many processes test."""
    alone = worker_id == "master"
    folder = tmp_path_factory.mktemp("demo") if alone else tmp_path_factory.getbasetemp().parent
    with FileLock(folder / "demo.lock"):
        project = folder / "project"
        if not project.exists():
            with pytest.MonkeyPatch.context() as patch:
                # The other worker has the other core: one model after the other, no processes that import torch anew.
                patch.setattr("diagnostics.training.fold.n_cores", lambda: 1)
                made = json.loads(winnow("demo", project, "--no-app", "--json").stdout)
            assert Path(made["project"]) == project
    return project


@pytest.fixture
def demo_project(finished_demo, tmp_path) -> Path:
    """A copy of the demo project that a test may change."""
    copy = tmp_path / "project"
    shutil.copytree(finished_demo, copy)
    return copy


LONGEST_FIRST = (
    "test_cli.py",
    "test_training_run.py",
    "test_review_browser.py",
    "test_browser_loop.py",
    "test_pages.py",
    "test_readme.py",
)


def pytest_collection_modifyitems(items):
    """Files that take long begin first, so that no worker is left alone with one of them at the end."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish():
    """What the imports made stays until the end. Streamlit's AppTest collects garbage after every run of a page, which
    takes half a second if it looks through all of that."""
    gc.collect()
    gc.freeze()
