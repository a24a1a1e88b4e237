"""Runs from predictions of any model: whose row is whose, which column is which, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from curation.class_list import ClassEdit
from curation.classes import apply
from curation.decisions.events import BAD_ITEM, Decision
from curation.imported_predictions import ImportSpec, import_predictions
from curation.queues import QueueQuery, ranked_table
from curation.reports import compare_runs, labelled_predictions
from curation.rounds import close_round
from curation.run_folders import found_lr, list_partial_runs, list_runs, newest_full_run, read_run
from diagnostics.errors import ConfigError, DataError
from diagnostics.label_quality import read_label_quality
from diagnostics.multilabel.run_thresholds import read_thresholds
from diagnostics.progress import ignore_progress
from diagnostics.training.config import TrainConfig

CLASSES = "cat,dog,fox"
IDS = ("a", "b", "c", "d", "v", "t", "u", "w")
PROBS = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.9, 0.1, 0.0],  # b is labelled dog
        [0.2, 0.2, 0.6],
        [0.7, 0.2, 0.1],
        [0.1, 0.8, 0.1],
        [0.3, 0.3, 0.4],
        [0.5, 0.4, 0.1],
        [0.0, 0.1, 0.9],
    ]
)


@pytest.fixture
def bring(project, tmp_path, now):
    """bring(probs, ids=, classes=, …) imports and returns the run."""
    return bringing(project, tmp_path, now)


def bringing(project, tmp_path, now):

    def bring(probs=PROBS, *, ids=IDS, classes=CLASSES, embeddings=None, **options):
        np.save(tmp_path / "probs.npy", probs)
        if ids is not None:
            (tmp_path / "ids.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
            options["ids"] = tmp_path / "ids.txt"
        if embeddings is not None:
            np.save(tmp_path / "embeddings.npy", embeddings)
            options["embeddings"] = tmp_path / "embeddings.npy"
        return bring_file(tmp_path / "probs.npy", classes=classes, **options)

    def bring_file(path, **options):
        run_id = import_predictions(
            project, ImportSpec(probs=path, **options), now=now, on_progress=ignore_progress
        )
        return read_run(project, run_id)

    bring.file = bring_file
    return bring


SET_PROBS = np.array(
    [
        [0.9, 0.8, 0.1],
        [0.1, 0.9, 0.1],
        [0.1, 0.2, 0.9],  # c is labelled with none
        [0.9, 0.1, 0.8],  # d is labelled dog, too
        [0.8, 0.9, 0.1],
        [0.1, 0.2, 0.9],
        [0.6, 0.7, 0.1],
        [0.1, 0.1, 0.3],
    ]
)


@pytest.fixture
def bring_sets(set_project, tmp_path, now):
    """The same into a project of several labels an item."""
    return bringing(set_project, tmp_path, now)


def refused(bring, *args, **options) -> str:
    with pytest.raises(DataError) as error:
        bring(*args, **options)
    return str(error.value)


def test_an_imported_run_ranks_the_items_like_any_other(bring, project):
    run = bring(out_of_fold=True, name="my net")
    ranked = ranked_table(project, QueueQuery(by="loss"))
    assert ranked["item_id"].iloc[0] == "b"
    assert run.info.name == "run-0001 (imported: my net)"
    assert not run.info.in_sample
    assert set(run.scores.set_index("item_id").loc[["a", "b"], "kind"]) == {"out_of_fold"}


def test_rows_and_columns_may_come_in_any_order(bring, project):
    straight = bring(out_of_fold=True)
    shuffled = bring(PROBS[::-1][:, [2, 0, 1]], ids=IDS[::-1], classes="fox,cat,dog", out_of_fold=True)
    np.testing.assert_array_equal(straight.predictions.pred_probs, shuffled.predictions.pred_probs)


def test_nobody_saying_so_means_in_sample(bring, project):
    run = bring()
    assert run.info.in_sample
    assert labelled_predictions(project, "train").in_sample
    assert not labelled_predictions(project, "val").in_sample


def test_signals_that_are_not_there_are_named(bring):
    missing = read_label_quality(bring(out_of_fold=True).folder).missing
    assert set(missing) == {"neighbours", "dynamics", "trained"}
    assert missing["neighbours"] == "no embeddings were imported"


def test_embeddings_give_neighbours_and_likeness(bring, project):
    features = np.eye(8, 3, dtype=np.float64) * 1e6  # more than float16 holds
    features[6] = features[2] + 1
    run = bring(embeddings=features, out_of_fold=True)
    assert "neighbours" not in read_label_quality(run.folder).missing
    like = ranked_table(project, QueueQuery(splits=("unlabelled",), like="fox"))
    assert like["item_id"].iloc[0] == "u"


def test_a_table_names_its_classes_and_items(bring, tmp_path):
    table = pd.DataFrame(PROBS, columns=["cat", "dog", "fox"]).assign(id=IDS)
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "p.csv", index=False)
    table.to_parquet(tmp_path / "p.parquet")
    from_csv, from_parquet = (bring.file(tmp_path / name) for name in ("p.csv", "p.parquet"))
    np.testing.assert_allclose(from_csv.predictions.pred_probs, PROBS, atol=1e-6)
    np.testing.assert_array_equal(from_csv.predictions.pred_probs, from_parquet.predictions.pred_probs)


def test_items_may_be_named_by_path(bring, tmp_path):
    table = pd.DataFrame(PROBS, columns=["cat", "dog", "fox"])
    table = table.assign(path=[f"img/{item_id}.png" for item_id in IDS], label="cat", Split="train")
    table.to_csv(tmp_path / "p.csv", index=False)
    assert list(bring.file(tmp_path / "p.csv").predictions.item_ids) == list(IDS)


def test_a_cell_that_is_no_number_is_told_with_its_place(bring, tmp_path):
    table = pd.DataFrame(PROBS, columns=["cat", "dog", "fox"]).astype(object).assign(id=IDS)
    table.loc[2, "dog"] = "most"
    table.to_csv(tmp_path / "p.csv", index=False)
    assert "invalid value 'most'" in refused(bring.file, tmp_path / "p.csv")


def test_without_ids_the_rows_are_all_items_in_the_order_of_an_export(bring):
    assert any("order of an export" in note for note in bring(ids=None).info.notes)


def test_a_merged_class_is_added_up_and_a_renamed_one_read_under_its_new_name(bring, project, now):
    apply(project, ClassEdit("merge", "dog", "cat"), annotator="ada", now=now)
    apply(project, ClassEdit("rename", "fox", "vixen"), annotator="ada", now=now)
    run = bring(out_of_fold=True)
    assert run.info.classes == ("cat", "vixen")
    np.testing.assert_allclose(run.predictions.pred_probs[1], [1.0, 0.0], atol=1e-6)
    assert "`fox` is read as `vixen`." in run.info.notes


def test_a_class_that_nobody_has_needs_no_column(bring, project, now):
    apply(project, ClassEdit("add", "owl"), annotator="ada", now=now)
    run = bring(out_of_fold=True)
    assert (run.predictions.pred_probs[:, 3] == 0).all()
    assert "`owl` has no column: the model never predicts it." in run.info.notes


def test_excluded_items_are_left_out(bring, project, now):
    project.decisions.decide([Decision("d", BAD_ITEM)], annotator="ada", now=now)
    close_round(project, "ada", now)
    run = bring()
    assert "d" not in run.predictions.item_ids
    assert "1 rows are of items that are excluded: left out." in run.info.notes


def test_whatever_is_wrong_is_refused_and_leaves_nothing(bring, project):
    cases = [
        ({"probs": np.log(PROBS + 1e-3)}, "values outside 0 to 1 (row 0 ('a'), row 1 ('b'),"),
        ({"probs": PROBS[0]}, "expected one array of shape"),
        ({"probs": PROBS.astype(str)}, "expected numbers"),
        ({"ids": (*IDS[:6], "x", "y")}, "names 2 items that project-0 does not have: row 6: 'x'; row 7: 'y'"),
        ({"ids": (*IDS[:7], "a")}, "names 1 items again: row 7: 'a' as in row 0"),
        ({"ids": IDS[:7]}, "names 7 items and probs.npy has 8 rows"),
        ({"probs": PROBS[:5], "ids": None}, "nothing says which row belongs to which item"),
        ({"classes": "cat,dog,fix"}, "no class of the project: 'fix' (did you mean 'fox'?)"),
        ({"classes": "cat,dog"}, "--classes names 2 classes, and the probabilities have 3 columns"),
        ({"classes": "cat,dog,dog"}, "--classes names 'dog' more than once"),
        ({"classes": "classes.txt"}, "is no file that there is"),
        ({"classes": None}, "those of the project are cat,dog,fox"),
        ({"probs": np.full((8, 2), 0.5), "classes": "cat,dog"}, "items are labelled as: 'fox' (2 items)"),
        ({"embeddings": np.ones((7, 2))}, "embeddings.npy has 7 rows and probs.npy has 8"),
        ({"embeddings": np.full((8, 2), np.inf)}, "embeddings.npy: 8 rows have a feature that is no number"),
    ]
    for options, text in cases:
        assert text in refused(bring, **options)
    left = [path.name for path in project.cache_dir.iterdir() if "import" in path.name]
    assert not left and not list_runs(project) and not list_partial_runs(project)


def test_missing_items_are_refused_unless_they_are_left_out_knowingly(bring, project):
    text = refused(bring, PROBS[:5], ids=IDS[:5])
    assert "3 of 8 items have no prediction (2 of unlabelled, 1 of test), the first are t, u, w" in text
    run = bring(PROBS[:5], ids=IDS[:5], partly=True)
    assert len(run.predictions) == 5
    assert labelled_predictions(project, "test").n_without_prediction == 1


def test_comparing_imported_runs_gives_differences_and_no_verdict(bring, project):
    bring(out_of_fold=True, name="first")
    bring(PROBS[:, [1, 0, 2]], out_of_fold=True, name="second")
    assert newest_full_run(project) is None  # nothing here trains on from them
    assert found_lr(project, TrainConfig(folds=0)) is None
    found = compare_runs(project, "val", "run-0001", "run-0002")
    assert found.comparison.verdict == "cannot tell"
    assert found.comparison.of("accuracy")["difference"] == -1
    assert any("trained elsewhere" in note for note in found.notes)


def test_several_labels_are_imported_scored_and_queued(bring_sets, set_project):
    run = bring_sets(SET_PROBS, out_of_fold=True)
    assert run.info.label_kind == "multi"
    ranked = ranked_table(set_project, QueueQuery()).set_index("item_id")
    assert set(ranked.index[:2]) == {"c", "d"}
    assert ranked.loc["c", ["suspect_label", "suspect", "predicted_label"]].tolist() == [
        "fox",
        "missing",
        "fox",
    ]
    assert ranked.loc["d", ["suspect_label", "suspect"]].tolist() == ["dog", "superfluous"]
    assert labelled_predictions(set_project, "val").totals()["subset_accuracy"].value == 1


def test_several_labels_are_cut_by_the_thresholds_that_are_asked_for(bring_sets):
    run = bring_sets(SET_PROBS, thresholds="0.2")
    assert read_thresholds(run.folder).thresholds.values.tolist() == pytest.approx([0.2] * 3)
    assert run.scores.set_index("item_id")["predicted_label"][["c", "w"]].tolist() == ["dog|fox", "fox"]


def test_of_several_labels_a_merged_class_is_as_probable_as_the_surest_of_them(bring_sets, set_project, now):
    apply(set_project, ClassEdit("merge", "dog", "cat"), annotator="ada", now=now)
    run = bring_sets(SET_PROBS, out_of_fold=True)
    assert run.info.classes == ("cat", "fox")
    np.testing.assert_allclose(run.predictions.pred_probs[[1, 3]], [[0.9, 0.1], [0.9, 0.8]], atol=1e-6)


def test_what_is_wrong_with_several_labels_is_told(bring_sets, bring, set_project):
    for probs, options, text in (
        (SET_PROBS * 9 - 4, {}, "if these are logits, give their sigmoid"),
        (np.where(SET_PROBS == 0.8, np.nan, SET_PROBS), {}, "no number (NaN or infinite) (row 0 ('a')"),
        (SET_PROBS[:, :2], {"classes": "cat,dog"}, "items are labelled as: 'fox' (2 items)"),
        (SET_PROBS, {"classes": "cat,dog,fix"}, "no class of the project: 'fix' (did you mean 'fox'?)"),
    ):
        assert text in refused(bring_sets, probs, **options)
    assert not list_runs(set_project)
    with pytest.raises(ConfigError, match="thresholds"):
        bring(thresholds="0.2")
