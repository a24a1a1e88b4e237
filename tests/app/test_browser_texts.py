"""The review screen on texts: the same keys as on pictures, in a real browser."""

import re
import shutil

import pytest

from curation.project import Project

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def folder(text_folder, tmp_path):
    shutil.copytree(text_folder, tmp_path / "project")
    return tmp_path / "project"


def test_texts_are_reviewed_with_the_same_keys(serve, chromium, folder):
    project = Project.open(folder)
    with serve(folder) as (address, _):
        page = chromium.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
        page.set_default_timeout(60_000)
        page.goto("/review?mixed=1")
        page.locator(".tile mark.for").first.wait_for()
        titles = page.locator(".tile").evaluate_all("tiles => tiles.map((tile) => tile.title)")
        ids = [title.partition("\n")[0] for title in titles]
        assert page.locator(".legend").text_content().startswith("word speaks for the given label")

        for key in ("q", "e", "1", "Shift+ArrowRight", "n"):
            page.keyboard.press(key)
        page.locator(".saved", has_text=re.compile("^Saved$")).wait_for()
        states = project.decisions.states(ids[:5])
        verdicts = [states[item_id].verdict for item_id in ids[:5]]
        assert verdicts[:2] + verdicts[3:] == ["label_right", "bad_item", "ambiguous", "ambiguous"]
        assert states[ids[2]].label == "send"

        long_tile = page.locator(".tile", has=page.locator(".whole"))
        long_tile.locator(".whole").click()
        page.locator(".whole-text", has_text="please " * 59 + "please").wait_for()
        page.locator(".similar .words").first.wait_for()
        page.keyboard.press("f")
        long_tile.wait_for()

        page.goto("/review?mixed=1&search=CARD 3")
        page.locator(".tile mark.found").first.wait_for()
        assert page.locator(".tile mark.found").all_text_contents() == ["card 3"] * 2
        page.close()
