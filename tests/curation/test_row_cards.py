"""What is shown of table rows: the values that matter most first, with what is unusual among rows of the same label."""

import numpy as np
import pandas as pd
import pytest

from curation.cards import item_cards
from curation.cards.tabular import N_SHOWN, value_text
from curation.dataset.intake import IntakeSpec, take_in
from curation.features import edit_features
from curation.project import Project
from diagnostics.explanations import explanations_of, write_explanations
from diagnostics.progress import ignore_progress

N_ROWS = 60
NAMES = ("width", "height", "colour")


@pytest.fixture
def rows(tmp_path, add_run, now) -> Project:
    """60 irises, the first of which is far too wide and lacks its colour; a run explains it and the second one."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "id": [f"r{number:02d}" for number in range(N_ROWS)],
            "width": rng.normal(3, 0.1, N_ROWS).round(3),
            "height": rng.normal(5, 0.1, N_ROWS).round(3),
            "colour": np.where(np.arange(N_ROWS) % 2, "red", "blue"),
            "label": np.where(np.arange(N_ROWS) < 40, "iris", "rose"),
        }
    )
    table.loc[0, ["width", "colour"]] = [9.0, None]
    table.to_csv(tmp_path / "rows.csv", index=False)
    spec = IntakeSpec(data=tmp_path / "rows.csv", val_fraction=0, modality="tabular")
    project = Project.create(tmp_path / "project", take_in(spec, on_progress=ignore_progress), now=now)
    add_run(project, "run-0001", dict.fromkeys(table["id"], (0.4, 0.6)))
    everywhere = np.arange(3)
    effects = [np.array([-2.0, 0.0, 1.0]), np.array([0.5, 1.0, 0.0])]
    parts = [(everywhere, everywhere + 1, effect) for effect in effects]
    parts += [(np.array([]), np.array([]), np.array([]))] * (N_ROWS - 2)
    write_explanations(project.runs_dir / "run-0001", explanations_of(parts, NAMES))
    return project


def test_the_values_that_matter_most_come_first_with_what_is_unusual_and_what_is_missing(rows):
    (card,) = item_cards(rows, "run-0001", ["r00"])
    assert [(cell.name, cell.value, cell.effect) for cell in card.cells] == [
        ("width", "9", -1.0), ("colour", None, 0.5), ("height", card.cells[2].value, 0.0),
    ]  # fmt: skip
    assert card.cells[0].unusual == "higher than all 39 other “iris”"
    assert card.cells[1].unusual.startswith("missing, as in none of 39 other")
    assert card.cells[2].unusual == ""
    assert (card.explained, card.about, card.n_cells) == (True, "iris", 3)


def test_a_row_that_is_not_explained_has_its_values_in_their_order(rows):
    (card,) = item_cards(rows, "run-0001", ["r05"])
    assert not card.explained
    assert [(cell.name, cell.effect) for cell in card.cells] == [(name, None) for name in NAMES]


def test_a_row_to_be_decided_blind_has_nothing_that_tells_its_label(rows):
    (card,) = item_cards(rows, "run-0001", ["r00"], hidden=np.array([True]))
    assert [cell.name for cell in card.cells] == list(NAMES)
    assert all(cell.effect is None and not cell.unusual for cell in card.cells)
    assert (card.about, card.blind) == (None, True)


def test_nothing_is_unusual_before_the_first_run(rows):
    assert all(not cell.unusual for cell in item_cards(rows, None, ["r00"])[0].cells)


def test_a_column_that_people_ignore_is_still_shown_and_not_judged(rows):
    edit_features(rows.folder, rows.items, {"width": "ignored"})
    width = next(cell for cell in item_cards(rows, "run-0001", ["r00"])[0].cells if cell.name == "width")
    assert (width.value, width.unusual) == ("9", "")


def test_of_a_wide_row_a_card_has_the_first_values_and_says_how_many_there_are(tmp_path, now):
    wide = pd.DataFrame({f"f{number}": [0.5 + number, 1.5] for number in range(20)}).assign(label=["a", "b"])
    wide.to_csv(tmp_path / "wide.csv", index=False)
    spec = IntakeSpec(data=tmp_path / "wide.csv", val_fraction=0, modality="tabular")
    project = Project.create(tmp_path / "project", take_in(spec, on_progress=ignore_progress), now=now)
    ids = project.items["item_id"].tolist()
    short, whole = (item_cards(project, None, ids, whole=whole)[0] for whole in (False, True))
    assert (len(short.cells), short.n_cells, len(whole.cells)) == (N_SHOWN, 20, 20)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (0.1234567, "0.1235"),
        (12345.678, "12345.7"),
        (1e20, "1e+20"),
        (np.nan, None),
        (None, None),
    ],
)
def test_a_number_is_shown_short(value, text):
    assert value_text(value) == text


def test_a_date_is_shown_without_a_time_it_does_not_have():
    assert value_text(pd.Timestamp("2026-11-01")) == "2026-11-01"
    assert value_text(pd.Timestamp("2026-11-01 09:30")) == "2026-11-01 09:30"
