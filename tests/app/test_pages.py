import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import app
from app import context
from app.views.performance import _with_intervals
from app.widgets import what_if
from curation.decisions.events import Decision
from curation.project import LEAKS_FILE
from curation.queues import QueueQuery, open_queue
from curation.reports import labelled_predictions
from curation.rounds import current_round
from curation.run_removal import remove_run
from curation.runs import read_run
from curation.test_looks import looks_at_test
from curation.what_if import write_what_if
from diagnostics.compare import F1_COLUMNS
from diagnostics.run_folder import HISTORY_FILE, LOG_FILE, LR_FINDER_FILE, QuickInfo, write_run_info
from diagnostics.run_folder import INFO_FILE as RUN_FILE

MAIN = Path(app.__file__).with_name("main.py")
PAGES = ["data", "train", "performance", "review", "rounds", "experiments", "export"]


def opened(page: str, **params: str | list[str]) -> AppTest:
    """The page as a visitor sees it, sidebar and all."""
    at = AppTest.from_file(str(MAIN), default_timeout=120)
    for name, value in params.items():
        at.query_params[name] = value
    if page == "data":
        return at.run()
    at.run()
    for name, value in params.items():
        at.query_params[name] = value
    return at.switch_page(f"views/{page}.py").run()


def with_more_filters(at: AppTest) -> AppTest:
    """The Review page with the popover of the filters that are asked for less often open."""
    at.session_state["review_more"] = True
    return at.run()


