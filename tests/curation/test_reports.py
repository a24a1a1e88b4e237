import pytest

from curation.decisions.events import Decision
from curation.reports import compare_runs, labelled_predictions
from curation.rounds import close_round
from diagnostics.compare import BROKEN, CANNOT_TELL, FIXED, verdict_text
from diagnostics.errors import RunError
from diagnostics.run_folder import QuickInfo
from diagnostics.training.config import TrainConfig

CAT, DOG, FOX = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)
FIRST = {"a": CAT, "b": CAT, "c": FOX, "d": CAT, "v": CAT, "t": FOX, "u": CAT}


def test_a_split_is_measured_against_its_labels(project, add_run):
    add_run(project, "run-0001", FIRST)
    found = labelled_predictions(project, "train")
    assert list(found.item_ids) == ["a", "b", "c", "d"]
    assert found.class_report().accuracy.value == 0.75
    assert not found.in_sample


def test_predictions_of_a_model_that_saw_the_items_are_marked(project, add_run):
    add_run(project, "run-0001", FIRST, kind="in_sample")
    assert labelled_predictions(project, "train").in_sample
    assert not labelled_predictions(project, "val").in_sample


def test_items_that_came_after_the_run_are_counted_and_left_out(project, add_run):
    add_run(project, "run-0001", {name: probs for name, probs in FIRST.items() if name != "d"})
    found = labelled_predictions(project, "train")
    assert found.n_without_prediction == 1
    assert list(found.item_ids) == ["a", "b", "c"]


def test_a_corrected_validation_label_counts_once_its_round_is_closed_and_for_old_runs_too(
    project, add_run, clock
):
    add_run(project, "run-0001", FIRST)
    project.decisions.decide([Decision("v", "label_wrong", "cat")], annotator="ada", now=clock())
    assert labelled_predictions(project, "val").class_report().accuracy.value == 0.0
    close_round(project, "ada", clock())
    found = labelled_predictions(project, "val", "run-0001")
    assert found.class_report().accuracy.value == 1.0
    assert found.version == 1


def test_an_excluded_item_is_not_measured(project, add_run, clock):
    add_run(project, "run-0001", FIRST)
    project.decisions.decide([Decision("b", "bad_item")], annotator="ada", now=clock())
    close_round(project, "ada", clock())
    assert list(labelled_predictions(project, "train").item_ids) == ["a", "c", "d"]


def test_there_is_no_report_on_items_without_labels(project, add_run):
    add_run(project, "run-0001", FIRST)
    with pytest.raises(RunError, match="only train, val, test have labels"):
        labelled_predictions(project, "unlabelled")


def test_a_report_before_the_first_run_says_how_to_get_one(project):
    with pytest.raises(RunError, match="winnow train"):
        labelled_predictions(project, "val")


def test_two_runs_are_compared_item_by_item_on_the_same_labels(project, add_run, clock):
    add_run(project, "run-0001", FIRST)
    close_round(project, "ada", clock())
    add_run(project, "run-0002", FIRST | {"b": DOG, "c": CAT}, version=1)
    found = compare_runs(project, "train")
    assert (found.run_before, found.run_after) == ("run-0001", "run-0002")
    assert dict(zip(found.comparison.flips["item_id"], found.comparison.flips["change"], strict=True)) == {
        "b": FIXED,
        "c": BROKEN,
    }
    assert found.comparison.of("accuracy")["difference"] == 0.0
    assert found.comparison.verdict == CANNOT_TELL


def test_the_run_before_is_the_newest_on_an_earlier_version(project, add_run, clock):
    add_run(project, "run-0001", FIRST)
    add_run(project, "run-0002", FIRST)
    close_round(project, "ada", clock())
    add_run(project, "run-0003", FIRST, version=1)
    add_run(project, "run-0004", FIRST, version=1)
    assert compare_runs(project).run_before == "run-0002"
    assert compare_runs(project, before="run-0001", after="run-0003").run_before == "run-0001"


def test_runs_are_in_the_order_of_their_numbers_and_not_of_their_names(project, add_run):
    for run_id in ("run-9998", "run-9999", "run-10000"):
        add_run(project, run_id, FIRST)
    found = compare_runs(project)
    assert (found.run_before, found.run_after) == ("run-9999", "run-10000")
    assert compare_runs(project, after="run-9999").run_before == "run-9998"


def test_the_first_run_has_nothing_to_be_compared_with(project, add_run):
    add_run(project, "run-0001", FIRST)
    with pytest.raises(RunError, match="nothing to compare run-0001 with"):
        compare_runs(project)


def many(make_project, n=40, **options):
    """Validation items v00, v01, … of cat and dog in turn."""
    rows = [("a", "train", "cat"), ("b", "train", "dog")]
    return make_project([*rows, *((f"v{i:02d}", "val", ("cat", "dog")[i % 2]) for i in range(n))], **options)


