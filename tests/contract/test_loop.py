"""Every modality through the whole loop, by the functions that pages and the command line call.

init → train → quick round → queue → decisions → close the round → export → init from the export → train → compare, and
predictions of another model in between. What is asked here holds for every modality in the registry.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.cli import run as winnow
from curation.dataset.intake import take_in
from curation.decisions.events import BAD_ITEM, LABEL_RIGHT, LABEL_WRONG, LABELLED, Decision
from curation.export import export_curated
from curation.imported_predictions import ImportSpec, import_predictions
from curation.modalities import MODALITIES
from curation.patches import read_patch
from curation.project import Project
from curation.queues import QueueQuery, open_queue, ranked_table
from curation.reports import RunComparison, compare_runs, labelled_predictions
from curation.rounds import close_round, dataset_version, training_items
from curation.runs import read_run, train_project
from diagnostics import modalities as of_models
from diagnostics.explanations import read_explanations
from diagnostics.label_quality import read_label_quality
from diagnostics.progress import ignore_progress
from diagnostics.run_folder import Run
from diagnostics.signals import HELD_OUT, NEIGHBOURS
from tests.contract.samples import SAMPLES

EXPECTED_FILES = {".json", ".csv", ".parquet", ".npy", ".npz", ".txt", ".safetensors"}
ADA = "ada"
_ticks = count()


def now() -> datetime:
    """A second later each time."""
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=next(_ticks))


@dataclass(frozen=True)
class Loop:
    """One modality after the whole loop.

    relabelled, confirmed, excluded, added, undone : the item that each was decided of
    again : the project that was made from the export
    """

    key: str
    project: Project
    first: Run
    quick: Run
    imported: Run
    second: Run
    relabelled: str
    new_label: str
    confirmed: str
    excluded: str
    added: str
    undone: str
    export: Path
    patch: Path
    again: Project
    comparison: RunComparison


@pytest.fixture(scope="module", params=list(MODALITIES))
def loop(request, tmp_path_factory) -> Loop:
    """The loop gone through once; tests only look at what came of it."""
    key = request.param
    if key not in SAMPLES:
        pytest.fail(
            f"The modality {key!r} is registered and not tested: add a Sample of it to SAMPLES in "
            "tests/contract/samples.py (a small dataset, how its export is taken in, the cheapest training)."
        )
    folder = tmp_path_factory.mktemp(f"loop-{key}")
    sample = SAMPLES[key]
    (folder / "data").mkdir()
    spec = sample.data(folder / "data")
    project = Project.create(folder / "project", take_in(spec, on_progress=ignore_progress), now=now())
    first = read_run(project, train_project(project, sample.config, now=now()))
    queue = ranked_table(project, QueueQuery(run_id=first.info.run_id))
    relabelled, undone, excluded = queue["item_id"][:3]
    confirmed = queue["item_id"].iloc[-1]
    new_label = queue["second_label"].iloc[0]
    if new_label == queue["given_label"].iloc[0]:
        new_label = queue["predicted_label"].iloc[0]
    unlabelled = ranked_table(project, QueueQuery(splits=("unlabelled",), by="confusion"))
    added, added_label = unlabelled[["item_id", "predicted_label"]].iloc[-1]
    for decision in (
        Decision(relabelled, LABEL_WRONG, new_label),
        Decision(confirmed, LABEL_RIGHT),
        Decision(excluded, BAD_ITEM),
        Decision(added, LABELLED, added_label),
        Decision(undone, BAD_ITEM),
    ):
        project.decisions.decide([decision], annotator=ADA, now=now())
    project.decisions.undo(annotator=ADA, now=now())
    quick = read_run(project, train_project(project, sample.config, quick=True, now=now()))
    close_round(project, ADA, now())
    export, patch = folder / "curated.csv", folder / "patch.csv"
    export_curated(project, export, patch=patch)
    again = Project.create(
        folder / "again",
        take_in(sample.again(export, folder / "data"), on_progress=ignore_progress),
        now=now(),
    )
    second = read_run(project, train_project(project, sample.config, now=now()))
    imported = imported_as_if_from_elsewhere(project, second, folder)
    return Loop(
        key=key,
        project=project,
        first=first,
        quick=quick,
        imported=imported,
        second=second,
        relabelled=relabelled,
        new_label=new_label,
        confirmed=confirmed,
        excluded=excluded,
        added=added,
        undone=undone,
        export=export,
        patch=patch,
        again=again,
        comparison=compare_runs(project, "val", first.info.run_id, second.info.run_id),
    )


def imported_as_if_from_elsewhere(project: Project, run: Run, folder: Path) -> Run:
    """The predictions of a run as if another framework had made them."""
    predictions = run.predictions
    np.save(folder / "probs.npy", np.asarray(predictions.pred_probs, dtype=np.float64))
    np.save(folder / "embeddings.npy", np.asarray(predictions.embeddings))
    pd.DataFrame({"id": predictions.item_ids}).to_csv(folder / "ids.csv", index=False)
    spec = ImportSpec(
        probs=folder / "probs.npy",
        classes=",".join(predictions.classes),
        ids=folder / "ids.csv",
        embeddings=folder / "embeddings.npy",
        out_of_fold=True,
        name="elsewhere",
    )
    return read_run(project, import_predictions(project, spec, now=now(), on_progress=ignore_progress))


def answer_of(capsys, *arguments: object) -> dict:
    """What a verb prints for programs."""
    assert winnow([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_both_registries_know_the_same_modalities():
    assert set(MODALITIES) == set(of_models.MODALITIES)


def test_every_item_is_taken_in_with_an_id_content_and_what_models_read(loop):
    items = loop.project.items
    assert loop.project.info.modality == loop.key
    assert items["item_id"].is_unique
    assert items["path"].notna().all()
    assert (items["content_hash"].str.len() == 64).all()
    assert set(items["split"]) == {"train", "val", "test", "unlabelled"}
    read = training_items(loop.project, dataset_version(loop.project, 0))
    assert len(read) == len(items)


@pytest.mark.parametrize("which", ["first", "quick", "second", "imported"])
def test_a_run_predicts_and_scores_every_item(loop, which):
    run = getattr(loop, which)
    n_items = len(loop.project.items) - (which != "first")  # one is excluded by then
    assert run.predictions.pred_probs.shape == (n_items, len(loop.project.task.classes))
    np.testing.assert_allclose(run.predictions.pred_probs.sum(axis=1), 1, atol=1e-3)
    train = run.predictions.splits == "train"
    assert set(run.predictions.kinds[train]) == {"out_of_fold"}
    assert run.scores["label_quality"][train].between(0, 1).all()
    missing = read_label_quality(run.folder).missing
    assert HELD_OUT not in missing
    assert NEIGHBOURS not in missing


def test_what_speaks_for_and_against_labels_is_kept_item_by_item_where_items_have_parts(loop):
    for run in (loop.first, loop.second):
        found = read_explanations(run.folder)
        if found is not None:
            assert len(found.begins) == len(run.predictions) + 1
            assert np.isfinite(found.effect).all()
            assert np.abs(found.effect).max() <= 1
    assert read_explanations(loop.imported.folder) is None


def test_a_run_folder_holds_no_pickles(loop):
    for run in (loop.first, loop.quick, loop.imported):
        files = [path for path in run.folder.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= EXPECTED_FILES


def test_queues_are_pages_over_every_ranker_filter_and_search(loop):
    n_train = len(ranked_table(loop.project, QueueQuery(run_id=loop.first.info.run_id)))
    assert n_train == (loop.first.predictions.splits == "train").sum()
    name = loop.project.items.set_index("item_id")["path"][loop.relabelled] or loop.relabelled
    for query in (
        QueueQuery(by="loss"),
        QueueQuery(splits=("unlabelled",), by="confusion"),
        QueueQuery(splits=("unlabelled",), like=loop.new_label),
        QueueQuery(search=name),
    ):
        queue = open_queue(loop.project, query)
        page = queue.page(1, 5)
        assert len(queue) >= 1
        assert page["reason"].str.len().gt(0).all()


def test_decisions_make_the_next_version_and_undo_takes_one_back(loop):
    items = training_items(loop.project, dataset_version(loop.project)).set_index("item_id")
    before = loop.project.items.set_index("item_id")["given_label"]
    assert items["label"][loop.relabelled] == loop.new_label
    assert items["label"][loop.confirmed] == before[loop.confirmed]
    assert loop.excluded not in items.index
    assert items["split"][loop.added] == "train"
    assert items["label"][loop.undone] == before[loop.undone]


def test_the_second_training_learnt_from_the_decisions(loop):
    given = dict(zip(loop.second.predictions.item_ids, loop.second.predictions.given_labels, strict=True))
    assert given[loop.relabelled] == loop.new_label
    assert loop.second.info.n_train == loop.first.info.n_train  # one excluded, one added
    assert loop.second.info.dataset_version["number"] == 1


def test_an_export_is_taken_in_again_as_it_is(loop):
    then = training_items(loop.project, dataset_version(loop.project)).set_index("item_id").sort_index()
    found = training_items(loop.again, dataset_version(loop.again)).set_index("item_id").sort_index()
    assert loop.again.info.modality == loop.key
    assert loop.again.info.classes == loop.project.task.classes
    pd.testing.assert_frame_equal(
        found[["split", "label", "content_hash"]], then[["split", "label", "content_hash"]]
    )


def test_a_patch_replays_the_decisions_on_the_source(loop, tmp_path):
    spec = SAMPLES[loop.key].data(tmp_path)
    fresh = Project.create(tmp_path / "fresh", take_in(spec, on_progress=ignore_progress), now=now())
    fresh.decisions.decide(read_patch(fresh, loop.patch), annotator=ADA, now=now())
    close_round(fresh, ADA, now())
    assert dataset_version(fresh).fingerprint == dataset_version(loop.project).fingerprint


def test_rounds_are_compared_with_a_verdict(loop):
    found = loop.comparison.comparison
    assert found.verdict in ("improved", "worse", "cannot tell")
    assert found.n_items == len(labelled_predictions(loop.project, "val").codes)
    assert found.noise.is_known  # folds say how far trainings are apart
    assert found.whole["difference"].notna().all()


def test_imported_predictions_say_what_the_run_says_they_came_from(loop):
    one, other = (
        labelled_predictions(loop.project, "val", run.info.run_id) for run in (loop.second, loop.imported)
    )
    np.testing.assert_array_equal(one.predicted, other.predicted)
    against = compare_runs(loop.project, "val", loop.second.info.run_id, loop.imported.info.run_id)
    assert against.comparison.verdict == "cannot tell"


def test_the_command_line_answers_about_any_kind_of_item(loop, capsys):
    folder = loop.project.folder
    report = answer_of(capsys, "report", folder, "--run", loop.second.info.run_id, "--advice")
    assert {line["label"] for line in report["advice"]} == set(loop.project.task.classes)
    assert answer_of(capsys, "rank", folder, "--run", loop.first.info.run_id)["n_items"] > 0
    assert answer_of(capsys, "compare", folder)["whole"]
    doctor = answer_of(capsys, "doctor", folder, "--run", loop.second.info.run_id)
    assert all(finding["outcome"] for finding in doctor["findings"])
