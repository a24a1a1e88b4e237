"""Items with several labels through the whole loop, by the functions that pages and the command line call.

init → train → quick round → queue → decisions on sets → close the round → export → init from the export → train →
compare. Pictures come with a mark between their labels, texts with one column a label.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app.cli import run as winnow
from app.queue_link import query_of
from curation.advice import class_advice
from curation.bulk import apply_bulk, preview_bulk
from curation.cards import card_kind, item_cards
from curation.class_caps import cap_table
from curation.dataset.intake import IntakeSpec, take_in
from curation.decisions.events import BAD_ITEM, LABEL_RIGHT, LABEL_WRONG, LABELLED, Decision
from curation.edit_groups import find_edits
from curation.experiments import make_experiment
from curation.export import export_curated
from curation.item_details import item_details
from curation.label_kinds.kind import LabelForm
from curation.patches import read_patch
from curation.project import Project
from curation.queue_news import read_news
from curation.queues import RANKERS, QueueQuery, open_queue
from curation.reports import RunComparison, compare_runs, labelled_predictions
from curation.rounds import close_round, dataset_version, training_items
from curation.runs import read_run, train_project
from curation.what_if import read_what_if
from diagnostics.experiments.edits import ADDITIONS, RELABELS, REMOVALS
from diagnostics.progress import ignore_progress
from diagnostics.run_folder import Run
from diagnostics.training.config import TrainConfig
from tests.contract.test_loop import ADA, imported_as_if_from_elsewhere, now

CLASSES = ("blue", "green", "red")
N_ITEMS, N_UNLABELLED = 72, 6


@dataclass(frozen=True)
class Sample:
    """data : fills a folder, gives how it is taken in; config : the cheapest training in folds"""

    data: Callable[[Path], IntakeSpec]
    config: TrainConfig


def _sets() -> list[tuple[str, ...] | None]:
    """The labels of each item, None where nobody labelled it; eight kinds of sets, each often."""
    sets = [tuple(name for bit, name in enumerate(CLASSES) if number >> bit & 1) for number in range(8)]
    return [sets[place % 8] if place < N_ITEMS - N_UNLABELLED else None for place in range(N_ITEMS)]


def _shown(place: int) -> tuple[str, ...]:
    """What is in the item; its label says something else in two of them."""
    return tuple(name for bit, name in enumerate(CLASSES) if (place % 8 + (place in (9, 19))) >> bit & 1)


def _pictures(folder: Path) -> IntakeSpec:
    """Each channel of a picture is bright where the item has its class."""
    rng = np.random.default_rng(0)
    rows = []
    for place, labels in enumerate(_sets()):
        bright = [200 * (name in _shown(place)) for name in reversed(CLASSES)]
        pixels = rng.integers(0, 50, (8, 8, 3)) + np.array(bright)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{place:03d}.png")
        rows.append((f"{place:03d}.png", "" if labels is None else ";".join(reversed(labels)) or "(none)"))
    _write(folder / "items.csv", ("path", "labels"), rows)
    return IntakeSpec(data=folder / "items.csv", modality="image", label_form=LabelForm(separator=";"))


def _texts(folder: Path) -> IntakeSpec:
    rows = []
    for place, labels in enumerate(_sets()):
        text = f"item {place} is " + " and ".join(f"{name} {name}ish" for name in _shown(place))
        cells = [""] * 3 if labels is None else [int(name in labels) for name in CLASSES]
        rows.append((text, *cells))
    _write(folder / "items.csv", ("text", *CLASSES), rows)
    return IntakeSpec(data=folder / "items.csv", modality="text", label_form=LabelForm(columns=CLASSES))


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


SAMPLES = {
    "image": Sample(
        _pictures,
        TrainConfig(folds=2, epochs=1, image_size_px=8, lr=0.01, planted=0.1, n_threads=1, batch_size=16),
    ),
    "text": Sample(_texts, TrainConfig(arch="tfidf", folds=2, planted=0.1)),
}


@dataclass(frozen=True)
class Loop:
    """One kind of items after the whole loop; the ids are those of the items that each was decided of."""

    key: str
    project: Project
    first: Run
    quick: Run
    second: Run
    toggled: str
    confirmed: str
    emptied: str
    excluded: str
    added: str
    undone: str
    export: Path
    patch: Path
    again: Project
    comparison: RunComparison
    imported: Run


@pytest.fixture(scope="module", params=list(SAMPLES))
def loop(request, tmp_path_factory) -> Loop:
    """The loop gone through once; tests only look at what came of it."""
    key, sample = request.param, SAMPLES[request.param]
    folder = tmp_path_factory.mktemp(f"sets-{key}")
    (folder / "data").mkdir()
    spec = sample.data(folder / "data")
    project = Project.create(folder / "project", take_in(spec, on_progress=ignore_progress), now=now())
    first = read_run(project, train_project(project, sample.config, now=now()))
    page = open_queue(project, QueueQuery(run_id=first.info.run_id)).page(1, 60)
    has_both = page[page["given_label"] == "green|red"]["item_id"].iloc[0]
    confirmed, emptied, excluded, undone = page[page["item_id"] != has_both]["item_id"].iloc[-4:]
    added = open_queue(project, QueueQuery(splits=("unlabelled",), by="confusion")).item_ids(0, 1)[0]
    for decision in (
        Decision(has_both, LABEL_WRONG, "red|green|blue"),
        Decision(has_both, LABEL_WRONG, "blue|red"),
        Decision(confirmed, LABEL_RIGHT),
        Decision(emptied, LABEL_WRONG, "(none)"),
        Decision(excluded, BAD_ITEM),
        Decision(added, LABELLED, "blue|red"),
        Decision(undone, BAD_ITEM),
    ):
        project.decisions.decide([decision], annotator=ADA, now=now())
    project.decisions.undo(annotator=ADA, now=now())
    quick = read_run(project, train_project(project, sample.config, quick=True, now=now()))
    close_round(project, ADA, now())
    export, patch = folder / "curated.csv", folder / "patch.csv"
    export_curated(project, export, patch=patch)
    images = folder / "data" if key == "image" else None
    again = take_in(IntakeSpec(data=export, images=images), on_progress=ignore_progress)
    second = read_run(project, train_project(project, sample.config, now=now()))
    return Loop(
        key=key,
        project=project,
        first=first,
        quick=quick,
        second=second,
        toggled=has_both,
        confirmed=confirmed,
        emptied=emptied,
        excluded=excluded,
        added=added,
        undone=undone,
        export=export,
        patch=patch,
        again=Project.create(folder / "again", again, now=now()),
        comparison=compare_runs(project, "val", first.info.run_id, second.info.run_id),
        imported=imported_as_if_from_elsewhere(project, second, folder),
    )


def labels_of(project: Project) -> pd.DataFrame:
    return training_items(project, dataset_version(project)).set_index("item_id")


def test_sets_are_taken_in_whatever_way_they_were_written(loop):
    items = loop.project.items
    labels = {"|".join(labels) or "(none)" for labels in _sets() if labels is not None}
    assert loop.project.info.label_kind == "multi"
    assert loop.project.info.classes == CLASSES
    assert set(items["given_label"].dropna()) == labels
    assert (items["split"] == "unlabelled").sum() == N_UNLABELLED
    assert set(items["split"]) == {"train", "val", "unlabelled"}


def test_imported_predictions_are_cut_into_the_same_sets(loop):
    ours, theirs = (
        run.scores.set_index("item_id")["predicted_label"] for run in (loop.second, loop.imported)
    )
    assert loop.imported.info.label_kind == "multi"
    assert theirs.to_dict() == ours.to_dict()


@pytest.mark.parametrize("which", ["first", "quick", "second", "imported"])
def test_a_run_says_of_every_item_which_classes_it_has(loop, which):
    run = getattr(loop, which)
    train = run.scores["split"] == "train"
    assert run.predictions.pred_probs.shape == (N_ITEMS - (which != "first"), len(CLASSES))
    assert run.scores["label_quality"][train].between(0, 1).all()
    assert set(run.predictions.kinds[train]) == {"out_of_fold"}


def test_queues_are_filtered_and_counted_by_members(loop):
    first = loop.first.info.run_id
    whole = open_queue(loop.project, QueueQuery(run_id=first))
    red = open_queue(loop.project, QueueQuery(run_id=first, given="red"))
    given = red.page(1, 80)["given_label"]
    assert given.str.split("|").map(lambda names: "red" in names).all()
    assert whole.counts()["given"]["red"] == len(red) == len(given)
    assert sum(whole.counts()["given"].values()) > len(whole)
    for suspect, n in whole.counts()["suspect"].items():
        found = open_queue(loop.project, QueueQuery(run_id=first, suspect=suspect)).page(1, 80)
        assert len(found) == n
        has = [label in given.split("|") for label, given in found[["suspect_label", "given_label"]].values]
        assert all(has) if suspect == "superfluous" else not any(has)


def test_every_ranking_and_likeness_gives_pages_with_reasons(loop):
    queries = [QueueQuery(by=by) for by in RANKERS]
    for query in (*queries, QueueQuery(splits=("unlabelled",), like="red"), QueueQuery(blind=0.5)):
        page = open_queue(loop.project, query).page(1, 5)
        assert len(page)
        assert page["reason"].str.len().gt(0).all()
    queue = open_queue(loop.project, QueueQuery())
    assert read_news(loop.project, queue, now()).text
    details = item_details(loop.project, loop.toggled, loop.first.info.run_id)
    assert details.given_label == "green|red"
    assert {name for name, _ in details.probabilities} == set(CLASSES)


@pytest.mark.parametrize("which", ["first", "quick"])
def test_a_card_with_marks_says_which_of_the_labels_they_are_about(loop, which):
    if card_kind(loop.project).make is None:
        pytest.skip("nothing is marked on pictures")
    run = getattr(loop, which)
    train = run.scores.query("split == 'train'")
    marked = [
        card for card in item_cards(loop.project, run.info.run_id, train["item_id"].tolist()) if card.marks
    ]
    assert len(marked) > len(train) / 2
    assert all(card.say_about and card.about in CLASSES for card in marked)


def test_decisions_on_sets_make_the_next_version(loop):
    items, before = labels_of(loop.project), loop.project.items.set_index("item_id")["given_label"]
    assert items["label"][loop.toggled] == "blue|red"
    assert items["label"][loop.emptied] == "(none)"
    assert items["label"][loop.confirmed] == before[loop.confirmed]
    assert items["label"][loop.undone] == before[loop.undone]
    assert (items["split"][loop.added], items["label"][loop.added]) == ("train", "blue|red")
    assert loop.excluded not in items.index
    history = loop.project.decisions.history(loop.toggled)
    assert [event.new_label for event in history] == ["blue|green|red", "blue|red"]


def test_a_class_is_added_to_and_removed_from_a_whole_queue(loop):
    queue, store = open_queue(loop.project, QueueQuery(given="red")), loop.project.decisions
    seen = preview_bulk(queue, store, "remove", label="red")
    labels = store.labels_at(store.last_event()).set_index("item_id")["label"][queue.item_ids()]
    done = apply_bulk(queue, store, "remove", label="red", expected_n=len(queue), annotator=ADA, now=now())
    assert done.n_changed == seen.n_change > 0
    for item_id, state in store.states(queue.item_ids()).items():
        rest = [name for name in labels[item_id].replace("(none)", "").split("|") if name not in ("", "red")]
        assert state.label == ("|".join(rest) or "(none)")
    store.undo(annotator=ADA, now=now())


def test_the_second_training_learnt_from_the_sets(loop):
    given = dict(zip(loop.second.predictions.item_ids, loop.second.predictions.given_labels, strict=True))
    assert given[loop.toggled] == given[loop.added] == "blue|red"
    assert loop.second.info.n_train == loop.first.info.n_train


def test_rounds_are_measured_and_compared_by_sets(loop):
    found = labelled_predictions(loop.project, "val")
    assert set(found.totals()) == {"subset_accuracy", "hamming_loss", "micro_f1", "macro_f1"}
    assert list(found.class_report().table["label"]) == list(CLASSES)
    assert list(loop.comparison.comparison.whole["metric"]) == ["subset_accuracy", "micro_f1", "macro_f1"]
    assert loop.comparison.comparison.verdict in ("improved", "worse", "cannot tell")


def test_an_export_is_taken_in_again_as_it_is_without_a_word(loop):
    columns = ["split", "label", "content_hash"]
    then, found = labels_of(loop.project)[columns], labels_of(loop.again)[columns]
    assert loop.again.info.label_kind == "multi"
    assert loop.again.info.label_form == loop.project.info.label_form
    assert loop.again.info.content == loop.project.info.content
    pd.testing.assert_frame_equal(found.sort_index(), then.sort_index())


def test_a_patch_replays_the_decisions_on_the_source(loop, tmp_path):
    spec = SAMPLES[loop.key].data(tmp_path)
    fresh = Project.create(tmp_path / "fresh", take_in(spec, on_progress=ignore_progress), now=now())
    fresh.decisions.decide(read_patch(fresh, loop.patch), annotator=ADA, now=now())
    close_round(fresh, ADA, now())
    assert dataset_version(fresh).fingerprint == dataset_version(loop.project).fingerprint


def test_the_command_line_answers_about_sets(loop, capsys):
    folder = str(loop.project.folder)
    for command in (
        "report PROJECT",
        "compare PROJECT",
        "classes PROJECT",
        "rank PROJECT --suspect missing --pair red,blue",
    ):
        assert winnow(command.replace("PROJECT", folder).split(" ")) == 0, command
    assert "share of sets right" in capsys.readouterr().out


def test_a_cap_holds_items_back_and_is_lifted(loop, capsys):
    folder = str(loop.project.folder)
    assert winnow(["caps", folder, "--set", "red", "20"]) == 0
    items = labels_of(loop.project)
    table = cap_table(loop.project, items.reset_index())
    held = items["label"][items["held_back"]]
    assert table["other_labels"].tolist() == [held.str.count("blue|green").sum()]
    has_red = items["label"].fillna("").str.contains("red") & (items["split"] == "train")
    assert has_red[items["held_back"]].all()
    assert (has_red & ~items["held_back"]).sum() == 20
    assert winnow(["caps", folder, "--lift", "red"]) == 0
    assert not labels_of(loop.project)["held_back"].any()


def test_edits_of_sets_are_told_apart(loop):
    found = find_edits(loop.project, dataset_version(loop.project)).table.set_index("item_id")["group"]
    assert found[[loop.toggled, loop.added, loop.excluded]].tolist() == [RELABELS, ADDITIONS, REMOVALS]


@pytest.mark.parametrize(("name", "options"), [("seeds", {"n": 2, "full": False}), ("edits", {"seeds": 2})])
def test_experiments_answer_about_sets(loop, name, options):
    made = make_experiment(loop.project, name, options, now=now())
    assert len(made.table)
    assert "accuracy" not in set(made.table.get("metric", ()))
    assert made.info.verdict.endswith(".")


def test_advice_checks_and_estimates_are_there_for_sets(loop):
    folder, run_id = str(loop.project.folder), loop.first.info.run_id
    for command in (f"report PROJECT --run {run_id} --advice", "doctor PROJECT", "agreement PROJECT"):
        assert winnow(command.replace("PROJECT", folder).split(" ")) == 0, command
    for action in (action for line in class_advice(loop.project, run_id) for action in line.actions):
        params: dict[str, list[str]] = {}
        for name, value in action.params:
            params.setdefault(name, []).append(value)
        assert action.target == "experiments" or open_queue(
            loop.project, query_of(params, run_id=run_id, classes=CLASSES)
        )
    estimate = read_what_if(loop.quick)
    assert estimate["label"].tolist() == list(CLASSES)
    assert (estimate["f1_difference_low"] <= estimate["f1_difference_high"]).all()
    assert estimate["support"].sum() > 0
