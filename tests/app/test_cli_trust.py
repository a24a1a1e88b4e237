"""What the command line says of how far the numbers can be trusted, and what to do next."""

import json

from app.cli import run
from curation.test_looks import looks_at_test


def told(capsys, *arguments):
    """The JSON document that a command line prints."""
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def printed(capsys, *arguments) -> str:
    assert run([*map(str, arguments)]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_a_report_tells_what_to_do_next_about_each_class(project, capsys):
    lines = told(capsys, "report", project.folder, "--advice")["advice"]
    assert {line["label"] for line in lines} == {"blue", "green", "red"}
    assert lines[0]["actions"][0]["target"] == "review"
    assert "too few validation items to judge" in printed(capsys, "report", project.folder, "--advice")
    assert "advice" not in told(capsys, "report", project.folder)


def test_a_report_on_test_is_a_look_that_is_counted(project, capsys):
    assert "looks_at_test" not in told(capsys, "report", project.folder)
    found = told(capsys, "report", project.folder, "--split", "test", "--as", "bob")["looks_at_test"]
    assert (found["n"], found["people"]) == (1, ["bob"])
    again = printed(capsys, "report", project.folder, "--split", "test", "--as", "bob")
    assert "Test was looked at once, by 1 person" in again
    assert looks_at_test(project).n == 1


def test_the_doctor_of_a_project_checks_its_newest_training(project, capsys):
    found = told(capsys, "doctor", project.folder)
    assert found["run_id"] == "run-0001"
    codes = {finding["code"]: finding["outcome"] for finding in found["findings"]}
    assert codes["WD007"] == "issue" and codes["WD011"] == "passed"
    text = printed(capsys, "doctor", project.folder)
    assert "WD007 issue: Validation set too small." in text and "What to do:" in text


def test_a_run_is_named_to_the_doctor_with_its_project(capsys):
    assert run(["doctor", "--run", "run-0001"]) == 2
    assert "--run goes with a PROJECT" in capsys.readouterr().err


def test_validation_against_test_is_told_with_the_looks_that_it_costs(project, add_run, capsys):
    add_run(project, "run-0002", seed=1)
    found = told(capsys, "agreement", project.folder, "--as", "ada")
    assert found["alarm"] is None
    assert "Too few to tell" in found["verdict"]
    assert [row["run_id"] for row in found["runs"]] == ["run-0001", "run-0002"]
    assert (found["looks_at_test"]["n"], len(found["looks_at_test"]["run_ids"])) == (1, 2)
    assert "Full runs" in printed(capsys, "agreement", project.folder, "--as", "ada")


def test_unlabelled_items_are_ranked_by_their_likeness_to_a_class(project, capsys):
    found = told(capsys, "rank", project.folder, "--like", "red")
    assert found["by"] == "likeness to red"
    assert {item["split"] for item in found["items"]} == {"unlabelled"}
    assert run(["rank", str(project.folder), "--like", "mauve"]) == 1
