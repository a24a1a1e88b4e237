"""The Data page shows what the items hold, whatever they are."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import app
from app import context
from app.widgets.content import tabular
from curation.dataset.intake import IntakeSpec, take_in
from curation.features import edit_features, read_features
from curation.project import Project
from diagnostics.progress import ignore_progress

MAIN = Path(app.__file__).with_name("main.py")
NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """served(frame) → a project of the table, served by this process."""

    def make(frame: pd.DataFrame) -> Project:
        frame.to_csv(tmp_path / "data.csv", index=False)
        intake = take_in(IntakeSpec(tmp_path / "data.csv"), on_progress=ignore_progress)
        folder = Project.create(tmp_path / "project", intake, now=NOW).folder
        monkeypatch.setenv(context.PROJECT_VARIABLE, str(folder))
        monkeypatch.setattr(context, "remembered_name", lambda: "ada")
        return context.current_project()

    return make


@pytest.fixture
def rows(served):
    sizes = np.random.default_rng(0).uniform(1, 9, 30).round(2)
    colours = ["red", "green", "blue"] * 10
    return served(pd.DataFrame({"size": sizes, "colour": colours, "box": "A", "label": ["a", "b"] * 15}))


def opened() -> AppTest:
    at = AppTest.from_file(str(MAIN), default_timeout=120).run()
    assert not at.exception
    return at


def shown(at: AppTest) -> str:
    return " ".join(element.value for kind in (at.markdown, at.caption, at.subheader) for element in kind)


def test_of_texts_the_lengths_are_shown(served):
    texts = [f"text number {n}" + " and more" * (n % 3) for n in range(30)]
    served(pd.DataFrame({"text": [*texts, " "], "label": [*["a", "b"] * 15, "a"]}))
    told = shown(opened())
    assert "3 to 7 words; half of the texts have at most 5. Empty texts that were set aside: 1." in told
    assert "texts from: text" in told


def test_of_a_table_the_columns_are_shown_with_what_was_changed_by_hand(rows):
    assert "Changed by hand" not in shown(opened())
    edit_features(rows.folder, rows.items, {"size": "categorical"})
    assert "Changed by hand, with what it was taken in as: size" in shown(opened())


def test_a_kind_that_is_picked_in_the_table_is_kept_and_one_that_does_not_fit_is_told(rows, monkeypatch):
    state = {"editor": {"edited_rows": {0: {"kind": "ignored"}}}}
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(st, "toast", lambda text: None)
    tabular._change(rows, "editor", ["size", "colour", "box"])
    assert [feature.kind for feature in read_features(rows.folder)] == ["ignored", "categorical", "ignored"]
    state["editor"] = {"edited_rows": {1: {"kind": "continuous"}}}
    tabular._change(rows, "editor", ["size", "colour", "box"])
    assert "'colour' cannot be continuous" in state[context.PROBLEM_KEY]
    assert [feature.kind for feature in read_features(rows.folder)] == ["ignored", "categorical", "ignored"]
