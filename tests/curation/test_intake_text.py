"""Texts come in from tables and files in one form, and go out as they were."""

import json
import zipfile

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.dataset.intake import IntakeSpec, take_in
from curation.export import export_curated, write_table
from curation.modalities import MODALITIES
from curation.modalities.text import clean, join_columns, shown_text
from curation.project import Project
from curation.rounds import dataset_version, training_items
from curation.spreadsheet import CURATED_COLUMNS, exported_name
from curation.text_lengths import text_lengths
from diagnostics.errors import DataError
from diagnostics.progress import ignore_progress

TEXTS = [
    "red running shoes for men", "blue jeans with some holes", "a coat that keeps the rain out",
    "socks made of soft wool", "a hat against the sun", "gloves for a cold winter", "a dress for the summer",
    "slippers for the quiet evening",
]  # fmt: skip
TABLE = "text,label\n" + "".join(f"{text},{'warm' if n % 2 else 'cold'}\n" for n, text in enumerate(TEXTS))


def intake_of(data, **options):
    options.setdefault("val_fraction", 0.0)
    return take_in(IntakeSpec(data, **options), on_progress=ignore_progress)


def written(tmp_path, text, name="train.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding, "surrogatepass"))
    return path


def messages(intake, code):
    return intake.findings.loc[intake.findings["code"] == code, "message"].tolist()


def test_a_column_named_text_makes_texts_and_this_is_said(tmp_path):
    intake = intake_of(written(tmp_path, TABLE))
    assert (intake.modality, intake.content) == ("text", ("text",))
    assert intake.taken_as == "column 'text' holds texts by its name"
    assert list(intake.items["text"]) == TEXTS
    assert intake.items["n_words"].tolist()[:3] == [5, 5, 7]


def test_a_column_of_long_texts_is_found_whatever_its_name(tmp_path):
    intake = intake_of(written(tmp_path, TABLE.replace("text,", "remarks,")))
    assert (intake.modality, intake.content) == ("text", ("remarks",))


def test_what_was_asked_for_decides(tmp_path):
    assert intake_of(written(tmp_path, TABLE), ignored_columns=(), modality="text").taken_as == ""
    with pytest.raises(DataError, match="No column is a feature"):
        intake_of(written(tmp_path, TABLE * 1), modality="tabular", ignored_columns=("text",))


def test_items_without_an_id_are_named_after_their_content_not_their_row(tmp_path):
    rows = TABLE.splitlines(keepends=True)
    there = intake_of(written(tmp_path, TABLE)).items.set_index("text")["item_id"]
    turned = intake_of(written(tmp_path, "".join([rows[0], *rows[:0:-1]]))).items.set_index("text")["item_id"]
    assert there.to_dict() == turned.to_dict()
    twice = intake_of(written(tmp_path, TABLE + f"{TEXTS[0]},cold\n")).items
    assert twice["item_id"].iloc[-1] == f"{twice['item_id'].iloc[0]}-2"


@pytest.mark.parametrize("name", ["train.parquet", "train.jsonl", "train.tsv"])
def test_every_kind_of_table_gives_the_same_items(tmp_path, name):
    frame = pd.DataFrame({"text": TEXTS, "label": ["cold", "warm"] * 4})
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    elif name.endswith("jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    else:
        frame.to_csv(path, sep="\t", index=False)
    assert intake_of(path).fingerprint == intake_of(written(tmp_path, TABLE)).fingerprint


def test_lines_that_are_no_json_are_told_by_their_line(tmp_path):
    lines = [json.dumps({"text": text, "label": "ab"[n % 2], "n": 1.50}) for n, text in enumerate(TEXTS)]
    lines[2:2] = ['{"text": ', '["a list"]']
    intake = intake_of(written(tmp_path, "\n".join(lines), "train.jsonl"))
    found = intake.findings[intake.findings["code"] == "unreadable_row"]
    assert found["row"].tolist() == [3, 4]
    assert len(intake.items) == len(TEXTS)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_text_files_has_classes_and_splits_as_one_of_images_has(tmp_path, zipped):
    folder = tmp_path / "data"
    for number, text in enumerate(TEXTS):
        place = folder / ("test" if number > 5 else "train") / ("warm" if number % 2 else "cold")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(text)
    (folder / "train" / "warm" / "bad.txt").write_bytes(b"caf\xe9")
    (folder / "train" / "warm" / "wide.txt").write_bytes("wide text".encode("utf-16"))
    (folder / "train" / "warm" / "photo.jpeg2").write_bytes(b"?")
    if zipped:
        with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
            for path in folder.rglob("*.*"):
                archive.write(path, path.relative_to(folder))
        folder = tmp_path / "data.zip"
    intake = intake_of(folder)
    assert (intake.modality, intake.taken_as) == ("text", "it holds .txt files")
    items = intake.items.set_index("item_id")
    assert items.loc["test/warm/7.txt", ["split", "given_label", "text"]].tolist() == [
        "test",
        "warm",
        TEXTS[7],
    ]
    assert items.loc["train/warm/wide.txt", "text"] == "wide text"
    assert any("0xe9" in message for message in messages(intake, "unreadable_text"))
    assert any("photo.jpeg2" in message for message in messages(intake, "unreadable_text"))


def test_empty_texts_are_set_aside_and_control_characters_left_out(tmp_path):
    data = written(tmp_path, TABLE + ' \t,warm\n"nul\x00 and\x07 bell",cold\n')
    intake = intake_of(data)
    assert messages(intake, "empty_text") == ["The text is empty or blank."]
    assert len(messages(intake, "control_characters")) == 1
    assert intake.items["text"].iloc[-1] == "nul and bell"


def test_equal_and_nearly_equal_texts_in_two_splits_are_leaks(tmp_path):
    test = f"text,label\n{TEXTS[0]},cold\nA dress for the Summer!,warm\nsomething else entirely,cold\n"
    intake = intake_of(written(tmp_path, TABLE), test=written(tmp_path, test, "test.csv"))
    kinds = intake.leaks.set_index("item_id")["kind"]
    by_text = intake.items.set_index("text")["item_id"]
    assert kinds.to_dict() == {intake.items["item_id"].iloc[0]: "exact", by_text[TEXTS[6]]: "near"}
    assert "nearly the same text" in messages(intake, "near_leak")[0]


def test_several_columns_are_joined_with_field_marks_and_shown_with_their_names(tmp_path):
    text = "title,label,details\n" + "".join(f"{t},{'ab'[n % 2]},made in {n}\n" for n, t in enumerate(TEXTS))
    intake = intake_of(written(tmp_path, text), text_columns=("title", "details"))
    stored = intake.items["text"].iloc[0]
    assert stored == f"xxfld 1 {TEXTS[0]}\nxxfld 2 made in 0"
    assert intake.items["n_words"].iloc[0] == 8
    shown = shown_text(stored, intake.content)
    assert shown.text == f"title: {TEXTS[0]}\ndetails: made in 0"
    for word in ("running", "made", "0"):
        start = shown.position(stored.rindex(word))
        assert shown.text[start : start + len(word)] == word


cell = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=30)
@given(cells=st.lists(cell, min_size=2, max_size=4))
def test_positions_in_a_stored_text_lead_to_the_same_characters_as_shown(cells):
    stored = join_columns(cells)
    names = [f"column {number}" for number in range(len(cells))]
    shown = shown_text(stored, names)
    for mark, name in zip(("xxfld 1 ", "xxfld 2 "), names, strict=False):
        if stored.startswith(mark):
            assert shown.text.startswith(f"{name}: ")
            assert shown.text[shown.position(len(mark)) :][:1] == stored[len(mark) :][:1]
    assert shown.position(len(stored)) == len(shown.text)


def test_texts_are_searched_and_given_to_training(tmp_path, now):
    project = Project.create(tmp_path / "p", intake_of(written(tmp_path, TABLE)), now=now)
    assert project.item_index.with_text("JEANS with").nonzero()[0].tolist() == [1]
    items = training_items(project, dataset_version(project))
    assert items["text"].tolist() == TEXTS
    lengths = text_lengths(project.items)
    assert lengths.longest["text"].iloc[0] == TEXTS[2]
    assert lengths.said("words") == "5 to 7 words; half of the texts have at most 5."


nasty = st.text(st.characters(codec="utf-8"), max_size=12) | st.text("=+-@'\",;\r\n\t\x00xfld 12", max_size=9)
names = st.lists(nasty.map(str.strip).filter(bool), min_size=2, max_size=3, unique=True)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_texts_in_columns_of_any_names_come_back_from_an_export(tmp_path, data):
    columns = data.draw(names.filter(lambda found: not {"label", "id"} & {name.lower() for name in found}))
    rows = data.draw(
        st.lists(st.lists(nasty, min_size=len(columns), max_size=len(columns)), min_size=6, max_size=8)
    )
    frame = pd.DataFrame(rows, columns=columns, dtype=object).assign(
        label=["a", "b"] * 3 + ["a"] * (len(rows) - 6)
    )
    frame[columns[0]] = [f"{n} {text}" for n, text in enumerate(frame[columns[0]])]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    intake = intake_of(path, modality="text", text_columns=tuple(columns), val_fraction=0.2)
    again = intake_of(exported(intake, tmp_path), modality="text")
    assert again.content == tuple(columns)
    assert again.fingerprint == intake.fingerprint
    cleaned = [[clean(text) for text in row] for row in frame[columns].to_numpy().tolist()]
    assert again.items[[f"text:{name}" for name in columns]].to_numpy().tolist() == cleaned


def exported(intake, tmp_path):
    """What `export_curated` writes of these items, without a project."""
    items = intake.items
    own = items.rename(columns={"item_id": "id"}).assign(label=items["given_label"], status="kept")
    content = MODALITIES[intake.modality].exported(items, intake.content).rename(columns=exported_name)
    path = tmp_path / "out.csv"
    path.unlink(missing_ok=True)
    write_table(pd.concat([own.reindex(columns=list(CURATED_COLUMNS)), content], axis=1), path)
    return path


def test_an_export_of_texts_is_taken_in_again_as_what_it_was(tmp_path, now):
    text = TABLE.replace("text,label", "remark,label").replace("jeans", '"=jeans"')
    intake = intake_of(written(tmp_path, text), text_columns=("remark",))
    project = Project.create(tmp_path / "p", intake, now=now)
    export_curated(project, tmp_path / "out.csv", patch=tmp_path / "patch.csv")
    again = intake_of(tmp_path / "out.csv")
    assert (again.modality, again.content) == ("text", ("remark",))
    assert again.taken_as == "it was exported from such a project"
    assert again.fingerprint == intake.fingerprint
    export_curated(project, tmp_path / "out.csv")
