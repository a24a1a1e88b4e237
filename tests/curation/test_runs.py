"""Runs of a project: ids are never given twice, unfinished runs are not mistaken for finished ones."""

import subprocess
import sys
import threading

import pytest

from curation.run_folders import allocate_run, read_start
from curation.runs import list_partial_runs, list_runs, read_run
from diagnostics.errors import RunError
from diagnostics.training.config import TrainConfig


def test_the_newest_run_is_read_if_none_is_named(project, add_run):
    for number in (1, 2, 10):
        add_run(project, f"run-{number:04d}", {"a": (1, 0, 0)})
    assert [info.run_id for info in list_runs(project)] == ["run-0001", "run-0002", "run-0010"]
    assert read_run(project).info.run_id == "run-0010"
    assert read_run(project, "run-0002").info.run_id == "run-0002"


@pytest.mark.parametrize("run_id", ["run-0009", "../project", "partial", ""])
def test_an_unknown_run_is_refused_and_the_known_ones_are_named(project, add_run, run_id):
    add_run(project, "run-0001", {"a": (1, 0, 0)})
    with pytest.raises(RunError, match=r"Its finished runs: run-0001"):
        read_run(project, run_id)


def test_without_a_run_the_message_says_how_to_train(project):
    with pytest.raises(RunError, match="winnow train"):
        read_run(project)


def test_an_unfinished_run_is_listed_apart_with_what_it_was_started_with(project, now):
    started = allocate_run(project, TrainConfig(epochs=3), 0, now=now)
    assert list_runs(project) == []
    assert list_partial_runs(project) == [started]
    with pytest.raises(RunError, match=r"not finished.*--resume run-0001"):
        read_run(project, "run-0001")
    assert read_start(project, "run-0001").config.epochs == 3


def test_a_finished_run_cannot_be_resumed(project, add_run):
    add_run(project, "run-0001", {"a": (1, 0, 0)})
    with pytest.raises(RunError, match="finished already"):
        read_start(project, "run-0001")


def test_ids_are_given_once_though_many_ask_at_once(project, now):
    given = []

    def allocate():
        for _ in range(5):
            given.append(allocate_run(project, TrainConfig(), 0, now=now).run_id)

    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == [f"run-{number:04d}" for number in range(1, 21)]


def test_ids_go_on_after_finished_runs(project, add_run, now):
    add_run(project, "run-0003", {"a": (1, 0, 0)})
    assert allocate_run(project, TrainConfig(), 0, now=now).run_id == "run-0004"


def test_no_module_of_the_package_imports_a_model_library_or_the_screen():
    modules = (
        "database",
        "decisions.store",
        "rounds",
        "runs",
        "queues",
        "jobs",
        "export",
        "patches",
        "reports",
    )
    imports = "; ".join(f"import curation.{module}" for module in modules)
    check = f"{imports}; import sys; print(sorted({{'torch', 'fastai', 'streamlit', 'alembic'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