def texts(at: AppTest) -> str:
    kinds = (at.title, at.caption, at.markdown, at.info, at.warning, at.error, at.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def train_item(project) -> str:
    return project.items.loc[project.items["split"] == "train", "item_id"].iloc[0]


def decide(project, item_id, verdict="ambiguous", label=None):
    decision = Decision(item_id, verdict, label=label)
    return project.decisions.decide([decision], annotator="ada", now=context.now())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_project_without_a_run_says_what_to_do_next(empty_project, page):
    at = opened(page)
    assert not at.exception
    assert not at.error
    assert at.title[0].value == page.capitalize()
    assert any(button.label for button in at.button)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_project_with_a_run_is_drawn(project, page):
    at = opened(page)
    assert not at.exception
    assert not at.error


def test_where_a_run_was_shown_that_is_removed_the_newest_is_shown_and_a_sentence_says_so(project, add_run):
    add_run(project, "run-0002")
    at = opened("review")
    assert "run-0002" in at.session_state["reviewed_run"]
    remove_run(project, "run-0002", annotator="ada", now=context.now())
    at.run()
    assert "run-0002 was removed" in at.info[0].value.replace("\\", "")
    assert "The newest run is shown instead" in at.info[0].value
    assert at.session_state["reviewed_run"] == "run-0001"
    assert not at.run().info
    remove_run(project, "run-0001", annotator="ada", now=context.now())
    assert "There is no other" in at.run().info[0].value


def test_a_run_that_cannot_be_read_is_named_on_the_train_page_and_can_be_removed(project, add_run):
    add_run(project, "run-0002")
    (project.runs_dir / "run-0002" / RUN_FILE).write_text("{", encoding="utf-8")
    at = opened("train")
    assert not at.error
    assert "cannot be read and is left out" in at.warning[0].value
    at.button(key="remove_run-0002").click().run()
    assert not at.warning
    assert not (project.runs_dir / "run-0002").exists()


@pytest.mark.parametrize("page", ["train", "performance", "review"])
def test_a_page_of_a_quick_run_is_drawn_and_the_train_page_says_what_it_is(project, add_run, page):
    add_run(project, "run-0002")
    folder = project.runs_dir / "run-0002"
    for name in (HISTORY_FILE, LR_FINDER_FILE, LOG_FILE):
        (folder / name).unlink()
    quick = QuickInfo("the 5 fold models of run-0001 (small_cnn)", "run-0001", 0.1)
    write_run_info(folder, replace(read_run(project).info, quick=quick))
    at = opened(page)
    assert not at.exception
    assert not at.error
    if page == "train":
        assert "only heads were trained" in texts(at)
        runs = at.dataframe[0].value
        assert runs[["run", "model"]].to_numpy().tolist() == [
            ["run-0002", "quick, from run-0001"],
            ["run-0001", "small_cnn"],
        ]


def test_the_quick_estimate_has_its_place_on_review_before_it_is_there(project, add_run, monkeypatch):
    add_run(project, "run-0002")
    quick = QuickInfo("the 5 fold models of run-0001 (small_cnn)", "run-0001", 0.1)
    write_run_info(project.runs_dir / "run-0002", replace(read_run(project).info, quick=quick))
    assert "Quick estimate" not in texts(opened("review"))
    under_way = SimpleNamespace(run_id="run-0002")
    monkeypatch.setattr(what_if, "running_job", lambda _: under_way)
    assert "Quick estimate: of each class, in a moment" in texts(opened("review"))
    write_what_if(read_run(project), pd.DataFrame(columns=list(F1_COLUMNS)))
    assert "Quick estimate: there is no labelled validation item" in texts(opened("review"))


def test_a_folder_that_is_no_project_is_one_message_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv(context.PROJECT_VARIABLE, str(tmp_path / "nothing"))
    at = opened("data")
    assert not at.exception
    assert "winnow init" in at.error[0].value.replace("\\", "")


def test_the_data_page_tells_checks_that_found_nothing_from_checks_not_made(empty_project):
    assert "checks were made on every item; none found anything" in texts(opened("data"))


def test_an_in_sample_run_is_marked_loudly_on_train(empty_project, add_run):
    add_run(empty_project, "run-0001", in_sample=True)
    at = opened("performance")
    at.segmented_control(key="performance_split_run-0001").set_value("train").run()
    assert "In sample" in at.warning[0].value


def test_out_of_fold_numbers_are_called_so(project):
    at = opened("performance")
    at.segmented_control(key="performance_split_run-0001").set_value("train").run()
    assert not at.warning
    assert "Out of fold" in texts(at)


def test_numbers_stand_with_their_interval_and_the_rule_of_the_marks_is_visible(project):
    shown = texts(opened("performance"))
    assert "95 % interval" in shown
    assert "marked as underperforming when" in shown


def test_the_table_of_classes_of_a_comparison_follows_the_metric_that_is_picked(project, add_run):
    add_run(project, "run-0002", seed=1)
    at = opened("rounds")

    def differences() -> list[str]:
        (table,) = [each.value for each in at.dataframe if "difference" in each.value]
        return table.sort_values("label")["difference"].tolist()

    f1 = differences()
    picker = next(each for each in at.segmented_control if each.label == "Metric")
    picker.set_value("recall").run()
    assert len(f1) == len(differences()) == 3
    assert f1 != differences()


def test_the_classes_have_a_column_of_marks_where_there_is_one(project):
    table = labelled_predictions(project, "val").class_report().worst_first()
    assert "mark" in _with_intervals(table)
    assert "mark" not in _with_intervals(table.assign(mark=""))


def test_each_class_has_a_line_that_leads_to_what_to_do_next(project):
    at = opened("performance")
    assert "What to do next" in [heading.value for heading in at.subheader]
    assert "too few validation items to judge" in texts(at)
    button = next(button for button in at.button if button.label == "Its validation items")
    button.click().run()
    assert not at.exception
    assert at.title[0].value == "Review"
    assert at.query_params["split"] == "val"


def test_picking_the_test_set_is_a_look_that_is_counted_and_told(project):
    at = opened("performance")
    assert looks_at_test(project).n == 0
    at.segmented_control(key="performance_split_run-0001").set_value("test").run()
    assert (looks_at_test(project).n, looks_at_test(project).people) == (1, ("ada",))
    assert "Test was looked at once, by 1 person" in texts(at)
    at.run()
    assert looks_at_test(project).n == 1


def test_validation_is_held_against_test_only_when_a_person_asks_for_it(project, add_run):
    add_run(project, "run-0002", seed=1)
    at = opened("rounds")
    assert looks_at_test(project).n == 0
    next(button for button in at.button if button.label == "Compare with test").click().run()
    assert not at.exception
    assert (looks_at_test(project).n, looks_at_test(project).run_ids) == (1, ("run-0002", "run-0001"))
    assert "Too few to tell" in texts(at)


def test_the_train_page_checks_the_run_issues_first(project):
    at = opened("train")
    assert "Training check" in [heading.value for heading in at.subheader]
    shown = texts(at)
    assert "Validation set too small" in shown and "What to do:" in shown
    assert any("passed" in expander.label for expander in at.expander)


def test_decisions_of_the_open_round_are_said_not_to_be_in_the_next_run(project):
    decide(project, train_item(project))
    at = opened("train")
    assert "not in the next run until the round is closed" in at.info[0].value
    assert "Close round and train 5 folds" in [button.label for button in at.button]


def test_closing_the_round_opens_the_next(project):
    decide(project, train_item(project))
    at = opened("rounds")
    next(button for button in at.button if button.label == "Close round 1").click().run()
    assert not at.exception
    assert current_round(project).number == 2


def test_a_round_without_decisions_cannot_be_closed(project):
    button = next(button for button in opened("rounds").button if button.label == "Close round 1")
    assert button.disabled


def test_two_runs_of_one_model_each_get_no_verdict_and_the_reason_is_said(project, add_run):
    add_run(project, "run-0002", seed=1)
    at = opened("rounds")
    assert not at.exception
    assert at.info[0].value.startswith("**Cannot tell**: macro F1")
    assert "hold the chance of the items only" in texts(at)
    assert "Both sides are measured on the labels of dataset version 0" in texts(at)


def test_the_test_split_is_locked_until_a_reason_is_given(project):
    at = opened("review", split="test")
    assert "locked" in texts(at)
    at.text_input(key="unlock_reason").set_value("two labels are beyond doubt wrong")
    next(button for button in at.button if button.label == "Unlock the test set").click().run()
    assert project.decisions.test_unlocked()
    assert "is open" in texts(at)
    (log,) = at.dataframe
    assert log.value[["unlocked", "annotator", "reason"]].to_numpy().tolist() == [
        ["Unlocked", "ada", "two labels are beyond doubt wrong"]
    ]


def test_the_test_set_is_in_no_queue_unless_it_is_asked_for(project):
    at = opened("review")
    assert at.selectbox(key="review_split").value == "train"
    assert "locked" not in texts(at)


def test_training_copies_are_left_out_and_taken_back_on_the_data_page(leaky_project):
    at = opened("data")
    assert "1 training item belongs with validation or test items" in texts(at)
    assert at.button(key="leaks_leave_out").proto.type == "primary"
    at.button(key="leaks_leave_out").click().run()
    assert not at.exception
    item_id = leaky_project.leaks["item_id"].iloc[0]
    assert leaky_project.decisions.states([item_id])[item_id].status == "excluded"
    assert "1 training copy is left out of training" in texts(at)
    at.button(key="leaks_take_back").click().run()
    assert leaky_project.decisions.states([item_id])[item_id].status == "kept"


def test_a_project_without_leaks_says_among_how_many_items_none_were_found(empty_project):
    assert f"none found among {len(empty_project.items)} items" in texts(opened("data"))


def test_a_project_of_an_older_winnow_says_that_near_copies_were_not_looked_for(empty_project):
    (empty_project.folder / LEAKS_FILE).unlink()
    shown = texts(opened("data"))
    assert "were not looked for" in shown
    assert "Equal files: no two splits share" in shown


def test_a_filter_is_written_to_the_address(project):
    at = opened("review")
    at.selectbox(key="review_given").set_value("red").run()
    assert at.query_params["given"] == "red"


def test_review_begins_with_the_class_that_has_most_open_suspects_and_leads_to_the_next(project, add_run):
    add_run(project, "run-0002", seed=3)
    suspects = list(open_queue(project, QueueQuery()).open_suspects())
    at = opened("review")
    assert at.query_params["given"] == suspects[0]
    at.button(key="next_class").click().run()
    assert at.query_params["given"] == suspects[1]
    at.button(key="mix_classes").click().run()
    assert "given" not in at.query_params and at.query_params["mixed"] == "1"
    at.button(key="one_class").click().run()
    assert at.query_params["given"] == suspects[0]


def test_after_a_run_that_learned_from_decisions_review_begins_with_what_is_open(project, add_run):
    assert "decided" not in opened("review").query_params
    decide(project, open_queue(project, QueueQuery()).item_ids()[0], "label_right")
    add_run(project, "run-0002", event=project.decisions.last_event())
    at = opened("review")
    assert at.query_params["decided"] == "open"
    assert "decided" not in opened("review", mixed="1").query_params


def test_a_queue_of_one_predicted_class_is_named_as_that(project):
    names = project.task.classes
    name = next(name for name in names if open_queue(project, QueueQuery(predicted=name)).open_suspects())
    shown = [each.value for each in opened("review", predicted=name).markdown]
    assert f"Predicted as **{name}**, the most suspect items first" in shown


def test_any_given_label_means_all_classes_mixed(project):
    at = opened("review", given="red")
    at.selectbox(key="review_given").set_value("").run()
    assert "given" not in at.query_params and "mixed" in at.query_params


def test_unlabelled_items_are_ranked_by_confusion_and_another_split_begins_anew(project):
    at = opened("review", given="red")
    at.selectbox(key="review_split").set_value("unlabelled").run()
    assert "given" not in at.query_params
    assert at.selectbox(key="review_by").value == "confusion"


def test_a_confused_pair_is_picked_with_its_count(project):
    at = with_more_filters(opened("review", mixed="1"))
    first = open_queue(project, QueueQuery()).pair_counts().iloc[0]
    pair = (first["first"], first["second"])
    assert f"{pair[0]} ↔ {pair[1]} ({first['n']})" in at.selectbox(key="review_pair").options
    at.selectbox(key="review_pair").set_value(pair).run()
    assert at.query_params["pair"] == list(pair)
    assert not at.exception


def test_the_blind_share_is_in_the_address_and_the_report_tells_of_the_person(project):
    item_id = train_item(project)
    blind = Decision(item_id, "label_wrong", "green", blind=True)
    project.decisions.decide([blind], annotator="ada", now=context.now())
    at = with_more_filters(opened("review", given="red"))
    at.selectbox(key="review_blind").set_value("0.2").run()
    assert at.query_params["blind"] == "0.2"
    assert "given" not in at.query_params
    assert "1 blind, 0 with labels shown" in texts(with_more_filters(at))


def test_a_link_to_an_unknown_class_is_one_message(project):
    at = opened("review", given="mauve")
    assert not at.exception
    assert "mauve" in at.error[0].value


def test_the_export_page_prepares_the_files_and_counts_what_is_in_them(project):
    decide(project, train_item(project))
    at = opened("export")
    assert [metric.value for metric in at.metric if metric.label == "Unsure"] == ["1"]
    next(button for button in at.button if button.label == "Prepare the files").click().run()
    assert not at.exception
    assert not at.error


def test_the_web_process_loads_no_model_library(project):
    modules = "app.server, app.main, app.views.data, app.views.train, app.views.performance"
    code = (
        f"import sys, {modules}, app.views.review, app.views.rounds, app.views.export\n"
        "from app import context\n"
        "from curation.reports import labelled_predictions\n"
        "labelled_predictions(context.current_project(), 'val').class_report()\n"
        "print(sorted({'torch', 'fastai', 'torchvision', 'timm', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_a_link_that_names_a_class_opens_its_cap_experiment(project):
    at = opened("experiments", **{"class": "red"})
    assert not at.exception
    assert at.selectbox(key="experiment_class-cap_class").value == "red"
