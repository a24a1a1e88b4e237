"""The pages of a project of texts: its items are drawn as texts, and called so."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import app
from app import context
from app.server import warm_up
from curation.dataset.duplicates import LEAK_COLUMNS
from curation.project import LEAKS_FILE, Project


@pytest.fixture
def project(text_folder, tmp_path, monkeypatch) -> Project:
    shutil.copytree(text_folder, tmp_path / "project")
    monkeypatch.setenv(context.PROJECT_VARIABLE, str(tmp_path / "project"))
    monkeypatch.setattr(context, "remembered_name", lambda: "ada")
    return context.current_project()


def opened(page: str) -> AppTest:
    at = AppTest.from_file(str(Path(app.__file__).with_name("main.py")), default_timeout=120).run()
    return at.switch_page(f"views/{page}.py").run()


@pytest.mark.parametrize("page", ["train", "review"])
def test_a_page_of_texts_is_drawn(project, page):
    at = opened(page)
    assert not at.exception
    assert not at.error


def test_the_search_says_that_it_looks_through_the_texts(project):
    assert opened("review").text_input(key="review_search").label == "Text contains"


def test_leaks_are_shown_as_texts_and_called_so(project):
    rows = [("00", "train", "01", "test", "near", 0.99, None)]
    leaks = pd.DataFrame(rows, columns=list(LEAK_COLUMNS)).astype({"group": "str"})
    leaks.to_parquet(project.folder / LEAKS_FILE, index=False)
    at = opened("data")
    assert not at.exception
    html = "".join(str(element.proto.body) for element in at.get("html"))
    assert "Nearly the same text" in html
    assert "send me my card 0 please" in html


def test_items_whose_prediction_changed_are_shown_as_texts_that_lead_to_review(project):
    def strip():
        import pandas as pd

        from app.widgets.items import flip_strip

        row = {"item_id": "02", "label": "<b>", "predicted_before": "stop", "predicted_after": "send"}
        flip_strip(pd.DataFrame([row]), split="train")

    (strip_html,) = AppTest.from_function(strip).run().get("html")
    body = str(strip_html.proto.body)
    assert "send me my card 1" in body
    assert "search=02" in body
    assert "<b>&lt;b&gt;</b><br>stop → send" in body


def test_the_app_warms_up_without_pictures(project):
    warm_up()


def test_a_quick_round_is_offered_before_the_first_run_where_the_items_have_features_of_their_own(project):
    shutil.rmtree(project.runs_dir / "run-0001")
    assert "Quick round" in [button.label for button in opened("train").button]
