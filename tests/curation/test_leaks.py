"""Training copies of held-out items are left out, visibly and for as long as people want; additions are refused."""

import pyarrow.parquet as pq
import pytest

from curation.bulk import apply_bulk, preview_bulk
from curation.decisions.events import Decision
from curation.leaks import GUARD, leave_out, leave_out_at_import, read_leaks, take_back
from curation.patches import read_patch
from curation.project import ITEMS_FILE, LEAKS_FILE, Project
from curation.queues import QueueQuery, open_queue
from curation.rounds import close_round, dataset_version, decide_at_import, rounds_table, training_items
from diagnostics.errors import DecisionError, ProjectError

CONTENTS = {"a": "one image", "t": "one image", "u": "one image", "d": "another", "v": "another"}


@pytest.fixture
def leaky(make_project) -> Project:
    """Train a and unlabelled u are the test item t, train d is the validation item v."""
    return make_project(contents=CONTENTS)


def trained_on(project: Project) -> set[str]:
    items = training_items(project, dataset_version(project))
    return set(items.loc[items["split"] == "train", "item_id"])


def label(item_id: str, **more) -> Decision:
    return Decision(item_id, "labelled", "cat", **more)


# ---------------------------------------------------------------- what leaks


def test_the_report_says_what_leaks_and_what_it_means(leaky):
    report = read_leaks(leaky)
    assert report.n_items == 8
    assert report.near_looked_for
    assert dict(zip(report.pairs["item_id"], report.pairs["said"], strict=True)) == {
        "a": "the same image as t (test)",
        "u": "the same image as t (test)",
        "d": "the same image as v (val)",
    }
    assert (report.n_in_training, report.n_left_out) == (2, 0)
    assert report.counts["n_items"].tolist() == [1, 1, 1]
    assert report.counts["n_in_training"].tolist() == [1, 1, 0]
    assert report.counts["meaning"].str.contains("looks better than it is|refused").all()


def test_a_project_without_leaks_has_an_empty_report(project):
    report = read_leaks(project)
    assert report.pairs.empty
    assert report.counts.empty
    assert (report.n_in_training, report.n_items) == (0, 8)


def test_an_item_that_a_person_excluded_is_not_trained_on(leaky, now):
    leaky.decisions.decide([Decision("a", "bad_item")], annotator="ada", now=now)
    report = read_leaks(leaky)
    assert (report.n_in_training, report.n_left_out) == (1, 0)


# ---------------------------------------------------------------- leaving out


def test_what_is_left_out_at_import_belongs_to_version_0_and_to_no_round(leaky, now):
    leave_out_at_import(leaky, annotator="ada", now=now)
    assert trained_on(leaky) == {"b", "c"}
    version = dataset_version(leaky)
    assert (version.number, version.event) == (0, 2)
    assert version.fingerprint != leaky.info.fingerprint
    assert rounds_table(leaky)[["round", "version", "decisions"]].to_numpy().tolist() == [[1, 0, 0]]
    state = leaky.decisions.states(["a"])["a"]
    assert (state.status, state.annotator) == ("excluded", GUARD)
    assert state.note == "Left out of training: it is the same image as t (test). Asked for by ada."
    report = read_leaks(leaky)
    assert (report.n_in_training, report.n_left_out, report.n_waiting) == (0, 2, 0)


def test_rounds_count_on_from_1_after_an_import_that_left_items_out(leaky, now):
    leave_out(leaky, annotator="ada", now=now)
    leaky.decisions.decide([Decision("b", "label_wrong", "cat")], annotator="ada", now=now)
    assert close_round(leaky, "ada", now).number == 1
    assert dataset_version(leaky).number == 1
    assert dataset_version(leaky, 0).event == 2
    assert rounds_table(leaky)["decisions"].tolist() == [1, 0]


def test_held_out_and_unlabelled_items_are_never_touched(leaky, now):
    leave_out(leaky, annotator="ada", now=now)
    assert leaky.decisions.state_table()["item_id"].tolist() == ["a", "d"]


def test_once_work_has_begun_leaving_out_belongs_to_the_open_round(leaky, now):
    leaky.decisions.decide([Decision("b", "label_wrong", "cat")], annotator="ada", now=now)
    leave_out(leaky, annotator="ada", now=now)
    assert trained_on(leaky) == {"a", "b", "c", "d"}
    assert read_leaks(leaky).n_waiting == 2
    close_round(leaky, "ada", now)
    assert trained_on(leaky) == {"b", "c"}
    assert read_leaks(leaky).n_waiting == 0


def test_taking_back_undoes_all_of_the_guard_and_nothing_of_people(leaky, now):
    leave_out(leaky, annotator="ada", now=now)
    leaky.decisions.decide([Decision("b", "label_wrong", "cat")], annotator="ada", now=now)
    leaky.decisions.decide([Decision("d", "label_right", "cat")], annotator="ada", now=now)
    assert take_back(leaky, now=now) == 1
    assert read_leaks(leaky).n_in_training == 2
    assert leaky.decisions.state_table()["item_id"].tolist() == ["b", "d"]
    assert take_back(leaky, now=now) == 0


def test_leaving_out_twice_changes_nothing_the_second_time(leaky, now):
    assert leave_out(leaky, annotator="ada", now=now).n_changed == 2
    assert leave_out(leaky, annotator="ada", now=now).n_changed == 0


