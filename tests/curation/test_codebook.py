"""The codebook: rules and exemplars of a class or a pair, appended, never written over unseen."""

import pytest
import sqlalchemy as sa

from curation.codebook import MAX_EXEMPLARS, MAX_RULE, add_exemplar, read_entry, remove_exemplar, write_rule
from curation.database import codebook_entries, reading
from curation.decisions.events import Decision
from diagnostics.errors import DecisionError, StaleTextError


@pytest.fixture
def rule(project, clock):
    """rule(labels, text, seen_number=, by=) → the entry."""

    def write(labels, text, seen_number=0, by="ada"):
        return write_rule(project, labels, text, seen_number=seen_number, annotator=by, now=clock())

    return write


def n_rows(project):
    with reading(project.engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(codebook_entries)).scalar()


def test_nothing_written_is_an_empty_entry(project):
    entry = read_entry(project, ["cat"])
    assert (entry.labels, entry.rule, entry.number, entry.annotator, entry.exemplars) == (
        ("cat",),
        "",
        0,
        None,
        (),
    )


def test_the_newest_rule_holds_and_earlier_ones_are_kept(project, rule):
    first = rule(["cat"], "Whiskers.")
    second = rule(["cat"], "Whiskers and purring.", first.number, by="bob")
    assert (second.rule, second.annotator) == ("Whiskers and purring.", "bob")
    assert read_entry(project, ["cat"]) == second
    assert n_rows(project) == 2


def test_a_pair_has_no_order_and_is_not_its_classes(project, rule):
    rule(["fox", "dog"], "Red is a fox.")
    assert read_entry(project, ["dog", "fox"]).rule == "Red is a fox."
    assert read_entry(project, ["dog", "fox"]).labels == ("dog", "fox")
    assert read_entry(project, ["dog"]).rule == ""


def test_a_rule_that_was_changed_meanwhile_is_not_written_over(project, rule):
    rule(["cat"], "Whiskers.")
    with pytest.raises(StaleTextError, match="rule of cat was changed meanwhile"):
        rule(["cat"], "Claws.", 0, by="bob")
    assert read_entry(project, ["cat"]).rule == "Whiskers."


def test_the_same_rule_again_writes_nothing(project, rule):
    assert rule(["cat"], "Whiskers.") == rule(["cat"], " Whiskers. ")
    assert n_rows(project) == 1


def test_exemplars_come_and_go_in_order_with_the_label_they_have_now(project, now):
    by = {"annotator": "ada", "now": now}
    for item_id in ("d", "a", "b", "a"):
        add_exemplar(project, ["cat"], item_id, **by)
    remove_exemplar(project, ["cat"], "a", **by)
    remove_exemplar(project, ["cat"], "never shown", **by)
    project.decisions.decide([Decision("b", "label_wrong", "cat")], **by)
    shown = read_entry(project, ["cat"]).exemplars
    assert [(one.item_id, one.label, one.path) for one in shown] == [
        ("d", "cat", "img/d.png"),
        ("b", "cat", "img/b.png"),
    ]
    assert n_rows(project) == 4


def test_exemplars_do_not_make_a_rule_stale(project, rule, now):
    first = rule(["cat"], "Whiskers.")
    add_exemplar(project, ["cat"], "a", annotator="bob", now=now)
    assert rule(["cat"], "Claws.", first.number).rule == "Claws."


def test_there_are_at_most_12_exemplars(make_project, now):
    project = make_project([(f"i{number}", "train", "cat") for number in range(MAX_EXEMPLARS + 1)])
    for number in range(MAX_EXEMPLARS):
        add_exemplar(project, ["cat"], f"i{number}", annotator="ada", now=now)
    assert len(add_exemplar(project, ["cat"], "i3", annotator="ada", now=now).exemplars) == MAX_EXEMPLARS
    with pytest.raises(DecisionError, match="12 exemplars already"):
        add_exemplar(project, ["cat"], "i12", annotator="ada", now=now)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["cow"], "'cow' is no class"),
        (["cat", "cat"], "two different"),
        ([], "found none"),
        (["cat", "dog", "fox"], "one"),
    ],
)
def test_labels_that_are_no_entry_are_refused(project, labels, text):
    with pytest.raises(DecisionError, match=text):
        read_entry(project, labels)


def test_a_rule_that_is_too_long_and_an_unknown_item_are_refused(project, rule, now):
    with pytest.raises(DecisionError, match="at most 4,000"):
        rule(["cat"], "x" * (MAX_RULE + 1))
    with pytest.raises(DecisionError, match="no such item"):
        add_exemplar(project, ["cat"], "A1", annotator="ada", now=now)
    assert n_rows(project) == 0
