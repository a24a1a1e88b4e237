"""Bringing predictions of another model on the Train page."""

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from app.widgets.import_predictions import command_text
from curation.run_folders import list_runs


def page():
    from app import context
    from app.widgets.import_predictions import import_section

    import_section(context.current_project())


def table_of(project, n_items=None) -> bytes:
    ids = project.items["item_id"].tolist()[:n_items]
    probs = np.full((len(ids), 3), 1 / 3)
    return pd.DataFrame(probs, columns=list(project.task.classes)).assign(id=ids).to_csv(index=False).encode()


def imported(project, content: bytes) -> AppTest:
    at = AppTest.from_function(page).run()
    assert at.button(key="imported_start").disabled
    at.get("file_uploader")[0].upload("p.csv", content, "text/csv").run()
    at.checkbox(key="imported_out_of_fold").check().run()
    return at.button(key="imported_start").click().run()


def test_an_uploaded_table_becomes_a_run(empty_project):
    at = imported(empty_project, table_of(empty_project))
    assert not at.exception
    assert "run-0001 is there" in at.success[0].value
    (info,) = list_runs(empty_project)
    assert not info.in_sample


def test_a_table_that_does_not_fit_says_why_and_leaves_nothing(empty_project):
    at = imported(empty_project, table_of(empty_project, 5))
    assert "items have no prediction" in at.error[0].value
    assert not at.success
    assert not list_runs(empty_project)
    assert not [path for path in empty_project.cache_dir.iterdir() if path.name.startswith(".upload")]


def test_items_without_a_prediction_are_left_out_if_that_is_asked_for(empty_project):
    at = imported(empty_project, table_of(empty_project, 30))
    at.checkbox(key="imported_partly").check().run()
    at.button(key="imported_start").click().run()
    assert "run-0001 is there" in at.success[0].value
    assert not at.error


def test_the_command_names_the_classes_in_their_order(empty_project):
    assert "--classes blue,green,red --ids curated.csv" in command_text(empty_project)
