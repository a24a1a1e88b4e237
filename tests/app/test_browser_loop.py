"""One person's way through the whole loop on the demo, in a real browser."""

import re
from contextlib import suppress
from pathlib import Path

import pytest

from curation.project import Project

pytestmark = [pytest.mark.browser, pytest.mark.timeout(480)]


@pytest.fixture
def page(serve, demo_project, chromium):
    """A browser's page on the app, which serves a copy of the demo project."""
    with serve(demo_project) as (address, _):
        page = chromium.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
        page.set_default_timeout(60_000)
        yield page
        page.close()


def saved(page) -> None:
    page.locator(".saved", has_text=re.compile("^Saved$")).wait_for()


def follow_cell(page, table, row: int) -> None:
    """Click a cell of the first column until it leads to Review; Streamlit draws tables on a canvas, which does not
    tell when it is ready."""
    from playwright.sync_api import TimeoutError

    table.scroll_into_view_if_needed()
    for _ in range(6):
        page.wait_for_timeout(1000)
        table.click(position={"x": 40, "y": 35 + 35 * row + 17})
        with suppress(TimeoutError):
            page.wait_for_url("**/review**", timeout=10_000)
            return
    raise AssertionError("the cell leads nowhere")


def test_the_whole_loop(page, demo_project):
    project = Project.open(demo_project)
    page.goto("/performance")
    page.get_by_role("heading", name="Performance", exact=True).wait_for()
    follow_cell(page, page.get_by_test_id("stDataFrame").first, row=0)

    tiles = page.locator(".tile")
    page.locator(".tile img").first.wait_for()
    assert "given=" in page.url
    n_shown = tiles.count()
    assert n_shown > 3
    review_three_and_take_one_back(page, project)

    page.get_by_role("link", name="Rounds").click()
    page.get_by_role("button", name="Close round 1").click()
    page.get_by_role("button", name="Close round 2").wait_for()

    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_label("Folds", exact=True).fill("2")
    page.get_by_label("Folds", exact=True).press("Enter")
    page.get_by_role("button", name="Train 2 folds").click()
    page.get_by_role("button", name="Cancel").wait_for()
    page.get_by_text("Log of run-0002").wait_for(timeout=240_000)

    page.get_by_role("link", name="Rounds").click()
    page.get_by_text("Both sides are measured on the labels of dataset version 1").wait_for()
    page.get_by_text("wrong before, right after").wait_for()

    page.get_by_role("link", name="Export").click()
    page.get_by_role("button", name="Prepare the files").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="curated.csv", exact=True).click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert text.startswith("id,path,split,label,given_label,status")
    assert text.count(",relabelled,") == 1


def review_three_and_take_one_back(page, project) -> None:
    """Relabel the first, confirm the second, exclude the third, undo that; each saved before the next is looked at."""
    ids = project.items.loc[project.items["split"] == "val", "item_id"].tolist()
    given = page.locator(".tile .given .label").first.text_content()
    other = "0" if given != "0" else "1"
    page.locator(".chip", has=page.locator(f"span:text-is('{other}')")).click()
    page.keyboard.press("q")
    page.keyboard.press("e")
    page.locator(".tile[data-status=excluded]").wait_for()
    saved(page)
    assert statuses_of(project, ids) == ["excluded", "kept", "relabelled"]

    page.keyboard.press("Control+z")
    page.locator(".tile[data-status=excluded]").wait_for(state="detached")
    assert statuses_of(project, ids) == ["kept", "relabelled"]

    page.reload()
    page.locator(".tile[data-status=relabelled]").wait_for()


def statuses_of(project, item_ids) -> list[str]:
    table = project.decisions.state_table()
    return sorted(table.loc[table["item_id"].isin(item_ids), "status"])
