"""What taking data in says of copies and groups, and how it splits them."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from curation.dataset.intake import Intake, IntakeSpec, take_in
from diagnostics.errors import DataError
from diagnostics.progress import ignore_progress


def picture(seed: int) -> Image.Image:
    cells = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((56, 48), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with p0.jpg … p23.jpg, and copies of the first four, altered a little: c0.jpg … c3.jpg."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(24):
        (folder / f"p{number}.jpg").write_bytes(jpeg(picture(number)))
    for number in range(4):
        darker = ImageEnhance.Brightness(picture(number)).enhance(0.8)
        (folder / f"c{number}.jpg").write_bytes(jpeg(darker, quality=60))
    return folder


def table(folder: Path, name: str, *rows: str, header: str = "path,label") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def labelled(*names: str) -> list[str]:
    return [f"{name},{'cat' if int(name[1:-4]) % 2 else 'dog'}" for name in names]


PHOTOS = [f"p{number}.jpg" for number in range(24)]


def taken_in(data: Path, **options) -> Intake:
    options = {"val_fraction": 0.0} | options
    return take_in(IntakeSpec(data, **options), on_progress=ignore_progress)


def messages(intake: Intake, code: str) -> list[str]:
    return intake.findings.loc[intake.findings["code"] == code, "message"].tolist()


def test_a_near_copy_of_a_test_image_is_named_with_the_pair_and_both_splits(data):
    train = table(data, "train.csv", *labelled(*PHOTOS[1:], "c0.jpg"))
    intake = taken_in(train, test=table(data, "test.csv", *labelled("p0.jpg")))
    (message,) = messages(intake, "near_leak")
    assert message.startswith("c0.jpg (train) and p0.jpg (test) are nearly the same image (alike to ")
    assert intake.leaks[["item_id", "other_id", "kind"]].to_numpy().tolist() == [["c0.jpg", "p0.jpg", "near"]]


def test_an_unlabelled_near_copy_is_named_and_is_no_warning(data):
    train = table(data, "train.csv", *labelled(*PHOTOS[1:]))
    unlabelled = table(data, "more.csv", "c0.jpg", "c1.jpg", header="path")
    intake = taken_in(train, test=table(data, "test.csv", *labelled("p0.jpg")), unlabelled=unlabelled)
    (message,) = messages(intake, "unlabelled_copy")
    assert "c0.jpg (unlabelled) and p0.jpg (test)" in message
    assert len(messages(intake, "near_duplicate")) == 1, "c1 is a copy of a training image"
    assert not messages(intake, "near_leak")


def test_near_copies_with_different_labels_are_warned_about(data):
    rows = [*labelled(*PHOTOS, "c1.jpg"), "c2.jpg,cat"]
    intake = taken_in(table(data, "train.csv", *rows))
    (message,) = messages(intake, "near_conflict")
    assert "have the labels 'cat', 'dog'" in message
    assert len(messages(intake, "near_duplicate")) == 1


def test_near_copies_are_of_one_unit_and_land_on_one_side_of_the_split(data):
    train = table(data, "train.csv", *labelled(*PHOTOS, *(f"c{number}.jpg" for number in range(4))))
    for seed in range(2):
        items = taken_in(train, val_fraction=0.4, seed=seed).items.set_index("item_id")
        for number in range(4):
            original, copy = items.loc[f"p{number}.jpg"], items.loc[f"c{number}.jpg"]
            assert (original["unit"], original["split"]) == (copy["unit"], copy["split"])
            assert original["content_hash"] != copy["content_hash"]


def test_what_belongs_with_test_items_is_not_taken_for_validation(data):
    train = table(data, "train.csv", *labelled(*PHOTOS[4:], *(f"c{number}.jpg" for number in range(4))))
    test = table(data, "test.csv", *labelled(*PHOTOS[:4]))
    items = taken_in(train, test=test, val_fraction=0.9).items.set_index("item_id")
    assert set(items.loc[[f"c{number}.jpg" for number in range(4)], "split"]) == {"train"}
    assert (items["split"] == "val").sum() > 10


def grouped(names: list[str], groups: list[str]) -> list[str]:
    return [f"{row},{group}" for row, group in zip(labelled(*names), groups, strict=True)]


def test_no_group_straddles_the_split(data):
    groups = [f"patient {number // 4}" for number in range(24)]
    train = table(data, "train.csv", *grouped(PHOTOS, groups), header="path,label,patient")
    for seed in range(2):
        intake = taken_in(train, group_column="patient", val_fraction=0.3, seed=seed)
        n_splits = intake.items.groupby("group")["split"].nunique()
        assert n_splits.tolist() == [1] * 6
        assert intake.columns.group == "patient"
        assert intake.leaks.empty
        assert set(intake.items["split"]) == {"train", "val"}


def test_given_splits_that_break_a_group_are_a_finding_with_the_counts(data):
    train = table(data, "train.csv", *grouped(PHOTOS[:10], ["p"] * 2 + [""] * 8), header="path,label,patient")
    test = table(data, "test.csv", *grouped(PHOTOS[10:13], ["p", "q", "q"]), header="path,label,patient")
    intake = taken_in(train, test=test, group_column="patient")
    assert messages(intake, "group_leak") == ["Group 'p' is in train (2 items), test (1 item)."]
    assert messages(intake, "no_group") == [
        "8 of 10 items of train.csv say no group; each is a group of its own."
    ]
    assert intake.leaks["kind"].tolist() == ["group", "group"]


def test_a_group_column_that_is_not_there_is_refused(data):
    with pytest.raises(DataError, match=r"no column 'patient' \(--group-column\)"):
        taken_in(table(data, "train.csv", *labelled(*PHOTOS)), group_column="patient")


def test_even_images_are_said_to_be_left_out_of_the_comparison(data):
    for number in range(3):
        Image.new("RGB", (40, 40), (200, 100 + number, 50)).save(data / f"e{number}.jpg")
    train = table(data, "train.csv", *labelled(*PHOTOS, "e0.jpg", "e1.jpg", "e2.jpg"))
    intake = taken_in(train)
    (message,) = messages(intake, "plain_image")
    assert message.startswith("3 items are of one shade almost throughout")
    assert not messages(intake, "near_duplicate")
