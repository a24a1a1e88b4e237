"""The review screen in a real browser: every key, bulk acts, undo, two people, and nothing lost when things break."""

import re
import signal
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

from curation.dataset.intake import IntakeSpec, take_in
from curation.decisions.events import Decision
from curation.project import Project
from diagnostics.progress import ignore_progress

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
EVIL = (
    "<img src=x onerror=window.hacked=1>",
    'it\'s "quoted" & <b>bold</b>',
    "שלום עולם",
    "🦊 fox",
    "x" * 200,
)
PLAIN = ("ant", "bee", "cat", "dog", "eel", "fly", "gnu", "hen", "ibis", "jay", "kite")
CLASSES = tuple(sorted((*EVIL, *PLAIN)))
N_ITEMS = {"ant": 130}
N_OTHERS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory, add_run) -> Path:
    """A project whose classes and paths have names that are easily taken for markup, with one run."""
    folder = tmp_path_factory.mktemp("review")
    rng = np.random.default_rng(0)
    rows = ["path,label,split"]
    (folder / "images").mkdir()
    for number, label in enumerate(CLASSES):
        for item in range(N_ITEMS.get(label, N_OTHERS)):
            path = f"{number:02d} <b>{item:03d}.png"
            Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(folder / "images" / path)
            quoted = label.replace('"', '""')
            rows.append(f'{path},"{quoted}",{"val" if item == 0 else "train"}')
    (folder / "train.csv").write_text("\n".join(rows), encoding="utf-8")
    spec = IntakeSpec(data=folder / "train.csv", images=folder / "images")
    project = Project.create(folder / "project", take_in(spec, on_progress=ignore_progress), now=NOW)
    add_run(project, "run-0001")
    return project.folder


@pytest.fixture(scope="module")
def project(folder) -> Project:
    return Project.open(folder)


class Server:
    """The app on a project, in a process that can be killed and started again at the same address."""

    def __init__(self, serve, folder: Path, started: ExitStack) -> None:
        self._serve, self._folder, self._started = serve, folder, started
        self.address, self._process = started.enter_context(serve(folder))

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def start_again(self) -> None:
        port = int(self.address.rpartition(":")[2])
        _, self._process = self._started.enter_context(self._serve(self._folder, port))


@pytest.fixture(scope="module")
def server(serve, folder):
    with ExitStack() as started:
        yield Server(serve, folder, started)


@pytest.fixture(scope="module")
def page_of(chromium, server):
    """page_of(annotator) is the browser page of that person, the same for all tests: a new one would read, compile
    and start all of the page's scripts anew, which takes seconds."""
    pages = {}

    def of(annotator: str):
        if annotator not in pages:
            size = {"width": 1440, "height": 900}
            context = chromium.new_context(viewport=size, base_url=server.address)
            cookie = {"name": "winnow_annotator", "value": annotator, "url": server.address}
            context.add_cookies([cookie])
            pages[annotator] = context.new_page()
            pages[annotator].set_default_timeout(30_000)
        return pages[annotator]

    yield of
    for page in pages.values():
        page.context.close()


@pytest.fixture
def open_review(page_of):
    """open_review(annotator, **params) opens the queue that the parameters name; what the test did to the page is
    undone after it."""
    opened = []

    def open_page(annotator: str = "ada", **params: str):
        page = page_of(annotator)
        opened.append(page)
        page.goto(f"/review?{urlencode(params)}")
        page.locator(".tile img").first.wait_for()
        return page

    yield open_page
    for page in opened:
        page.unroute_all()
        page.context.set_offline(False)
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
        page.goto("about:blank")


def saved(page) -> None:
    page.locator(".saved", has_text=re.compile("^Saved$")).wait_for()


