import shutil
import warnings
import zipfile
import zlib
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from curation.dataset.findings import count_findings
from curation.dataset.intake import IntakeSpec, take_in
from curation.modalities.image import IMAGE
from diagnostics.errors import DataError
from diagnostics.progress import ignore_progress


def picture(seed: int, *, size=(12, 10), format="PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(*size[::-1], 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format=format)
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path):
    """A folder with eight pictures p0.png … p7.png."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(8):
        (folder / f"p{number}.png").write_bytes(picture(number))
    return folder


def write_csv(photos, text: str, *, name="train.csv", encoding="utf-8"):
    path = photos.parent / name
    path.write_bytes(text.encode(encoding))
    return path


GOOD = "path,label\n" + "".join(f"p{n}.png,{'cat' if n % 2 else 'dog'}\n" for n in range(8))


def intake_of(data, **options):
    options.setdefault("val_fraction", 0.0)
    return take_in(IntakeSpec(data, **options), on_progress=ignore_progress)


def only_finding(intake, code):
    found = intake.findings[intake.findings["code"] == code]
    assert len(found) == 1, intake.findings[["code", "message"]]
    return found.iloc[0]


# ---------------------------------------------------------------- shapes of data


def test_a_table_and_a_folder_of_images_are_taken_in_whole(photos):
    intake = intake_of(write_csv(photos, GOOD), images=photos)
    assert list(intake.items["item_id"]) == [f"p{n}.png" for n in range(8)]
    assert set(intake.items["given_label"]) == {"cat", "dog"}
    assert (intake.items[["width", "height"]] == [12, 10]).all().all()
    assert intake.findings.empty
    assert intake.classes == ("cat", "dog")


def test_columns_with_usual_names_are_guessed_and_told(photos):
    data = write_csv(photos, GOOD.replace("path,label", "Filename,Category"))
    columns = intake_of(data, images=photos).columns
    assert (columns.path, columns.label) == ("Filename", "Category")


def test_a_column_name_that_is_not_there_names_the_near_one(photos):
    with pytest.raises(DataError, match=r"no column 'lable'.*Did you mean 'label'"):
        intake_of(write_csv(photos, GOOD), images=photos, label_column="lable")


def test_a_table_without_a_usual_label_column_says_which_columns_there_are(photos):
    with pytest.raises(DataError, match=r"looks like a label; it has path, kind.*--label-column"):
        intake_of(write_csv(photos, GOOD.replace("label", "kind")), images=photos)


def test_parquet_labels_that_are_numbers_become_text(photos):
    path = photos.parent / "train.parquet"
    pd.DataFrame({"path": [f"p{n}.png" for n in range(8)], "label": [1, 2] * 4}).to_parquet(path)
    assert intake_of(path, images=photos).classes == ("1", "2")


def test_labels_stay_as_they_are_written(photos):
    text = GOOD.replace("cat", "NA").replace("dog", "01")
    assert intake_of(write_csv(photos, text), images=photos).classes == ("01", "NA")


def test_sub_folders_are_classes(photos, tmp_path):
    for number in range(8):
        target = tmp_path / "data" / ("cat" if number % 2 else "dog")
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / f"p{number}.png", target)
    intake = intake_of(tmp_path / "data")
    assert intake.classes == ("cat", "dog")
    assert "cat/p1.png" in set(intake.items["item_id"])


@pytest.mark.parametrize("valid", ["valid", "val"])
def test_folders_named_after_splits_are_splits(photos, tmp_path, valid):
    places = [
        "train/cat",
        "train/dog",
        f"{valid}/cat",
        f"{valid}/dog",
        "test/cat",
        "test/dog",
        "unlabelled",
        "train/cat",
    ]
    for number, place in enumerate(places):
        (tmp_path / "data" / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / f"p{number}.png", tmp_path / "data" / place)
    items = intake_of(tmp_path / "data", val_fraction=0.5).items
    assert items["split"].value_counts().to_dict() == {"train": 3, "val": 2, "test": 2, "unlabelled": 1}
    assert items.loc[items["split"] == "unlabelled", "given_label"].isna().all()


def test_a_flat_folder_takes_labels_from_names(tmp_path):
    (tmp_path / "flat").mkdir()
    for number, label in enumerate(["cat", "cat", "dog", "dog"]):
        (tmp_path / "flat" / f"{label}_{number}.png").write_bytes(picture(number))
    (tmp_path / "flat" / "7.png").write_bytes(picture(7))
    intake = intake_of(tmp_path / "flat", label_from_name=r"(?P<label>[a-z]+)_\d")
    assert intake.classes == ("cat", "dog")
    assert only_finding(intake, "no_label_in_name")["path"] == "7.png"


def test_a_flat_folder_without_a_pattern_is_refused_with_the_way_out(photos):
    with pytest.raises(DataError, match="--label-from-name"):
        intake_of(photos)


def test_a_zip_is_read_in_place(photos):
    archive = photos.parent / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(photos.iterdir()):
            file.write(path, path.name)
    shutil.rmtree(photos)
    intake = intake_of(write_csv(photos, GOOD), images=archive)
    assert len(intake.items) == 8
    assert sorted(path.name for path in photos.parent.iterdir()) == ["photos.zip", "train.csv"]


def test_test_validation_and_unlabelled_sources_keep_their_split(photos):
    def table(name, *numbers):
        rows = "".join(f"p{n}.png,{'cat' if n % 2 else 'dog'}\n" for n in numbers)
        return write_csv(photos, "path,label\n" + rows, name=name)

    items = intake_of(
        table("train.csv", 0, 1, 2, 3),
        images=photos,
        val=table("v.csv", 4),
        test=table("t.csv", 5),
        unlabelled=table("u.csv", 6, 7),
        val_fraction=0.5,
    ).items
    assert list(items["split"]) == ["train"] * 4 + ["val", "test", "unlabelled", "unlabelled"]
    assert items["given_label"].isna().sum() == 2


def test_equal_paths_of_two_sources_get_ids_of_their_own(photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "p0.png").write_bytes(picture(99))
    intake = intake_of(write_csv(photos, GOOD), images=photos, unlabelled=other)
    assert "unlabelled/p0.png" in set(intake.items["item_id"])
    assert only_finding(intake, "renamed_id")["path"] == "p0.png"


def test_a_curated_export_opens_as_a_new_project(photos):
    header = "id,path,split,label,given_label,status,verdict\n"
    rows = "".join(f"i{n},p{n}.png,train,{'cat' if n % 2 else 'dog'},cat,kept,\n" for n in range(6))
    rows += "i6,p6.png,val,'=dog,cat,relabelled,label_wrong\ni7,p7.png,train,cat,cat,excluded,bad_item\n"
    intake = intake_of(write_csv(photos, header + rows), images=photos)
    items = intake.items.set_index("item_id")
    assert items.loc["i6", "given_label"] == "=dog"
    assert items.loc["i6", "split"] == "val"
    assert only_finding(intake, "excluded")["item_id"] == "i7"


# ---------------------------------------------------------------- what can be wrong


def break_missing(photos):
    return GOOD + "gone.png,cat\n"


def break_truncated(photos):
    (photos / "bad.png").write_bytes(picture(50, size=(64, 64))[:600])
    return GOOD + "bad.png,cat\n"


def break_no_image(photos):
    (photos / "bad.png").write_text("this is text")
    return GOOD + "bad.png,cat\n"


def break_bomb(photos):
    def chunk(kind, body):
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = (60_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    (photos / "bad.png").write_bytes(data)
    return GOOD + "bad.png,cat\n"


def break_link(photos):
    outside = photos.parent / "outside.png"
    outside.write_bytes(picture(60))
    (photos / "bad.png").symlink_to(outside)
    return GOOD + "bad.png,cat\n"


BROKEN = {
    "missing": (break_missing, "missing_file", "There is no file 'gone.png'"),
    "truncated": (break_truncated, "truncated_image", "cannot be decoded to the end"),
    "no image": (break_no_image, "not_an_image", "not an image"),
    "bomb": (break_bomb, "image_bomb", "60000|bomb"),
    "link": (break_link, "unsafe_path", "link that leaves"),
    "dots": (lambda _: GOOD + "../p0.png,cat\n", "unsafe_path", "leaves the data folder"),
    "absolute": (lambda _: GOOD + "/etc/p0.png,cat\n", "unsafe_path", "absolute"),
    "drive": (lambda _: GOOD + "C:\\p0.png,cat\n", "unsafe_path", "absolute"),
    "no path": (lambda _: GOOD + ",cat\n", "empty_path", "The path is empty"),
    "twice": (lambda _: GOOD + "p0.png,cat\n", "duplicate_id", "occurs before, in train.csv, row 2"),
    "too many fields": (lambda _: GOOD + "p0.png,cat,extra\n", "ragged_row", "Expected 2 fields.*found 3"),
    "too few fields": (lambda _: GOOD + "p0.png\n", "ragged_row", "Expected 2 fields.*found 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_row_is_set_aside_with_its_row_and_reason(case, photos):
    spoil, code, message = BROKEN[case]
    data = write_csv(photos, spoil(photos))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        intake = intake_of(data, images=photos)
    finding = only_finding(intake, code)
    assert finding["severity"] == "set aside"
    assert (finding["source"], finding["row"]) == ("train.csv", 10)
    assert pd.Series([finding["message"]]).str.contains(message).all(), finding["message"]
    assert finding["remedy"]
    assert len(intake.items) == 8


def test_everything_wrong_is_reported_together(photos):
    text = GOOD + "gone.png,cat\n../up.png,cat\np0.png,cat,extra\n"
    codes = set(intake_of(write_csv(photos, text), images=photos).findings["code"])
    assert {"missing_file", "unsafe_path", "ragged_row"} <= codes


def test_an_empty_label_means_unlabelled_and_is_said(photos):
    intake = intake_of(write_csv(photos, GOOD.replace("p7.png,cat", "p7.png,")), images=photos)
    assert intake.items.set_index("item_id").loc["p7.png", "split"] == "unlabelled"
    assert only_finding(intake, "empty_label")["row"] == 9


def test_a_test_item_without_a_label_is_set_aside(photos):
    test = write_csv(photos, "path,label\np7.png,\n", name="test.csv")
    intake = intake_of(write_csv(photos, GOOD.replace("p7.png,cat\n", "")), images=photos, test=test)
    assert only_finding(intake, "label_missing")["source"] == "test.csv"


def test_a_class_with_one_item_is_warned_about(photos):
    intake = intake_of(write_csv(photos, GOOD.replace("p7.png,cat", "p7.png,eel")), images=photos)
    assert "'eel' has 1 item" in only_finding(intake, "small_class")["message"]


def test_labels_that_differ_only_in_case_or_blanks_are_warned_about(photos):
    text = GOOD.replace("p7.png,cat", "p7.png,Cat").replace("p5.png,cat", 'p5.png," cat"')
    message = only_finding(intake_of(write_csv(photos, text), images=photos), "similar_labels")["message"]
    assert "' cat' (1 item), 'Cat' (1 item), 'cat' (2 items)" in message


def test_one_image_with_two_labels_is_warned_about(photos):
    shutil.copy(photos / "p0.png", photos / "p1.png")
    finding = only_finding(intake_of(write_csv(photos, GOOD), images=photos), "conflicting_labels")
    assert "p0.png (train), p1.png (train)" in finding["message"]


def test_one_image_in_train_and_test_is_warned_about(photos):
    shutil.copy(photos / "p0.png", photos / "same.png")
    test = write_csv(photos, "path,label\nsame.png,dog\n", name="test.csv")
    finding = only_finding(intake_of(write_csv(photos, GOOD), images=photos, test=test), "leak")
    assert "p0.png (train), same.png (test)" in finding["message"]


def test_a_label_that_is_none_of_the_given_classes_is_set_aside_with_the_near_one(photos):
    text = GOOD.replace("p7.png,cat", "p7.png,catt")
    intake = intake_of(write_csv(photos, text), images=photos, classes=("cat", "dog"))
    assert "Did you mean 'cat'" in only_finding(intake, "unknown_class")["message"]


def test_a_split_nobody_knows_is_set_aside(photos):
    rows = "".join(
        f"p{n}.png,{'cat' if n % 2 else 'dog'},{'weekend' if n == 7 else 'train'}\n" for n in range(8)
    )
    intake = intake_of(write_csv(photos, "path,label,split\n" + rows), images=photos)
    assert "'weekend' is none of" in only_finding(intake, "unknown_split")["message"]


def test_another_encoding_is_named_with_row_and_remedy(photos):
    data = write_csv(photos, GOOD.replace("cat", "chaîne"), encoding="cp1252")
    with pytest.raises(DataError, match=r"train.csv, row 3: byte 0xee .* use --encoding cp1252"):
        intake_of(data, images=photos)
    assert "chaîne" in intake_of(data, images=photos, encoding="cp1252").classes


def test_utf_8_with_a_byte_order_mark_is_read(photos):
    assert len(intake_of(write_csv(photos, "\ufeff" + GOOD), images=photos).items) == 8


def test_quoted_cells_may_hold_delimiters_and_line_breaks(photos):
    text = GOOD.replace("p0.png,dog", 'p0.png,"a, ""b""\nc"') + "gone.png,cat\n"
    intake = intake_of(write_csv(photos, text), images=photos)
    assert 'a, "b"\nc' in intake.classes
    assert only_finding(intake, "missing_file")["row"] == 11


def test_an_empty_file_is_refused(photos):
    with pytest.raises(DataError, match="is empty"):
        intake_of(write_csv(photos, ""), images=photos)


def test_a_dataset_of_which_nothing_is_usable_says_what_was_set_aside(photos):
    with pytest.raises(
        DataError, match=r"nothing to train on: 0 usable .* 2 items were set aside, for example train.csv"
    ):
        intake_of(write_csv(photos, "path,label\na.png,cat\nb.png,dog\n"), images=photos)


def test_every_check_has_a_title_and_a_remedy_and_is_counted_even_if_it_found_nothing(photos):
    counts = count_findings(intake_of(write_csv(photos, GOOD), images=photos).findings, IMAGE.checks)
    assert list(counts["code"]) == list(IMAGE.checks)
    assert (counts["n"] == 0).all()
    assert counts["title"].str.len().min() > 5
    assert counts["remedy"].str.len().min() > 5


def test_the_fingerprint_depends_on_labels_and_not_on_the_order(photos):
    lines = GOOD.splitlines()
    turned = "\n".join([lines[0], *reversed(lines[1:])]) + "\n"
    first = intake_of(write_csv(photos, GOOD), images=photos).fingerprint
    assert intake_of(write_csv(photos, turned), images=photos).fingerprint == first
    assert (
        intake_of(write_csv(photos, GOOD.replace("p0.png,dog", "p0.png,cat")), images=photos).fingerprint
        != first
    )


def test_many_images_are_checked_by_several_processes_in_order(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(520):
        (folder / f"{number:03d}.png").write_bytes(picture(number, size=(number % 7 + 1, 3)))
    rows = "".join(f"{number:03d}.png,{'cat' if number % 2 else 'dog'}\n" for number in range(520))
    (tmp_path / "train.csv").write_text("path,label\n" + rows)
    items = intake_of(tmp_path / "train.csv", images=folder).items
    assert list(items["width"]) == [number % 7 + 1 for number in range(520)]


# ---------------------------------------------------------------- what would be lost without a word


def test_a_quote_that_is_never_closed_is_refused_and_does_not_swallow_the_rows_below(photos):
    with pytest.raises(DataError, match=r"train.csv, row 4: .*must be closed"):
        intake_of(write_csv(photos, GOOD.replace("p2.png,dog", 'p2.png,"dog')), images=photos)


def test_a_table_with_a_header_alone_is_refused(photos):
    with pytest.raises(DataError, match="a header and no rows"):
        intake_of(write_csv(photos, "path,label\n"), images=photos)


def test_a_file_that_is_no_table_is_refused_with_the_kinds_there_are(photos):
    with pytest.raises(DataError, match=r"no table \(.csv, .*--data"):
        intake_of(write_csv(photos, GOOD, name="train.json"), images=photos)


def test_a_file_listed_twice_with_different_labels_is_a_conflict_and_a_duplicate(photos):
    intake = intake_of(write_csv(photos, GOOD + "./p0.png,cat\n"), images=photos)
    assert only_finding(intake, "duplicate_id")["row"] == 10
    message = only_finding(intake, "conflicting_labels")["message"]
    assert message == "The same file has the label 'dog' in train.csv, row 2, and 'cat' here."


def test_a_file_listed_in_train_and_in_test_is_a_leak(photos):
    test = write_csv(photos, "path,label\np0.png,dog\n", name="test.csv")
    intake = intake_of(write_csv(photos, GOOD), images=photos, test=test)
    finding = only_finding(intake, "leak")
    assert finding["message"] == "The same file is in train (train.csv, row 2), and in test here."
    assert (finding["source"], finding["row"]) == ("test.csv", 2)


def test_a_class_that_only_the_test_set_has_is_warned_about(photos):
    test = write_csv(photos, "path,label\np7.png,eel\n", name="test.csv")
    intake = intake_of(write_csv(photos, GOOD.replace("p7.png,cat\n", "")), images=photos, test=test)
    assert "'eel' has 0 items" in only_finding(intake, "small_class")["message"]


def test_a_given_class_that_does_not_occur_is_warned_about_once(photos):
    intake = intake_of(write_csv(photos, GOOD), images=photos, classes=("cat", "dog", "eel", "eel"))
    assert intake.classes == ("cat", "dog", "eel")
    assert "'eel' has 0 items" in only_finding(intake, "small_class")["message"]


def test_a_label_of_an_item_whose_split_is_unlabelled_is_said_not_to_count(photos):
    rows = "".join(
        f"p{n}.png,{'cat' if n % 2 else 'dog'},{'unlabelled' if n == 7 else ''}\n" for n in range(8)
    )
    intake = intake_of(write_csv(photos, "path,label,split\n" + rows), images=photos)
    assert only_finding(intake, "unused_label")["path"] == "p7.png"
    assert intake.items.set_index("item_id").loc["p7.png", "given_label"] is None


def test_an_item_added_by_an_earlier_decision_joins_the_training_set(photos):
    header = "id,path,split,label,given_label,status,verdict\n"
    rows = "".join(f"i{n},p{n}.png,train,{'cat' if n % 2 else 'dog'},,kept,\n" for n in range(7))
    rows += "i7,p7.png,unlabelled,cat,,added,labelled\n"
    items = intake_of(write_csv(photos, header + rows), images=photos).items.set_index("item_id")
    assert list(items.loc["i7", ["split", "given_label"]]) == ["train", "cat"]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([1.0, 2.0, None] * 2, ("1", "2")),
        ([0.5, 1.0, 0.5] * 2, ("0.5", "1.0")),
        ([True, False, True] * 2, ("False", "True")),
    ],
)
def test_parquet_labels_are_written_as_whole_numbers_where_they_are(photos, labels, classes):
    table = pd.DataFrame({"path": [f"p{n}.png" for n in range(6)], "label": labels})
    table.to_parquet(photos.parent / "train.parquet")
    assert intake_of(photos.parent / "train.parquet", images=photos).classes == classes


def test_a_parquet_table_may_hold_the_path_as_its_index(photos):
    table = pd.DataFrame({"path": [f"p{n}.png" for n in range(6)], "label": list("ababab")}).set_index("path")
    table.to_parquet(photos.parent / "train.parquet")
    assert len(intake_of(photos.parent / "train.parquet", images=photos).items) == 6


def test_a_file_that_is_no_parquet_is_refused(photos):
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        intake_of(write_csv(photos, "path,label", name="train.parquet"), images=photos)


def place(folder, *places):
    """A picture of its own in each of the folders, named by its number."""
    for number, name in enumerate(places):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{number}.png").write_bytes(picture(number))
    return folder


def test_images_beside_the_split_folders_are_set_aside_however_deep_they_lie(tmp_path):
    data = place(tmp_path / "data", *["train/cat", "train/dog"] * 2, "more/x/y", "more", ".")
    findings = intake_of(data).findings
    assert list(findings.loc[findings["code"] == "stray_file", "path"]) == [
        "6.png",
        "more/5.png",
        "more/x/y/4.png",
    ]


def test_class_folders_may_lie_beside_a_test_and_an_unlabelled_folder(tmp_path):
    data = place(tmp_path / "data", *["cat", "dog"] * 2, "test/cat", "unlabelled")
    items = intake_of(data).items
    assert items["split"].value_counts().to_dict() == {"train": 4, "test": 1, "unlabelled": 1}
    assert set(items["given_label"].dropna()) == {"cat", "dog"}


def test_a_class_may_be_called_dev(tmp_path):
    assert intake_of(place(tmp_path / "data", *["dev", "ops"] * 2)).classes == ("dev", "ops")


def test_files_in_class_folders_that_are_no_images_are_set_aside(tmp_path):
    data = place(tmp_path / "data", *["cat", "dog"] * 2)
    (data / "cat" / "notes.txt").write_text("x")
    assert only_finding(intake_of(data), "not_an_image")["path"] == "cat/notes.txt"


@pytest.mark.parametrize("wrapper", ["", "photos/"])
def test_class_folders_may_lie_in_a_zip_also_below_one_folder_around_all(tmp_path, wrapper):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"{wrapper}{'cat' if number % 2 else 'dog'}/{number}.png", picture(number))
    intake = intake_of(tmp_path / "data.zip")
    assert intake.classes == ("cat", "dog")
    assert f"{wrapper}cat/1.png" in set(intake.items["path"])


def test_a_share_for_validation_out_of_range_is_refused_before_any_file_is_read(tmp_path):
    with pytest.raises(DataError, match="at least 0 and below 1"):
        intake_of(tmp_path / "not there.csv", val_fraction=1.5)
