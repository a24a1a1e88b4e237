"""A patch is read as a whole or not at all, and everything wrong with it is told by row."""

import pytest

from curation.patches import decision_on, read_patch
from diagnostics.errors import DecisionError


@pytest.fixture
def patch(tmp_path):
    def write(text):
        path = tmp_path / "patch.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_label_alone_says_what_is_right(project, patch):
    found = read_patch(project, patch("id,label\na,dog\nb,dog\nu,fox\n"))
    assert [(each.item_id, each.verdict, each.label) for each in found] == [
        ("a", "label_wrong", "dog"), ("b", "label_right", "dog"), ("u", "labelled", "fox"),
    ]  # fmt: skip


def test_items_may_be_named_by_path_and_verdicts_may_stand_alone(project, patch, now):
    found = read_patch(
        project, patch("path,verdict,note\nimg/a.png,bad_item,black\nimg/b.png,label_right,\n")
    )
    project.decisions.decide(found, annotator="ada", now=now)
    states = project.decisions.states(["a", "b"])
    assert (states["a"].status, states["a"].note, states["b"].verdict) == ("excluded", "black", "label_right")


def test_a_byte_order_mark_and_blank_lines_do_no_harm(project, patch):
    assert len(read_patch(project, patch("\ufeffid,label\n\na,dog\n\n"))) == 1


def test_everything_wrong_is_listed_by_row(project, patch):
    text = "id,label,verdict\na,dgo,\nzz,dog,\nb,,\nc,,maybe\nd,cat\na,dog,\n"
    with pytest.raises(DecisionError) as refused:
        read_patch(project, patch(text))
    for part in (
        "6 wrong rows", "row 2: unknown class 'dgo'", "row 3: no item 'zz'", "row 4: neither a label nor a verdict",
        "row 5: unknown verdict 'maybe'", "row 6: 2 cells, expected 3", "row 7: 'a' again, as in row 2",
    ):  # fmt: skip
        assert part in str(refused.value)


@pytest.mark.parametrize("text", ["", "name,label\na,dog\n", "id,note\na,x\n"])
def test_a_file_with_other_columns_is_refused(project, patch, text):
    with pytest.raises(DecisionError, match="Expected a CSV with a column id or path"):
        read_patch(project, patch(text))


def test_a_file_that_is_no_text_is_refused(project, tmp_path):
    (tmp_path / "patch.csv").write_bytes(b"\xff\xfe\x00id")
    with pytest.raises(DecisionError, match="cannot be read"):
        read_patch(project, tmp_path / "patch.csv")


def test_one_decision_takes_a_label_a_verdict_or_both(project):
    assert decision_on(project, "a", label="dog").verdict == "label_wrong"
    assert decision_on(project, "a", verdict="ambiguous", note="?").note == "?"
    with pytest.raises(DecisionError, match="give a label, a verdict"):
        decision_on(project, "a")
    with pytest.raises(DecisionError, match="zz: no such item"):
        decision_on(project, "zz", label="dog")
