"""The review screen on items with several labels: keys and clicks add and remove one of them at a time."""

import re
import shutil

import pytest

from curation.project import Project

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def project(set_folder, tmp_path) -> Project:
    shutil.copytree(set_folder, tmp_path / "project")
    return Project.open(tmp_path / "project")


def test_labels_are_toggled_with_keys_and_clicks_and_undone(serve, chromium, project):
    with serve(project.folder) as (address, _):
        page = chromium.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
        page.set_default_timeout(60_000)

        def saved_labels(*item_ids: str) -> list[str | None]:
            page.locator(".saved", has_text=re.compile("^Saved$")).wait_for()
            states = project.decisions.states(list(item_ids))
            return [states[item_id].label for item_id in item_ids]

        page.goto("/review?mixed=1&suspect=missing")
        page.locator(".tile .set-chip.missing", has_text="late").wait_for()
        assert page.locator(".tile").count() == 1
        page.keyboard.press("1")
        page.locator(".tile .set-chip.added", has_text="late").wait_for()
        page.keyboard.press("3")
        assert saved_labels("01") == ["late|torn"]
        page.locator('.chip[aria-pressed="true"]', has_text="torn").wait_for()
        page.locator(".tile .set-chip", has_text="torn").click()
        assert saved_labels("01") == ["late"]
        page.keyboard.press("Control+z")
        page.locator(".message", has_text="Undone").wait_for()
        assert saved_labels("01") == ["late|torn"]

        page.goto("/review?mixed=1&suspect=superfluous")
        page.locator(".tile .set-chip.superfluous", has_text="torn").wait_for()
        page.keyboard.press("w")
        assert saved_labels("02") == ["paid"]
        page.keyboard.press("q")
        assert saved_labels("02") == ["paid|torn"]
        assert project.decisions.states(["02"])["02"].verdict == "label_right"

        page.goto("/review?mixed=1&predicted=paid&given=paid")
        page.locator(".tile").nth(3).wait_for()
        titles = page.locator(".tile").evaluate_all("tiles => tiles.map((tile) => tile.title)")
        several = [title.partition("\n")[0] for title in titles][:3]
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("/")
        page.keyboard.type("la")
        page.keyboard.press("Enter")
        assert all("late" in label for label in saved_labels(*several))
        page.keyboard.press("1")
        assert all("late" not in label for label in saved_labels(*several))
        page.close()