def type_keys(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def ids_shown(page) -> list[str]:
    """The items on the page, in order; their paths are their ids."""
    titles = page.locator(".tile").evaluate_all("tiles => tiles.map((tile) => tile.title)")
    return [title.partition("\n")[0] for title in titles]


def framed(page) -> tuple[int, str, dict]:
    """Which tile is framed, its item, and where on the screen."""
    tile = page.locator(".tile.cursor")
    title = tile.get_attribute("title")
    return int(tile.get_attribute("data-index")), title.partition("\n")[0], tile.bounding_box()


def said(project: Project, item_ids: list[str]) -> list[tuple[str | None, str | None]]:
    states = project.decisions.states(item_ids)
    return [(states[item_id].verdict, states[item_id].label) for item_id in item_ids]


def test_every_deciding_key(open_review, project):
    page = open_review(given="bee")
    ids = ids_shown(page)
    type_keys(page, "q", "w", "e", "n", "o", "1", "Shift+Digit2")
    saved(page)
    predicted = page.locator(".tile .predicted .label").nth(1).text_content()
    verdicts = [verdict for verdict, _ in said(project, ids)]
    assert verdicts[0] == "label_right"
    assert said(project, [ids[1]]) == [("label_right" if predicted == "bee" else "label_wrong", predicted)]
    assert verdicts[2:5] == ["bad_item", "ambiguous", "out_of_scope"]
    assert said(project, ids[5:7]) == [("label_wrong", CLASSES[0]), ("label_wrong", CLASSES[11])]


def test_a_class_is_found_by_typing_part_of_its_name(open_review, project):
    page = open_review(given="cat")
    ids = ids_shown(page)
    page.keyboard.type("gn")
    page.locator(".finder li", has_text="gnu").wait_for()
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    page.keyboard.type("qtd")
    page.locator(".finder li", has_text=EVIL[1]).wait_for()
    page.keyboard.press("Enter")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    saved(page)
    assert said(project, ids[:3]) == [("label_wrong", "gnu"), ("label_wrong", EVIL[1]), (None, "cat")]


def test_moving_selecting_and_going_on(open_review):
    page = open_review(given="ant")

    def chosen(text: str) -> None:
        page.locator(".chosen", has_text=text).wait_for()

    type_keys(page, "ArrowRight", "ArrowDown", "Space", "Shift+ArrowRight")
    chosen("2 items selected")
    page.locator(".tile").nth(0).click()
    page.locator(".tile").nth(4).click(modifiers=["Shift"])
    page.locator(".tile").nth(2).click(modifiers=["Control"])
    chosen("4 items selected")
    type_keys(page, "Control+a")
    chosen("60 items selected")
    type_keys(page, "Control+a")
    chosen("All 129 items of this filter selected")
    type_keys(page, "Escape")
    chosen("Acts on the framed item")
    page.locator("button", has_text="Pick").click()
    for place in (1, 2, 3, 2):
        page.locator(".tile").nth(place).click()
    chosen("2 items selected")
    page.locator("button", has_text="Pick").click()
    type_keys(page, "Escape")
    type_keys(page, "End", "Enter")
    page.locator(".page-label", has_text="of 3 pages").first.wait_for()
    page.wait_for_url("**page=2**")
    type_keys(page, "PageUp")
    page.wait_for_url("**page=1&**")


def test_everything_in_the_filter_is_asked_about_done_in_one_step_and_undone_after_a_reload(
    open_review, project
):
    page = open_review(given="ant", decided="open")
    before = project.decisions.last_event()
    n_items = int(
        re.search(r"of (\d+) items", page.locator(".progress-text", has_text="items").text_content())[1]
    )
    type_keys(page, "Control+a", "Control+a", "2")
    dialog = page.locator("dialog.ask")
    assert f"Relabel {n_items} items as “{CLASSES[1]}”?" in dialog.text_content()
    type_keys(page, "Escape")
    dialog.wait_for(state="detached")
    assert project.decisions.last_event() == before
    type_keys(page, "2")
    dialog.wait_for()
    type_keys(page, "Enter")
    page.locator(".message", has_text=f"{n_items} changed.").wait_for()
    assert project.decisions.last_event() == before + n_items
    page.reload()
    page.locator(".empty", has_text="No item fits these filters").wait_for()
    type_keys(page, "Control+z")
    page.locator(".message", has_text=f"Undone: {n_items} items.").wait_for()
    table = project.decisions.state_table()
    given = project.items.set_index("item_id").loc[table["item_id"], "given_label"]
    assert not ((given == "ant").to_numpy() & (table["label"] == CLASSES[1]).to_numpy()).any()


def test_keys_typed_into_a_field_are_the_fields_own_and_the_grids_do_not_reach_streamlit(
    open_review, project
):
    page = open_review(given="dog")
    before = project.decisions.last_event()
    field = page.get_by_label("Path contains")
    field.click()
    page.keyboard.type("qwe123")
    assert field.input_value() == "qwe123"
    field.fill("")
    field.press("Enter")
    page.locator(".tile img").first.wait_for()
    page.locator(".tile").first.click()
    type_keys(page, "r", "Escape", "c", "Escape")
    page.wait_for_timeout(500)
    assert page.get_by_text("Clear caches").count() == 0
    assert project.decisions.last_event() == before


def test_names_from_the_data_are_shown_as_text(open_review):
    page = open_review(given=EVIL[0])
    assert page.locator(".tile .given .label").first.text_content() == EVIL[0]
    type_keys(page, "/")
    options = page.locator(".finder li[role=option]").all_text_contents()
    assert set(options) <= set(CLASSES)
    type_keys(page, "Escape", "f")
    page.locator(".focus .bars .prob").first.wait_for()
    note = page.locator(".focus textarea")
    note.fill("<img src=x onerror=window.hacked=1>")
    note.press("Control+Enter")
    page.locator(".focus .history li", has_text="<img src=x").wait_for()
    page.locator(".codebook .rule").wait_for()
    page.locator(".codebook button", has_text="Write the rule").click()
    page.locator(".codebook textarea").fill("<script>window.hacked=1</script>")
    page.locator(".codebook button", has_text="Save").click()
    page.locator(".codebook .rule", has_text="<script>").wait_for()
    assert page.evaluate("window.hacked") is None


def test_the_focus_view_shows_the_item_its_likes_and_its_history(open_review, project):
    page = open_review(given="eel")
    ids = ids_shown(page)
    type_keys(page, "f")
    bars = page.locator(".focus .prob")
    bars.first.wait_for()
    assert bars.count() == 10
    page.locator(".focus .similar figure").nth(4).wait_for()
    type_keys(page, "q")
    page.locator(".focus .path", has_text=ids[1]).wait_for()
    type_keys(page, "ArrowLeft")
    page.locator(".focus .history li", has_text="label is right").wait_for()
    type_keys(page, "f")
    page.locator(".tiles:focus").wait_for()
    assert said(project, ids[:2]) == [("label_right", "eel"), (None, "eel")]


def test_two_people_see_each_others_decisions_and_none_is_overrun(open_review, project):
    ada, bob = open_review("ada", given="fly"), open_review("bob", given="fly")
    ids = ids_shown(ada)
    type_keys(ada, "q")
    bob.locator(".tile[data-status=kept]").wait_for()
    with bob.expect_event("requestfailed", lambda request: "/api/changes" in request.url):
        bob.route("**/api/changes**", lambda route: route.abort())
    type_keys(ada, "e")
    saved(ada)
    bob.locator(".tile").nth(1).click()
    type_keys(bob, "1")
    badge = bob.locator(".tile.conflict .badge")
    badge.wait_for()
    assert badge.text_content() == f"ada: excluded · yours: relabelled as {CLASSES[0]}"
    assert said(project, ids[:2]) == [("label_right", "fly"), ("bad_item", "fly")]
    bob.locator(".tile").nth(1).click(modifiers=["Control"])
    bob.locator(".tile").nth(1).click()
    type_keys(bob, "1")
    bob.locator(".tile.conflict").wait_for(state="detached")
    saved(bob)
    assert said(project, [ids[1]]) == [("label_wrong", CLASSES[0])]


def test_without_a_connection_decisions_wait_and_are_sent_when_it_is_back(open_review, project):
    page = open_review(given="gnu")
    ids = ids_shown(page)
    page.context.set_offline(True)
    type_keys(page, "q", "e")
    page.locator(".saved", has_text="2 acts unsaved").wait_for()
    assert said(project, ids[:2]) == [(None, "gnu"), (None, "gnu")]
    page.context.set_offline(False)
    saved(page)
    assert said(project, ids[:2]) == [("label_right", "gnu"), ("bad_item", "gnu")]


def test_an_answer_lost_after_the_commit_does_not_apply_a_decision_twice(open_review, project):
    page = open_review(given="hen")
    ids = ids_shown(page)
    lost = []

    def lose_the_first_answer(route):
        if lost:
            route.continue_()
            return
        lost.append(route.fetch())
        route.abort()

    page.route("**/api/decisions", lose_the_first_answer)
    before = project.decisions.last_event()
    type_keys(page, "e")
    saved(page)
    assert lost and project.decisions.last_event() == before + 1
    assert said(project, ids[:1]) == [("bad_item", "hen")]


def test_a_server_that_cannot_save_stops_decisions_until_it_can(open_review, project):
    page = open_review(given="ibis")
    ids = ids_shown(page)
    page.route(
        "**/api/decisions", lambda route: route.fulfill(status=503, body='{"error": "The disk is full."}')
    )
    type_keys(page, "q")
    page.locator(".saved", has_text="Cannot save: 1 act unsaved").wait_for()
    assert "The disk is full." in page.locator(".message").text_content()
    type_keys(page, "e")
    page.locator(".message", has_text="none are taken").wait_for()
    page.unroute("**/api/decisions")
    saved(page)
    assert said(project, ids[:2]) == [("label_right", "ibis"), (None, "ibis")]


def test_a_blind_item_hides_its_labels_and_its_decision_is_kept_as_blind(open_review, project):
    page = open_review("bob", given="jay", blind="1.0")
    tile = page.locator(".tile").first
    assert "jay" not in (tile.get_attribute("title") + tile.text_content())
    type_keys(page, "q")
    page.locator(".message", has_text="shown blind").wait_for()
    type_keys(page, "1")
    page.locator(".tile[data-status=relabelled]").wait_for()
    saved(page)
    event = project.decisions.all_events()[-1]
    assert (event.annotator, event.new_label, event.blind) == ("bob", CLASSES[0], True)


def test_decisions_typed_while_the_server_is_killed_are_saved_once_each_after_it_is_back(
    server, open_review, project
):
    page = open_review(given="kite")
    ids = ids_shown(page)
    before = project.decisions.last_event()
    type_keys(page, "q", "q")
    saved(page)
    server.kill()
    type_keys(page, "q", "q", "q")
    page.locator(".saved", has_text="3 acts unsaved").wait_for()
    server.start_again()
    saved(page)
    assert project.decisions.last_event() == before + 5
    assert said(project, ids[:5]) == [("label_right", "kite")] * 5


def test_a_newer_run_changes_nothing_on_the_page_until_it_is_asked_for(open_review, project, add_run):
    page = open_review(given="dog")
    shown = ids_shown(page)
    type_keys(page, "ArrowRight")
    add_run(project, "run-0002", seed=5)
    page.locator(".ranked", has_text="Queue updated").wait_for()
    assert ids_shown(page) == shown
    assert "cursor" in page.locator(".tile").nth(1).get_attribute("class")
    with page.expect_request("**/api/page?**run=run-0002**"):
        page.locator(".news button", has_text="Show it").click()
    page.locator(".ranked", has_text="Queue updated").wait_for(state="hidden")
    assert "decided=open" in page.url


def test_kept_updated_the_queue_is_ranked_anew_by_itself_after_every_25_decisions(
    open_review, project, add_run
):
    page = open_review(given="ant")
    rounds = []
    page.on("request", lambda request: "/api/quick_round" in request.url and rounds.append(request))
    page.route("**/api/quick_round", lambda route: route.fulfill(json={"job": "job-0001"}))
    project.decisions.decide(
        [Decision(item_id, "label_right") for item_id in ids_shown(page)[-25:]], annotator="bob", now=NOW
    )
    page.locator(".ranked", has_text="since it was ranked").wait_for()
    before = framed(page)
    with page.expect_response("**/api/quick_round"):
        page.locator("button", has_text="Keep updated").click()
    add_run(project, "run-0003", seed=6, event=project.decisions.last_event())
    page.locator(".ranked", has_text="Queue updated").wait_for()
    assert framed(page) == before

    with page.expect_response("**/api/quick_round"):
        type_keys(page, *"q" * 25)
    assert framed(page)[0] == 25, "the newer queue need not be shown for the next round"
    assert len(rounds) == 2
