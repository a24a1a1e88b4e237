"""Projects that several tests start from."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

# The same examples every time and no clock: a busy machine or an unlucky draw must not fail a change that is right.
# `pytest --hypothesis-profile=explore` draws new ones.
TOLERATED = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
]  # fixtures here make a new project a call
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=TOLERATED)
settings.register_profile("explore", deadline=None, suppress_health_check=TOLERATED)
settings.load_profile("repeatable")


def winnow(
    *arguments: object, check: bool = True, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a user does."""
    command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
    return done


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
            made = json.loads(winnow("demo", project, "--no-app", "--json").stdout)
            assert Path(made["project"]) == project
    return project


@pytest.fixture
def demo_project(finished_demo, tmp_path) -> Path:
    """A copy of the demo project that a test may change."""
    copy = tmp_path / "project"
    shutil.copytree(finished_demo, copy)
    return copy


LONGEST_FIRST = ("test_cli.py", "test_training_run.py", "test_readme.py", "test_review_browser.py")


def pytest_collection_modifyitems(items):
    """Files that take long begin first, so that no worker is left alone with one of them at the end."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
