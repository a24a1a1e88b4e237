"""Rows come in with typed columns, what is odd about them is told, and they go out as they were."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.dataset.intake import IntakeSpec, take_in
from curation.export import export_curated, write_table
from curation.features import edit_features, feature_table, read_features
from curation.modalities import MODALITIES
from curation.project import Project
from curation.rounds import dataset_version, training_items
from curation.spreadsheet import CURATED_COLUMNS, exported_name
from diagnostics.errors import DataError, ProjectError
from diagnostics.progress import ignore_progress

N = 40
LABELS = ["ripe" if n % 2 else "raw" for n in range(N)]


def intake_of(data, **options):
    options.setdefault("val_fraction", 0.0)
    return take_in(IntakeSpec(data, **options), on_progress=ignore_progress)


def table(tmp_path, name="train.csv", **columns):
    path = tmp_path / name
    rng = np.random.default_rng(0)
    weights = rng.uniform(1, 9, N).round(3)
    pd.DataFrame({"weight": weights, **columns, "label": LABELS}).to_csv(path, index=False)
    return path


def kinds_of(intake):
    return {entry["name"]: entry["kind"] for entry in json.loads(intake.files["features.json"])["features"]}


def messages(intake, code):
    return intake.findings.loc[intake.findings["code"] == code, "message"].tolist()


COLOURS = ["red", "green", "blue", "blue"] * 10
DAYS = [f"2026-{1 + n % 12:02d}-{1 + n % 28:02d}" for n in range(N)]


@pytest.fixture
def project(tmp_path, now):
    codes = [f"{n % 7:03d}" for n in range(N)]
    sizes = [*range(N - 1), "large"]
    data = table(tmp_path, colour=COLOURS, picked=DAYS, code=codes, size=sizes, serial=range(N))
    return Project.create(tmp_path / "project", intake_of(data), now=now)


def test_columns_are_typed_and_the_rest_is_no_feature(tmp_path):
    columns = {
        "colour": COLOURS,
        "picked": DAYS,
        "box": "A",
        "serial": range(100, 100 + N),
        "fruit_id": LABELS,
    }
    intake = intake_of(table(tmp_path, **columns, group_of=["x", "y"] * 20), group_column="group_of")
    assert intake.modality == "tabular"
    assert kinds_of(intake) == {
        "weight": "continuous", "colour": "categorical", "picked": "date", "box": "ignored", "serial": "ignored",
        "fruit_id": "ignored",
    }  # fmt: skip
    assert intake.items["feature:picked"].dtype == "datetime64[us]"
    told = " ".join(messages(intake, "ignored_column"))
    assert "only value is 'A'" in told and "same as the label" in told and "column of ids" in told


def test_other_words_for_the_label_are_no_feature_but_what_only_resembles_it_is(tmp_path):
    codes = [1 if label == "ripe" else 0 for label in LABELS]
    near = [1 - codes[0], *codes[1:]]
    assert kinds_of(intake_of(table(tmp_path, code=codes, near=near)))["code"] == "ignored"
    assert kinds_of(intake_of(table(tmp_path, code=codes, near=near)))["near"] == "continuous"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,250.5", "-3", "12,000"], [1250.5, -3, 12000]),
        (["1.250,5", "-3", "7,25"], [1250.5, -3, 7.25]),
        (["1.5", "NA", "", "2", "3"], [1.5, np.nan, np.nan]),
        (["-0", "1e3", ".5"], [0, 1000, 0.5]),
    ],
)
def test_numbers_are_read_however_they_are_written(tmp_path, cells, expected):
    intake = intake_of(table(tmp_path, price=(cells * N)[:N]))
    assert kinds_of(intake)["price"] == "continuous"
    np.testing.assert_array_equal(intake.items["feature:price"].to_numpy()[:3], expected)


def test_odd_ways_of_writing_numbers_are_told(tmp_path):
    (message,) = messages(
        intake_of(table(tmp_path, price=["12,5", "7,25", "3,5", "9"] * 10)), "number_format"
    )
    assert message == "Column 'price' has numbers with decimal commas: '12,5' is read as 12.5."


def test_codes_with_leading_zeros_and_numbers_too_long_to_be_exact_are_names(tmp_path):
    intake = intake_of(
        table(
            tmp_path,
            town=["01234", "99999", "10000", "2"] * 10,
            long=["9007199254740993", "1", "2", "3"] * 10,
        )
    )
    assert (kinds_of(intake)["town"], kinds_of(intake)["long"]) == ("categorical", "categorical")


def test_a_cell_that_is_no_number_is_told_by_its_row_and_stays_as_it_was(tmp_path):
    intake = intake_of(table(tmp_path, size=[*range(10, 9 + N), "large"]))
    found = intake.findings[intake.findings["code"] == "mixed_types"]
    assert found["row"].tolist() == [N + 1]
    assert "'large' is no number" in found["message"].iloc[0]
    assert intake.items["feature:size"].iloc[-1] == "large"


def test_a_column_of_numbers_and_words_is_categorical_and_this_is_told_by_its_first_row(tmp_path):
    intake = intake_of(table(tmp_path, size=["10", "12", "S", "15", "L"] * 8))
    found = intake.findings[intake.findings["code"] == "mixed_types"]
    assert (kinds_of(intake)["size"], found["row"].tolist()) == ("categorical", [4])
    assert "24 of 40 values are numbers and 16 are not, such as 'S'" in found["message"].iloc[0]


def test_dates_of_which_day_and_month_cannot_be_told_apart_are_told(tmp_path):
    intake = intake_of(
        table(
            tmp_path,
            day=["03/04/2026", "05/06/2026", "07/06/2026", "01/02/2026"] * 10,
            sure=["31/12/2026", "01/02/2026", "01/02/2025", "02/02/2025"] * 10,
        )
    )
    assert (kinds_of(intake)["day"], kinds_of(intake)["sure"]) == ("categorical", "date")
    assert intake.items["feature:sure"].iloc[1] == pd.Timestamp("2026-02-01")
    assert "day/month/year or as month/day/year" in messages(intake, "ambiguous_dates")[0]


def test_missing_values_are_counted_by_column_and_mark(tmp_path):
    intake = intake_of(table(tmp_path, colour=["", "NA", "red", "blue"] * 10))
    assert messages(intake, "missing_values") == [
        "Column 'colour': 20 of 40 values are missing (empty × 10, 'NA' × 10)."
    ]
    assert intake.items["feature:colour"].isna().sum() == 20


def test_rows_without_any_value_are_set_aside_and_equal_rows_are_copies(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("size,colour,label\n1,red,a\n1,red,b\n,NA,a\n2,blue,b\n3,red,a\n")
    intake = intake_of(path)
    assert len(messages(intake, "empty_row")) == 1
    assert "The same row has the labels 'a', 'b'" in messages(intake, "conflicting_labels")[0]
    ids = intake.items["item_id"].tolist()
    assert ids[1] == f"{ids[0]}-2"


def test_features_that_are_named_are_the_only_ones_and_a_near_name_is_suggested(tmp_path):
    data = table(tmp_path, colour=COLOURS, picked=DAYS)
    assert kinds_of(intake_of(data, feature_columns=("colour",)))["weight"] == "ignored"
    assert kinds_of(intake_of(data, ignored_columns=("weight",)))["weight"] == "ignored"
    with pytest.raises(DataError, match=r"no column 'color'.*Did you mean 'colour'"):
        intake_of(data, feature_columns=("color",))


def test_a_test_table_without_one_of_the_columns_is_refused(tmp_path):
    data, test = table(tmp_path, colour=COLOURS), table(tmp_path, "test.csv", picked=DAYS)
    with pytest.raises(DataError, match=r"test\.csv lacks the columns 'colour'"):
        intake_of(data, test=test)


def test_training_items_have_the_used_features_in_their_kinds(project):
    items = training_items(project, dataset_version(project))
    features = {name: str(kind) for name, kind in items.dtypes.items() if name.startswith("feature:")}
    assert features == {
        "feature:weight": "float64", "feature:colour": "str", "feature:picked": "datetime64[us]",
        "feature:code": "str", "feature:size": "float64",
    }  # fmt: skip
    assert np.isnan(items["feature:size"].iloc[-1])


def test_a_kind_that_is_changed_counts_for_the_next_training_and_names_another_version(project):
    before = dataset_version(project).fingerprint
    edit_features(
        project.folder, project.items, {"weight": "categorical", "code": "continuous", "picked": "ignored"}
    )
    items = training_items(project, dataset_version(project))
    assert "feature:picked" not in items
    assert items["feature:code"].tolist()[:3] == [0.0, 1.0, 2.0]
    assert items["feature:weight"].dtype == "str"
    assert dataset_version(project).fingerprint != before
    edit_features(
        project.folder, project.items, {"weight": "continuous", "code": "categorical", "picked": "date"}
    )
    assert dataset_version(project).fingerprint == before


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (
            {"colour": "continuous"},
            "'colour' cannot be continuous: 40 of its 40 values are no numbers, such as 'red'",
        ),
        ({"colour": "date"}, "'colour' cannot be date: 40 of its 40 values are no dates"),
        ({"weight": "date"}, "'weight' cannot be date"),
        ({"hue": "date"}, "no column 'hue'"),
        ({"weight": "number"}, "'number' is no kind of column"),
        (dict.fromkeys(["weight", "colour", "picked", "code", "size"], "ignored"), "At least one column"),
    ],
)
def test_a_kind_that_the_values_do_not_allow_is_refused_and_nothing_changes(project, kinds, message):
    before = read_features(project.folder)
    with pytest.raises(ProjectError, match=message):
        edit_features(project.folder, project.items, {"code": "continuous", **kinds})
    assert read_features(project.folder) == before


def test_the_table_of_columns_says_what_each_holds(project):
    found = feature_table(project.items, project.folder).set_index("name")
    assert found.loc["colour", "values"] == "blue (20), red (10), green (10)"
    assert found.loc["picked", "values"] == "2026-01-01 to 2026-12-24"
    assert found.loc["serial", "why"].startswith("almost every row")


def test_the_values_of_a_row_are_searched(project):
    assert project.item_index.with_text("GREEN").sum() == 10
    assert project.item_index.with_text("2026-12").any()


def test_an_export_of_rows_is_taken_in_again_as_what_it_was(project, tmp_path):
    export_curated(project, tmp_path / "out.csv")
    again = intake_of(tmp_path / "out.csv")
    assert again.fingerprint == project.info.fingerprint
    assert again.files["features.json"] == (project.folder / "features.json").read_text()


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
names = st.lists(text.filter(bool), min_size=1, max_size=3)
cells = st.one_of(
    st.floats(allow_nan=False).map(repr), st.integers(-(10**18), 10**18).map(str), st.dates().map(str),
    text, st.sampled_from(["", "NA", "=1+1", "1,5", "0012"]),
)  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_values_in_columns_of_any_names_come_back_from_an_export(tmp_path, data):
    usual = {"label", "id", "split", "set"}
    columns = sorted({name.strip() for name in data.draw(names)} - {""})
    columns = [name for name in columns if name.lower() not in usual] or ["feature"]
    rows = [{name: data.draw(cells) for name in columns} | {"label": "ab"[n % 2]} for n in range(6)]
    rows = [{**row, "known": str(n % 4)} for n, row in enumerate(rows)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    intake = intake_of(path, modality="tabular", feature_columns=(*columns, "known"))
    out = tmp_path / "out.csv"
    out.unlink(missing_ok=True)
    items = intake.items
    own = items.rename(columns={"item_id": "id"}).assign(label=items["given_label"], status="kept")
    content = MODALITIES["tabular"].exported(items, intake.content).rename(columns=exported_name)
    write_table(pd.concat([own.reindex(columns=list(CURATED_COLUMNS)), content], axis=1), out)
    again = intake_of(out, modality="tabular", feature_columns=(*columns, "known"))
    assert again.fingerprint == intake.fingerprint
    stored = [f"feature:{name}" for name in intake.content]
    pd.testing.assert_frame_equal(again.items[stored], items[stored])
