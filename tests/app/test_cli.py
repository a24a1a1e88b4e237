import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from app.cli import VERBS, run
from curation.jobs import list_jobs
from curation.project import Project
from curation.reports import labelled_predictions
from curation.runs import read_run
from curation.what_if import read_what_if

RANK_COLUMNS = [
    "rank",
    "item_id",
    "path",
    "split",
    "given_label",
    "predicted_label",
    "p_given",
    "p_predicted",
    "second_label",
    "p_second",
    "loss",
    "confusion",
    "margin",
    "entropy",
    "label_quality",
]


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def loaded_modules_after(*command_lines) -> set[str]:
    """The modules that these commands leave imported, in a process of their own."""
    script = (
        "import json, sys\nfrom app.cli import run\nfrom contextlib import redirect_stdout\nimport io\n"
        f"for arguments in {[[str(part) for part in line] for line in command_lines]!r}:\n"
        "    with redirect_stdout(io.StringIO()): code = run(arguments)\n"
        "    assert code == 0, (arguments, code)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("verb", [verb.__name__ for verb, _ in VERBS])
def test_every_verb_has_help_with_an_example(verb, capsys):
    assert run([verb, "--help"]) == 0
    assert f"Example: winnow {verb}" in " ".join(capsys.readouterr().out.split())


def test_leaks_are_listed_left_out_and_taken_back(leaky_project, capsys):
    def told(*options: str) -> dict:
        assert run(["leaks", str(leaky_project.folder), *options, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert (told()["n_in_training"], told()["counts"][0]["n_items"]) == (1, 1)
    assert told("--exclude", "--as", "ada")["n_left_out"] == 1
    assert told("--undo")["n_changed"] == 1
    assert run(["leaks", str(leaky_project.folder)]) == 0
    assert "is nearly the same image as" in capsys.readouterr().out
    assert run(["leaks", str(leaky_project.folder), "--exclude", "--undo"]) == 2


def test_init_leaves_training_copies_out_unless_it_is_told_to_keep_them(tmp_path, capsys):
    photos = tmp_path / "photos"
    rng = np.random.default_rng(0)
    for place in ("train/cat", "train/dog", "test/cat"):
        (photos / place).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(photos / place / f"{number}.png")
    shutil.copy(photos / "test/cat/0.png", photos / "train/cat/copy.png")
    for options, n_out in ((["--as", "ada"], 1), (["--leaks", "keep"], 0)):
        project = tmp_path / f"project{n_out}"
        command = ["init", str(project), "--data", str(photos), "--val-fraction", "0", *options, "--json"]
        assert run(command) == 0
        made = json.loads(capsys.readouterr().out)
        assert made["leaks"] == {"n_in_training": 1 - n_out, "n_left_out": n_out}
        labels = Project.open(project).decisions.state_table()
        assert labels["note"].str.contains("Asked for by ada").tolist() == [True] * n_out


def test_init_says_what_the_data_are_taken_as_and_does_as_it_is_told(tmp_path, capsys):
    rows = "".join(f"shoe {n},a pair of red shoes number {n},{'ab'[n % 2]}\n" for n in range(30))
    (tmp_path / "shop.csv").write_text("name,details,label\n" + rows)
    data = ["--data", str(tmp_path / "shop.csv")]
    assert run(["init", str(tmp_path / "guessed"), *data]) == 0
    assert "Taken as texts: column 'details' holds long texts (--modality" in capsys.readouterr().out
    both = ["--text-column", "name", "--text-column", "details", "--json"]
    assert run(["init", str(tmp_path / "texts"), *data, *both]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["modality"], told["content"]) == ("text", ["name", "details"])
    rest = ["--modality", "tabular", "--feature-column", "name", "--json"]
    assert run(["init", str(tmp_path / "rows"), *data, *rest]) == 0
    assert json.loads(capsys.readouterr().out)["modality"] == "tabular"
    assert run(["init", str(tmp_path / "no"), *data, "--modality", "audio"]) == 1
    assert "this Winnow knows image, text, tabular" in capsys.readouterr().err


def test_help_loads_no_library_that_is_slow():
    slow = {"torch", "fastai", "numba", "streamlit", "pandas", "plotly", "sqlalchemy"}
    assert not loaded_modules_after(["--help"]) & slow


def test_an_error_in_the_input_is_one_line_on_stderr_and_exit_code_1(tmp_path):
    command = [sys.executable, "-m", "app.cli", "report", str(tmp_path / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("winnow: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian", "x"], "Did you mean 'train'"),
        (["train", "x", "--epochs", "many"], "--epochs"),
        (["rank", "x", "--split", "training"], "--split takes train, val, test, unlabelled"),
        (["rank"], "Give a PROJECT, or --probs"),
        (["rank", "--probs", "p.npy"], "--probs needs the labels of its rows"),
        (["rank", "x", "--labels", "l.csv"], "--labels can only be used with --probs"),
        (["rank", "x", "--device", "cuda"], "--device can only be used with --probs"),
        (["rank", "x", "--filter-by", "noise"], "--filter-by"),
        (["decide", "x", "--as", "ada"], "either --from PATCH or --item ID"),
        (["init"], "PROJECT"),
    ],
)
def test_misuse_is_one_line_on_stderr_and_exit_code_2(arguments, message, capsys):
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_wrong_training_option_is_the_users_error(finished_demo, capsys):
    assert run(["train", str(finished_demo), "--label-smoothing", "3"]) == 1
    assert "label_smoothing must lie between" in capsys.readouterr().err


def test_verbs_over_stored_predictions_do_not_load_torch(demo_project, tmp_path):
    item = "images/train/tr0001.png"
    loaded = loaded_modules_after(
        ["rank", demo_project, "--out", tmp_path / "ranked.csv"],
        ["report", demo_project],
        ["decide", demo_project, "--item", item, "--verdict", "ambiguous", "--as", "ada"],
        ["export", demo_project, "--out", tmp_path / "curated.csv"],
    )
    assert not loaded & {"torch", "fastai", "numba", "streamlit"}


def test_rank_writes_every_training_item_most_suspect_first(finished_demo, tmp_path, run_winnow):
    out = tmp_path / "ranked.csv"
    run_winnow("rank", finished_demo, "--split", "train", "--by", "loss", "--out", out)
    rows = read_rows(out)
    assert list(rows[0]) == RANK_COLUMNS
    assert [int(row["rank"]) for row in rows] == list(range(1, 601))
    losses = [float(row["loss"]) for row in rows]
    assert losses == sorted(losses, reverse=True)


def test_the_demo_finds_most_planted_errors_early(finished_demo):
    from data_samples import digits_folder

    planted = {row["path"] for row in read_rows(digits_folder() / "planted_errors.csv")}
    ranked = [row["path"] for row in read_rows(finished_demo / "ranked-train.csv")]
    found = planted & set(ranked[: 2 * len(planted)])
    assert len(found) >= 0.8 * len(planted)


def test_report_json_has_the_promised_fields(finished_demo, run_winnow):
    report = json.loads(run_winnow("report", finished_demo, "--split", "val", "--json").stdout)
    assert 0 < report["accuracy_low"] < report["accuracy"] < report["accuracy_high"] <= 1
    assert len(report["classes"]) == 10
    promised = {
        "label", "precision", "recall", "f1", "support", "precision_low", "precision_high", "recall_low",
        "recall_high", "f1_low", "f1_high",
    }  # fmt: skip
    assert promised <= set(report["classes"][0])


def test_a_patch_with_one_bad_row_changes_nothing_and_names_every_bad_row(demo_project, tmp_path, run_winnow):
    patch = tmp_path / "patch.csv"
    patch.write_text("path,label\nimages/train/tr0000.png,3\nno/such.png,3\nimages/train/tr0002.png,cat\n")
    done = run_winnow("decide", demo_project, "--from", patch, "--as", "ada", check=False)
    assert done.returncode == 1
    assert "no/such.png" in done.stderr
    assert "cat" in done.stderr
    curated = tmp_path / "curated.csv"
    run_winnow("export", demo_project, "--out", curated)
    assert {row["annotator"] for row in read_rows(curated)} == {""}


def test_the_command_line_walks_the_whole_loop(demo_project, tmp_path, run_winnow):
    """Decide on two items, undo one, close the round, export the changes and replay them on a fresh copy."""
    patch = tmp_path / "patch.csv"
    rows = read_rows(demo_project / "ranked-train.csv")
    first, second = rows[0], rows[1]
    patch.write_text(f"path,label\n{first['path']},{first['predicted_label']}\n")
    run_winnow("decide", demo_project, "--from", patch, "--as", "ada")
    run_winnow("decide", demo_project, "--item", second["item_id"], "--verdict", "bad_item", "--as", "ada")
    undone = json.loads(run_winnow("undo", demo_project, "--as", "ada", "--json").stdout)
    assert undone["steps"] == 1
    rounds = json.loads(run_winnow("rounds", demo_project, "--close", "--as", "ada", "--json").stdout)[
        "rounds"
    ]
    assert len(rounds) == 2
    out, changes = tmp_path / "curated.csv", tmp_path / "changes.csv"
    run_winnow("export", demo_project, "--out", out, "--patch", changes)
    relabelled = [row for row in read_rows(out) if row["status"] == "relabelled"]
    assert [(row["path"], row["label"]) for row in relabelled] == [(first["path"], first["predicted_label"])]
    assert len(read_rows(changes)) == 1


def test_unlabelled_items_are_ranked_too(finished_demo, tmp_path, run_winnow):
    out = tmp_path / "ranked.csv"
    run_winnow("rank", finished_demo, "--split", "unlabelled", "--by", "confusion", "--out", out)
    rows = read_rows(out)
    assert len(rows) == 100
    spreads = [float(row["confusion"]) for row in rows]
    assert spreads == sorted(spreads)


def test_unlocking_the_test_set_holds_for_one_command_even_if_it_fails(demo_project, capsys):
    decide = ["decide", str(demo_project), "--item", "images/test/te0000.png", "--as", "ada"]
    unlocked = ["--unlock-test", "a wrong label was reported"]
    assert run([*decide, "--label", "77", *unlocked]) == 1
    capsys.readouterr()
    assert run([*decide, "--verdict", "ambiguous"]) == 1
    assert "gold test set" in capsys.readouterr().err
    assert run([*decide, "--verdict", "ambiguous", *unlocked]) == 0


def test_the_open_round_has_no_closing_time_in_json(finished_demo, run_winnow):
    rounds = json.loads(run_winnow("rounds", finished_demo, "--json").stdout)["rounds"]
    assert rounds[-1]["closed"] is None


def test_a_patch_and_the_options_for_one_item_do_not_go_together(finished_demo, capsys):
    patch = ["decide", str(finished_demo), "--as", "ada", "--from", "p.csv", "--label", "3"]
    assert run(patch) == 2
    assert "go with --item" in capsys.readouterr().err


def test_a_project_cannot_be_made_below_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["init", str(tmp_path / "file" / "project"), "--data", str(tmp_path)]) == 1
    assert "no folder that can be written to" in capsys.readouterr().err


def test_a_quick_round_follows_the_decisions_and_is_marked_wherever_it_is_named(
    demo_project, tmp_path, run_winnow, capsys
):
    suspects = read_rows(demo_project / "ranked-train.csv")[:30]
    patch = tmp_path / "patch.csv"
    lines = [f"{row['item_id']},label_wrong,{row['predicted_label']}" for row in suspects]
    patch.write_text("\n".join(["item_id,verdict,label", *lines]) + "\n", encoding="utf-8")
    assert run(["decide", str(demo_project), "--from", str(patch), "--as", "ada"]) == 0
    made = json.loads(run_winnow("train", demo_project, "--quick", "--json").stdout)
    assert made["info"]["quick"]["base_run"] == "run-0001"
    assert made["info"]["dataset_version"]["event"] == 30
    project = Project.open(demo_project)
    quick = read_run(project)
    given = dict(zip(quick.predictions.item_ids, quick.predictions.given_labels, strict=True))
    assert all(given[row["item_id"]] == row["predicted_label"] for row in suspects)
    assert labelled_predictions(project, "val").class_report().accuracy.value > 0.8
    table = read_what_if(quick)
    assert table["label"].tolist() == list(project.task.classes)
    assert (table["f1_difference_low"] <= table["f1_difference_high"]).all()
    assert list_jobs(project)[0].state == "done"
    for verb in ("report", "rank", "rounds"):
        assert run([verb, str(demo_project)]) == 0
        assert "run-0002 (quick)" in capsys.readouterr().out


@pytest.fixture
def other_model(tmp_path):
    """The files of a model that knows no project: the second label is wrong."""
    probs = np.array([[0.9, 0.1], [0.1, 0.9], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7]], dtype=np.float32)
    np.save(tmp_path / "probs.npy", probs)
    (tmp_path / "labels.csv").write_text("id,label\na,cat\nb,cat\nc,cat\nd,dog\ne,dog\n", encoding="utf-8")
    return ["--probs", str(tmp_path / "probs.npy"), "--labels", str(tmp_path / "labels.csv")]


