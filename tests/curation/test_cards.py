"""What is shown of texts: the part that says most, with what speaks for and against the label of the run."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from curation.cards import CARDS, item_cards
from curation.cards.text import LEAD_CHARACTERS, SHOWN_CHARACTERS, as_shown, shown_part
from curation.dataset.intake import IntakeSpec, take_in
from curation.decisions.events import Decision
from curation.modalities import MODALITIES
from curation.project import Project
from diagnostics.errors import DecisionError, ProjectError
from diagnostics.explanations import FOLDER, explanations_of, read_explanations, write_explanations
from diagnostics.predictions import read_predictions, write_predictions
from diagnostics.progress import ignore_progress
from diagnostics.run_folder import INFO_FILE, SCORES_FILE, write_table
from diagnostics.scores import scores_table

FILLER = "and so on it goes "
LONG = "refund " + FILLER * 30 + "exchange rate " + FILLER * 20
ROWS = (
    ("a", "where is my card", "arrival"),
    ("b", LONG, "refund"),
    ("c", "my card is lost", ""),
    ("d", "lost it", "arrival"),
)


@pytest.fixture
def texts(tmp_path, add_run, now) -> Project:
    """Texts a, b, d with a label and c without, and a run that explains all of them but d."""
    lines = [",".join((item_id, f'"{text}"', label)) for item_id, text, label in ROWS]
    (tmp_path / "texts.csv").write_text("\n".join(["id,text,label", *lines]), encoding="utf-8")
    spec = IntakeSpec(data=tmp_path / "texts.csv", val_fraction=0)
    project = Project.create(tmp_path / "project", take_in(spec, on_progress=ignore_progress), now=now)
    add_run(project, "run-0001", {"a": (0.9, 0.1), "b": (0.2, 0.8), "c": (0.7, 0.3), "d": (0.5, 0.5)})
    place = LONG.index("exchange")
    parts = [
        [(0, 5, -1.0), (12, 16, 2.0)],
        [(0, 6, 0.5), (place, place + 8, -1.0)],
        [(3, 7, 1.0)],
        [],
    ]
    columns = [
        [np.array(column) for column in zip(*each, strict=True)] or [np.array([])] * 3 for each in parts
    ]
    write_explanations(project.runs_dir / "run-0001", explanations_of(columns))
    return project


def test_a_text_has_what_speaks_for_and_against_its_label(texts):
    (card,) = item_cards(texts, "run-0001", ["a"])
    assert (card.text, card.cut, card.about, card.blind) == ("where is my card", False, "arrival", False)
    assert [(card.text[start:end], effect) for start, end, effect in card.marks] == [
        ("where", -0.5),
        ("card", 1.0),
    ]


def test_a_text_that_the_run_was_not_asked_about_has_no_marks_and_one_that_is_not_known_is_refused(texts):
    (card,) = item_cards(texts, "run-0001", ["d"])
    assert (card.marks, card.about) == (None, None)
    assert item_cards(texts, None, ["a"])[0].marks is None
    with pytest.raises(DecisionError, match="nobody: no such item"):
        item_cards(texts, "run-0001", ["a", "nobody"])


def test_an_item_to_be_decided_blind_has_nothing_that_tells_its_label(texts):
    shown, hidden = item_cards(texts, "run-0001", ["b", "b"], hidden=np.array([False, True]))
    assert (hidden.marks, hidden.about, hidden.blind) == (None, None, True)
    assert "exchange" in shown.text
    assert hidden.text.startswith("refund"), "not cut around the words that weigh most"


def test_marks_are_about_the_label_of_the_run_whatever_was_decided_since_and_of_none_about_the_prediction(
    texts, now
):
    texts.decisions.decide([Decision("a", "label_wrong", "refund")], annotator="ada", now=now)
    assert [card.about for card in item_cards(texts, "run-0001", ["a", "c"])] == ["arrival", "arrival"]


def test_where_the_model_that_explains_predicts_another_class_than_all_together_it_is_told(texts):
    run_dir = texts.runs_dir / "run-0001"
    explanations = read_explanations(run_dir)
    refund = np.array([0, 1, 1, -1])
    write_explanations(run_dir, replace(explanations, codes=refund))
    told = [(card.about, card.say_about) for card in item_cards(texts, "run-0001", ["a", "b", "c", "d"])]
    assert told == [("arrival", False), ("refund", False), ("refund", True), (None, False)]


def test_a_run_that_explains_nothing_shows_what_the_last_one_before_it_said_of_labels_that_are_the_same(
    texts, add_run, now
):
    texts.decisions.decide([Decision("a", "label_wrong", "refund")], annotator="ada", now=now)
    add_run(texts, "run-0002", dict.fromkeys("abc", (0.2, 0.8)))
    predictions = read_predictions(texts.runs_dir / "run-0002")
    given = np.array(["refund", *predictions.given_labels[1:]], dtype=object)
    predictions = replace(predictions, given_labels=given)
    write_predictions(texts.runs_dir / "run-0002", predictions)
    write_table(texts.runs_dir / "run-0002" / SCORES_FILE, scores_table(predictions))
    cards = item_cards(texts, "run-0002", ["a", "b", "c"])
    assert [(card.about, card.run_id) for card in cards] == [
        (None, None),
        ("refund", "run-0001"),
        (None, None),
    ]
    assert [card.run_id for card in item_cards(texts, "run-0001", ["a", "b", "c"])] == ["run-0001"] * 3


def test_a_run_with_explanations_that_cannot_be_read_is_passed_over(texts, add_run):
    for run_id in ("run-0002", "run-0003"):
        add_run(texts, run_id, dict.fromkeys("abcd", (0.2, 0.8)))
    shutil.copytree(texts.runs_dir / "run-0001" / FOLDER, texts.runs_dir / "run-0002" / FOLDER)
    (card,) = item_cards(texts, "run-0003", ["a"])
    assert card.run_id == "run-0002"
    (texts.runs_dir / "run-0002" / INFO_FILE).write_text("{", encoding="utf-8")
    (card,) = item_cards(texts, "run-0003", ["a"])
    assert card.run_id == "run-0001"


def test_the_last_run_before_is_the_one_with_the_next_lower_number(texts, add_run):
    for run_id in ("run-9999", "run-10000"):
        add_run(texts, run_id, dict.fromkeys("abcd", (0.2, 0.8)))
    shutil.copytree(texts.runs_dir / "run-0001" / FOLDER, texts.runs_dir / "run-9999" / FOLDER)
    (card,) = item_cards(texts, "run-10000", ["a"])
    assert card.run_id == "run-9999"


def test_a_long_text_is_cut_with_its_marks_in_place_and_shown_whole_if_asked(texts):
    (card,) = item_cards(texts, "run-0001", ["b"])
    assert card.cut
    assert (card.text[0], card.text[-1]) == ("…", "…")
    assert [card.text[start:end] for start, end, _ in card.marks] == ["exchange"]
    (whole,) = item_cards(texts, "run-0001", ["b"], whole=True)
    assert (whole.text, whole.cut) == (LONG, False)
    assert [whole.text[start:end] for start, end, _ in whole.marks] == ["refund", "exchange"]


def test_a_text_of_several_columns_is_shown_with_their_names_and_its_marks_in_place():
    text, parts = as_shown(
        "xxfld 1 Red shoe\nxxfld 2 Of leather", [(12, 16, 1.0), (25, 35, -1.0)], ["title", "more"]
    )
    assert text == "title: Red shoe\nmore: Of leather"
    assert [text[start:end] for start, end, _ in parts] == ["shoe", "Of leather"]


def test_images_have_pictures_and_no_other_cards(project):
    with pytest.raises(ProjectError, match="shown as pictures"):
        item_cards(project, None, ["a"])


def test_every_modality_has_a_card():
    assert set(MODALITIES) <= set(CARDS)


# ---------------------------------------------------------------- which part of a text


def test_a_short_text_is_shown_whole():
    assert shown_part("where is my card", [(12, 16, 1.0)]) == (0, 16)


def test_a_long_text_begins_at_its_beginning_unless_words_further_on_say_more():
    refund, exchange = (0, 6, 0.4), (LONG.index("exchange"), LONG.index("exchange") + 8, -1.0)
    assert shown_part(LONG, [refund])[0] == 0
    start, end = shown_part(LONG, [refund, exchange])
    assert start <= exchange[0] - 1 and exchange[1] <= end
    assert exchange[0] - start <= LEAD_CHARACTERS


def test_a_cut_text_begins_and_ends_with_whole_words():
    text = FILLER * 40
    for word_start in (0, 300, 501, len(text) - 8):
        start, end = shown_part(text, [(word_start, word_start + 3, 1.0)])
        assert end - start <= SHOWN_CHARACTERS
        assert start == 0 or text[start - 1].isspace()
        assert end == len(text) or text[end].isspace()


def test_a_text_without_spaces_is_cut_all_the_same():
    start, end = shown_part("x" * 1000, [(600, 700, 1.0)])
    assert 0 < end - start <= SHOWN_CHARACTERS


def test_a_searched_text_is_cut_around_what_was_found():
    text = "strong " + FILLER * 30 + "needle " + FILLER * 20
    start, end = shown_part(text, [(0, 6, 1.0)], "NEEDLE")
    assert "needle" in text[start:end]
    assert shown_part(text, [(0, 6, 1.0)], "nothing such")[0] == 0
