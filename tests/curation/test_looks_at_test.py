from datetime import timedelta

import pytest

from curation.test_looks import looks_at_test, note_look
from diagnostics.errors import ProjectError


def test_nobody_has_looked_at_the_test_set_of_a_new_project(project):
    looks = looks_at_test(project)
    assert (looks.n, looks.people, looks.last) == (0, (), None)
    assert str(looks) == "Nobody has looked at the test set yet."


def test_the_same_person_run_and_place_count_once_an_hour(project, now):
    look = {"place": "report", "annotator": "ada"}
    assert note_look(project, ["run-0001"], **look, now=now) == 1
    assert note_look(project, ["run-0001"], **look, now=now + timedelta(minutes=59)) == 0
    assert note_look(project, ["run-0001"], **look, now=now + timedelta(minutes=61)) == 1
    assert looks_at_test(project).n == 2


def test_another_person_run_or_place_is_another_look(project, now):
    note_look(project, ["run-0001", "run-0002"], place="rounds", annotator="ada", now=now)
    note_look(project, ["run-0001"], place="report", annotator="ada", now=now)
    note_look(project, ["run-0001"], place="rounds", annotator="bob", now=now + timedelta(days=1))
    looks = looks_at_test(project)
    assert (looks.n, looks.people, looks.run_ids) == (3, ("ada", "bob"), ("run-0001", "run-0002"))
    assert "3 times, by 2 people, last on 2026-11-02" in str(looks)


def test_a_run_named_twice_in_one_look_counts_once(project, now):
    assert note_look(project, ["run-0001", "run-0001"], place="rounds", annotator="ada", now=now) == 1


@pytest.mark.parametrize(("annotator", "place"), [(" ", "report"), ("ada", ""), ("ada", "x" * 33)])
def test_a_look_names_who_and_where(project, now, annotator, place):
    with pytest.raises(ProjectError, match="who looked and where"):
        note_look(project, ["run-0001"], place=place, annotator=annotator, now=now)