def says(project, *wrong):
    """What a model says that is wrong about these items."""
    truth = project.items.assign(label=project.decisions.labels_at(0)["given_label"]).set_index("item_id")[
        "label"
    ]
    return {item: (CAT if (label == "cat") != (item in wrong) else DOG) for item, label in truth.items()}


def test_runs_that_differ_in_the_seed_alone_are_averaged_on_their_side(make_project, add_run):
    project = many(make_project)
    for number, wrong in enumerate([("v00", "v01"), ("v00",), ("v02",)]):
        add_run(project, f"run-000{number + 1}", says(project, *wrong), config=TrainConfig(seed=number))
    add_run(project, "run-0004", says(project), fingerprint="g", config=TrainConfig(seed=0))
    add_run(project, "run-0005", says(project), fingerprint="g", config=TrainConfig(seed=1))
    found = compare_runs(project, "val", "run-0002", "run-0005")
    assert found.runs_before == ("run-0001", "run-0002", "run-0003")
    assert found.runs_after == ("run-0004", "run-0005")
    assert found.comparison.of("accuracy")["before"] == pytest.approx(1 - 4 / 120)
    assert found.comparison.noise.text.startswith("3 trainings before, 2 trainings after.")


def test_two_seeds_of_the_same_training_are_compared_one_with_the_other(make_project, add_run):
    project = many(make_project)
    for number in (1, 2, 3):
        add_run(project, f"run-000{number}", says(project), config=TrainConfig(seed=number))
    found = compare_runs(project, "val", "run-0001", "run-0003")
    assert (found.runs_before, found.runs_after) == (("run-0001",), ("run-0003",))


def test_the_models_of_the_folds_say_how_much_training_moves_the_numbers(make_project, add_run):
    project = many(make_project)
    for run_id, version in (("run-0001", 0), ("run-0002", 1)):
        models = [says(project), says(project, "v00", "v01"), says(project, "v02")]
        add_run(project, run_id, models[0], models=models, version=version)
    found = compare_runs(project, "val").comparison
    assert (found.noise.before, found.noise.after) == ("folds", "folds")
    assert found.whole["training_se"].notna().all()
    assert not compare_runs(project, "train").comparison.noise.is_known


def test_a_run_of_one_model_borrows_the_noise_of_another_run(make_project, add_run):
    project = many(make_project)
    models = [says(project), says(project, "v00", "v01"), says(project, "v02")]
    add_run(project, "run-0001", models[0], models=models)
    add_run(project, "run-0002", says(project), version=1)
    assert compare_runs(project, "val").comparison.noise.after == "typical"


def test_corrected_and_excluded_labels_of_the_ruler_are_counted(make_project, add_run, clock):
    project = many(make_project)
    add_run(project, "run-0001", says(project))
    verdicts = [Decision("v00", "label_wrong", "dog"), Decision("v01", "bad_item")]
    project.decisions.decide(verdicts, annotator="ada", now=clock())
    close_round(project, "ada", clock())
    add_run(project, "run-0002", says(project, "v00"), version=1, event=project.decisions.last_event())
    found = compare_runs(project, "val")
    assert (found.n_corrected, found.n_taken_out) == (1, 1)
    assert found.comparison.n_items == 39
    assert found.comparison.of("accuracy")[["before", "after"]].tolist() == pytest.approx([38 / 39, 1.0])
    assert "1 of them were corrected since run-0001 was trained" in found.ruler_text


def test_quick_runs_are_said_to_share_their_features(project, add_run):
    add_run(project, "run-0001", FIRST)
    add_run(project, "run-0002", FIRST, quick=QuickInfo("the models of run-0001", "run-0001", 0.1))
    assert "only heads were trained" in compare_runs(project, "val", "run-0001", "run-0002").notes[0]


def test_a_quick_run_against_a_full_one_gets_no_verdict(make_project, add_run):
    project = many(make_project)
    wrong = says(project, *(f"v{i:02d}" for i in range(20)))
    add_run(project, "run-0001", wrong, models=[wrong] * 2)
    quick = QuickInfo("the models of run-0001", "run-0001", 0.1)
    add_run(project, "run-0002", says(project), models=[says(project)] * 2, quick=quick)
    comparison = compare_runs(project, "val", "run-0001", "run-0002").comparison
    assert comparison.verdict == CANNOT_TELL
    assert "One run is quick and one is not" in verdict_text(comparison)


def test_items_of_one_group_count_as_one_proof(make_project, add_run):
    groups = {f"v{i:02d}": f"patient {i // 8}" for i in range(40)}
    wrong = [f"v{i:02d}" for i in range(8)]
    found = []
    for options in ({}, {"groups": groups}):
        project = many(make_project, **options)
        add_run(project, "run-0001", says(project, *wrong), models=[says(project, *wrong)] * 2)
        add_run(project, "run-0002", says(project), models=[says(project)] * 2, version=1)
        found.append(compare_runs(project, "val").comparison.of("accuracy")["item_se"])
    assert found[1] > 2 * found[0]