def test_predictions_of_any_model_are_ranked_without_a_project(other_model, tmp_path, capsys):
    out = tmp_path / "ranked.csv"
    assert run(["rank", *other_model, "--by", "margin", "--filter-by", "both", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "5 items of probs.npy by margin" in printed
    assert "1 label issues by confident learning (both)." in printed
    rows = read_rows(out)
    assert list(rows[0]) == ["rank", "item_id", "given_label", *RANK_COLUMNS[5:], "is_issue"]
    assert [row["item_id"] for row in rows] == ["b", "e", "c", "d", "a"]
    assert [row["is_issue"] for row in rows] == ["True", "False", "False", "False", "False"]


def test_a_ranking_without_a_project_is_one_json_document(other_model, capsys):
    assert run(["rank", *other_model, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n_items"], found["n_issues"], found["n_left_out"]) == (5, 1, 0)
    assert found["items"][0]["item_id"] == "b"


def test_a_ranking_without_a_project_does_not_load_torch(other_model, other_set_model):
    loaded = loaded_modules_after(["rank", *other_model], ["rank", *other_set_model, "--json"])
    assert not loaded & {"torch", "fastai", "streamlit"}


@pytest.fixture
def other_set_model(tmp_path):
    """The files of a model that gives several labels: the last item has the wrong one."""
    probs = np.array([[0.9, 0.8], [0.9, 0.1], [0.2, 0.1], [0.1, 0.95]], dtype=np.float32)
    np.save(tmp_path / "set_probs.npy", probs)
    (tmp_path / "sets.csv").write_text("id,label\na,cat;dog\nb,cat\nc,(none)\nd,cat\n", encoding="utf-8")
    files = ["--probs", str(tmp_path / "set_probs.npy"), "--labels", str(tmp_path / "sets.csv")]
    return [*files, "--multilabel", "--separator", ";"]


def test_sets_of_labels_of_any_model_are_ranked_by_pair_and_by_item(other_set_model, tmp_path, capsys):
    items, pairs = tmp_path / "items.csv", tmp_path / "pairs.csv"
    assert run(["rank", *other_set_model, "--out", str(items), "--out-pairs", str(pairs)]) == 0
    printed = capsys.readouterr().out
    assert "dog missing" in printed
    assert "2 label issues in 1 items by confident learning" in printed
    assert [(row["item_id"], row["label"], row["kind"]) for row in read_rows(pairs)[:2]] == [
        ("d", "dog", "missing"),
        ("d", "cat", "superfluous"),
    ]
    assert (read_rows(items)[0]["item_id"], read_rows(items)[0]["predicted_labels"]) == ("d", "dog")


def test_a_ranking_of_sets_is_one_json_document(other_set_model, capsys):
    assert run(["rank", *other_set_model, "--json", "--by", "loss", "--threshold", "best_f1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n_items"], found["n_pairs"], found["n_pair_issues"], found["n_left_out"]) == (4, 8, 2, 0)
    assert found["pairs"][0]["kind"] == "missing"
    assert found["items"][0]["suspect_label"] == "dog"


def test_options_for_sets_of_labels_are_refused_where_an_item_has_one_label(other_model, capsys):
    assert run(["rank", *other_model, "--threshold", "0.2", "--separator", "|"]) == 2
    assert "--separator, --threshold can only be used with --multilabel" in capsys.readouterr().err
    assert run(["rank", *other_model, "--multilabel", "--by", "confusion"]) == 2
    assert "try entropy" in capsys.readouterr().err
    assert run(["rank", "cats", "--multilabel"]) == 2
    assert "--multilabel can only be used with --probs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cats"], "PROJECT cannot be used with --probs"),
        (["--split", "val", "--undecided"], "--split, --undecided cannot be used with --probs"),
        (["--run", "run-0001"], "--run cannot be used with --probs"),
    ],
)
def test_options_of_a_project_are_refused_without_one(other_model, arguments, message, capsys):
    assert run(["rank", *other_model, *arguments]) == 2
    assert message in capsys.readouterr().err
