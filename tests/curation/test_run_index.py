"""The files that queues are read from: made once for a run, made anew for other scores, never more than needed."""

from dataclasses import replace

import numpy as np
import pytest

from curation import run_index
from curation.decisions.events import Decision
from curation.queues import DECIDED, RANKERS, VERDICT_FILTERS, QueueQuery, open_queue, prepare_queues
from curation.run_table import run_table
from diagnostics.errors import RunError
from diagnostics.run_folder import SCORES_FILE, write_table
from diagnostics.task import SPLITS

N_ITEMS = 60
CLASSES = ("cat", "dog", "fox")


@pytest.fixture
def many(make_project, add_run, now):
    """60 items in all splits, some without a label, whose probabilities repeat; two people decided on 20 of them."""
    rng = np.random.default_rng(0)
    splits = rng.choice(["train", "train", "val", "unlabelled"], N_ITEMS)
    names = [f"i{number:02d}" for number in rng.permutation(N_ITEMS)]
    labels = [None if split == "unlabelled" else str(rng.choice(CLASSES)) for split in splits]
    project = make_project(list(zip(names, map(str, splits), labels, strict=True)))
    weights = rng.integers(1, 4, (N_ITEMS, 3)).astype(float)
    add_run(project, "run-0001", dict(zip(names, weights / weights.sum(axis=1, keepdims=True), strict=True)))
    for annotator, decided in (("ada", names[:7]), ("bob", names[7:19]), ("bob", names[19:20])):
        wanted = [Decision(name, ("bad_item", "ambiguous")[int(name[1:]) % 2]) for name in decided]
        project.decisions.decide(wanted, annotator=annotator, now=now)
    project.decisions.undo("bob", now)
    return project


QUERIES = [
    QueueQuery(),
    QueueQuery(splits=("train", "unlabelled"), by="entropy", given="cat"),
    QueueQuery(splits=SPLITS, by="confusion", k=3, predicted="dog"),
    QueueQuery(splits=SPLITS, decided="open", search="1"),
    QueueQuery(splits=SPLITS, by="margin", decided="decided", given="dog", search="i"),
    QueueQuery(splits=SPLITS, by="entropy", verdict="ambiguous"),
    QueueQuery(splits=SPLITS, by="confusion", annotator="ada", verdict="bad_item", as_of_event=12),
    QueueQuery(splits=("unlabelled",), by="entropy", pair=("cat", "fox"), decided="open", as_of_event=5),
]


@pytest.mark.parametrize("query", QUERIES)
def test_each_count_is_the_length_of_the_queue_that_it_promises(many, query):
    counts = open_queue(many, query).counts()
    values = {
        "split": [(name, {"splits": (name,)}) for name in SPLITS],
        "given": [(name, {"given": name}) for name in CLASSES],
        "predicted": [(name, {"predicted": name}) for name in CLASSES],
        "decided": [(name, {"decided": name}) for name in DECIDED],
        "verdict": [(name, {"verdict": name}) for name in VERDICT_FILTERS],
        "annotator": [(name, {"annotator": name}) for name in ("ada", "bob")],
    }
    for name, each in values.items():
        lengths = {value: len(open_queue(many, replace(query, **change))) for value, change in each}
        assert {value: counts[name].get(value, 0) for value, _ in each} == lengths, name


@pytest.mark.parametrize("query", QUERIES)
def test_counts_follow_what_is_decided_after_the_queue_was_opened(many, now, query):
    queue, ids = open_queue(many, query), open_queue(many, query).item_ids()
    if query.as_of_event is None:
        many.decisions.decide([Decision(name, "out_of_scope") for name in ids[:2]], annotator="eve", now=now)
        assert queue.counts()["verdict"].get("out_of_scope", 0) == len(ids[:2])
        assert queue.counts()["annotator"].get("eve", 0) == len(ids[:2])
    states = many.decisions.states(ids).values()
    assert queue.item_ids() == ids
    assert queue.n_decided() == sum(state.verdict is not None for state in states)
    assert [queue.position(name) for name in ids] == list(range(1, len(ids) + 1))