def test_a_split_of_which_most_leaks_is_left_to_a_person(make_project, now):
    project = make_project(groups={"a": "p", "b": "p", "d": "p", "v": "p"})
    assert leave_out_at_import(project, annotator="ada", now=now) is None
    assert read_leaks(project).n_in_training == 3
    assert leave_out(project, annotator="ada", now=now).n_changed == 3


def test_leaving_out_names_who_does_it(leaky, now):
    with pytest.raises(DecisionError, match="names who"):
        leave_out(leaky, annotator=" ", now=now)


# ---------------------------------------------------------------- additions


def test_labelling_a_copy_of_a_test_item_is_refused_with_the_pair(leaky, now):
    with pytest.raises(
        DecisionError, match=r"u: cannot join the training set, because it is the same image as t \(test\)"
    ):
        leaky.decisions.decide([label("u"), label("w")], annotator="ada", now=now)
    assert leaky.decisions.last_event() == 0


def test_other_verdicts_on_it_are_taken(leaky, now):
    result = leaky.decisions.decide([Decision("u", "ambiguous", "cat")], annotator="ada", now=now)
    assert result.n_changed == 1


def test_an_act_can_leave_it_and_do_the_rest(leaky, now):
    result = leaky.decisions.decide(
        [label("u"), label("w")], annotator="ada", now=now, leave_barred=True, client_id="tab", client_seq=1
    )
    assert (result.n_changed, result.n_refused) == (1, 1)
    assert "u: cannot join the training set" in result.reason
    assert leaky.decisions.first_answer("tab", 1) == result
    assert leaky.decisions.states(["u"])["u"].status == "kept"


def test_a_patch_with_a_copy_is_refused_whole(leaky, now, tmp_path):
    patch = tmp_path / "patch.csv"
    patch.write_text("id,label\nu,cat\nw,cat\n")
    with pytest.raises(DecisionError, match="the same image as t"):
        leaky.decisions.decide(read_patch(leaky, patch), annotator="ada", now=now)


def test_a_bulk_act_counts_it_among_the_refused(leaky, add_run, now):
    add_run(leaky, "run-0001", {"a": (0.9, 0.1, 0), "u": (0.6, 0.4, 0), "w": (0.6, 0.4, 0)})
    queue = open_queue(leaky, QueueQuery(by="entropy", splits=("unlabelled",)))
    seen = preview_bulk(queue, leaky.decisions, "accept", label=None)
    assert (seen.n_change, seen.n_refused) == (1, 1)
    assert "may not join the training set" in seen.reason
    done = apply_bulk(queue, leaky.decisions, "accept", label=None, expected_n=2, annotator="ada", now=now)
    assert (done.n_changed, done.n_refused, done.reason) == (1, 1, seen.reason)
    assert preview_bulk(queue, leaky.decisions, "exclude", label=None).n_refused == 0


def test_an_item_of_a_held_out_group_is_refused_likewise(make_project, now):
    project = make_project(groups={"u": "patient 7", "v": "patient 7"})
    with pytest.raises(DecisionError, match=r"of group 'patient 7', like v \(val\)"):
        project.decisions.decide([label("u")], annotator="ada", now=now)


# ---------------------------------------------------------------- older projects


@pytest.fixture
def older(leaky) -> Project:
    """As a Winnow made it that knew neither groups nor near duplicates."""
    (leaky.folder / LEAKS_FILE).unlink()
    items = pq.read_table(leaky.folder / ITEMS_FILE).drop_columns(["group", "unit"])
    pq.write_table(items, leaky.folder / ITEMS_FILE)
    return Project.open(leaky.folder)


def test_an_older_project_opens_and_does_not_pretend_that_near_duplicates_were_looked_for(older, now):
    report = read_leaks(older)
    assert not report.near_looked_for
    assert report.pairs["item_id"].tolist() == ["a", "d", "u"]
    assert older.items["unit"].tolist() == older.items["content_hash"].tolist()
    assert older.items["group"].isna().all()
    with pytest.raises(DecisionError, match="the same image as t"):
        older.decisions.decide([label("u")], annotator="ada", now=now)


def test_a_copy_that_was_added_before_copies_were_refused_is_trained_on_and_can_be_left_out(
    older, now, monkeypatch
):
    monkeypatch.setattr(older.decisions, "barred", {})
    older.decisions.decide([label("u")], annotator="ada", now=now)
    opened = Project.open(older.folder)
    assert read_leaks(opened).n_in_training == 3
    assert leave_out(opened, annotator="ada", now=now).n_changed == 3


def test_decisions_at_import_are_refused_once_work_has_begun(leaky, now):
    close_round(leaky, "ada", now)
    with pytest.raises(ProjectError, match="at work already"):
        decide_at_import(leaky, [Decision("a", "bad_item")], annotator="ada", now=now)


def test_what_belongs_together_is_one_unit_of_the_training_items(make_project):
    project = make_project(contents={"a": "one image", "b": "one image"}, groups={"b": "p", "c": "p"})
    units = training_items(project, dataset_version(project)).set_index("item_id")["unit"]
    assert units["a"] == units["b"] == units["c"]
    assert units["d"] not in (units["a"], units["v"])
