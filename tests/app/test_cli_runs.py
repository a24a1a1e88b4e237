"""`winnow runs`: lists the runs, keeps and removes them."""

import io
import json

from app.cli import run


def told(capsys, *arguments):
    """The JSON document that a command line prints."""
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_runs_are_listed_kept_and_removed_once_that_is_confirmed(project, add_run, capsys, monkeypatch):
    add_run(project, "run-0002")
    found = told(capsys, "runs", project.folder, "--keep", "run-0001")
    assert [(row["run_id"], row["kept"]) for row in found["runs"]] == [
        ("run-0001", True),
        ("run-0002", False),
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["runs", str(project.folder), "--remove", "run-0002"]) == 1
    assert "This deletes run-0002: 0.0 MB" in capsys.readouterr().out
    assert (project.runs_dir / "run-0002").is_dir()
    removed = told(capsys, "runs", project.folder, "--remove", "run-0002", "--as", "ada")
    assert removed["removed"]["name"] == "run-0002"
    assert [row["run_id"] for row in removed["runs"]] == ["run-0001"]


def test_a_run_that_cannot_be_read_is_named_beside_the_others(project, add_run, capsys):
    add_run(project, "run-0002")
    (project.runs_dir / "run-0002" / "scores.parquet").unlink()
    assert run(["runs", str(project.folder)]) == 0
    told = capsys.readouterr()
    assert "run-0001" in told.out
    assert "run-0002 cannot be read and is left out: scores.parquet is missing" in told.err