def test_the_pairs_add_up_to_what_each_pair_shows(many):
    queue = open_queue(many, QueueQuery(splits=("train", "val")))
    pairs = queue.pair_counts()
    for first, second, n in pairs.to_numpy().tolist():
        assert len(open_queue(many, QueueQuery(splits=("train", "val"), pair=(first, second)))) == n
    suspects = queue.ranked_table().query("given_label != predicted_label")
    assert pairs["n"].sum() == len(suspects)
    decided = many.decisions.state_table()["item_id"]
    still_open = suspects[~suspects["item_id"].isin(decided)]["given_label"].value_counts()
    assert queue.open_suspects() == {name: n for name, n in still_open.to_dict().items() if n}


def test_the_files_are_made_once_and_again_for_other_scores(many, monkeypatch):
    built = []
    build = run_index._build
    monkeypatch.setattr(run_index, "_build", lambda *args: (built.append(args), build(*args)))
    first = open_queue(many, QueueQuery(by="loss")).item_ids()
    assert open_queue(many, QueueQuery(by="margin")).item_ids() != []
    assert len(built) == 1
    run = run_table(many, None).run
    write_table(run.folder / SCORES_FILE, run.scores.assign(loss=-run.scores["loss"]))
    assert open_queue(many, QueueQuery(by="loss")).item_ids() != first
    assert len(built) == 2
    assert len(list(many.cache_dir.glob("run-0001-*"))) == 1


def test_every_ranker_can_be_made_ready(many):
    prepare_queues(many)
    folder = next(many.cache_dir.glob("run-0001-*"))
    assert len([path for path in folder.iterdir() if path.is_dir()]) == len(RANKERS)


def test_of_the_spreads_with_a_k_of_ones_own_only_the_newest_stay(make_project, add_run, monkeypatch):
    monkeypatch.setattr(run_index, "MAX_KEPT_SPREADS", 1)
    project = make_project([("a", "train", "c0")], [f"c{number}" for number in range(5)])
    add_run(project, "run-0001", {"a": (0.4, 0.3, 0.15, 0.1, 0.05)})
    queues = {k: open_queue(project, QueueQuery(by="confusion", k=k)) for k in (2, 3, 4)}
    folder = next(project.cache_dir.glob("run-0001-*"))
    assert {path.name for path in folder.glob("confusion-*")} == {"confusion-up", "confusion-up-4"}
    found = [float(queue.ranked_table()["confusion"].iloc[0]) for queue in queues.values()]
    assert found == pytest.approx([0.1, 0.25, 0.3])


def test_only_the_runs_that_were_looked_at_last_keep_their_files(project, add_run, monkeypatch):
    monkeypatch.setattr(run_index, "MAX_KEPT_RUNS", 2)
    probs = {"a": (0.5, 0.3, 0.2), "b": (0.4, 0.5, 0.1)}
    for number in (1, 2, 3):
        add_run(project, f"run-000{number}", probs)
    first = open_queue(project, QueueQuery(run_id="run-0001"))
    for number in (2, 1, 3):
        open_queue(project, QueueQuery(run_id=f"run-000{number}"))
    assert {path.name[:8] for path in project.cache_dir.glob("run-*")} == {"run-0001", "run-0003"}
    open_queue(project, QueueQuery(run_id="run-0002"))
    assert {path.name[:8] for path in project.cache_dir.glob("run-*")} == {"run-0002", "run-0003"}
    assert first.item_ids() == ["a", "b"]
    assert open_queue(project, QueueQuery(run_id="run-0001", by="margin")).item_ids() == ["b", "a"]


def test_a_run_of_other_items_and_scores_that_cannot_be_read_are_told(many):
    run = run_table(many, None).run
    write_table(run.folder / SCORES_FILE, run.scores.assign(item_id="nowhere"))
    with pytest.raises(RunError, match=r"predicts 60 items that .* does not have"):
        open_queue(many, QueueQuery())
    (run.folder / SCORES_FILE).write_bytes(b"no table")
    with pytest.raises(RunError, match=r"scores of run-0001 .* cannot be read"):
        open_queue(many, QueueQuery())
