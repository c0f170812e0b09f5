"""The palette and the list of keys, by keyboard alone: where they lead, and where the focus is afterwards."""

from __future__ import annotations

import pytest
from tests.server.conftest import Running
from tests.web.conftest import Open, Tab
from tests.web.look import barriers, loaded

READY = ("tb-figure", "tb-ranking table")
OFFER = "tb-palette [role=option]"
DEEPEST = """
    let one = document.activeElement;
    while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
"""
FOCUS = f"""() => {{{DEEPEST}
    return one?.getAttribute('aria-label') || one?.id || one?.textContent.trim();
}}"""
IN_MAIN = "() => document.activeElement?.shadowRoot?.activeElement?.id === 'main'"


@pytest.fixture
def tab(served: Running, open_tab: Open) -> Tab:
    tab = open_tab(f"http://127.0.0.1:{served.port}/?range=7d")
    loaded(tab.page, *READY)
    return tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dialogs_stand_in_nobodys_way(served: Running, open_tab: Open, scheme: str) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/", scheme=scheme)
    loaded(tab.page, *READY)
    tab.page.keyboard.press("Control+k")
    tab.page.wait_for_selector(f"{OFFER}:has-text('Model')")
    tab.shot(f"palette-{scheme}")
    assert barriers(tab.page) == []
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("?")
    tab.page.wait_for_selector("tb-keys dialog[open]")
    tab.shot(f"keys-{scheme}")
    assert barriers(tab.page) == []


def test_escape_closes_and_the_focus_is_where_it_was(tab: Tab) -> None:
    tab.page.get_by_role("button", name="Theme").focus()
    before = tab.page.evaluate(FOCUS)
    for key, dialog in (("Control+k", "tb-palette"), ("?", "tb-keys")):
        tab.page.keyboard.press(key)
        tab.page.wait_for_selector(f"{dialog} dialog[open]")
        assert tab.page.evaluate(FOCUS) != before
        tab.page.keyboard.press("Escape")
        tab.page.wait_for_selector(f"{dialog} dialog[open]", state="hidden")
        assert tab.page.evaluate(FOCUS) == before


def test_a_page_is_reached_by_a_few_letters_and_keeps_the_time(tab: Tab) -> None:
    tab.page.keyboard.press("Meta+k")
    tab.page.keyboard.type("proj")
    tab.page.wait_for_selector(f"{OFFER}[aria-selected=true]:has-text('Projects')")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/projects?range=7d")
    tab.page.wait_for_function(IN_MAIN)


@pytest.mark.parametrize(("kind", "field", "word"), [("Model", "model", "model"), ("User", "user_id", "user")])
def test_a_group_is_found_on_the_server_and_leads_to_its_overview(
    served: Running, tab: Tab, kind: str, field: str, word: str
) -> None:
    rows = served.get(f"/api/v1/query?measures=calls&dimensions={field}&days=90&filter={field}:exists:").json()["rows"]
    name = rows[-1][field]
    tab.page.keyboard.press("Control+k")
    tab.page.keyboard.type(name)
    tab.page.wait_for_selector(f"{OFFER}:has(.label:text-is('{name}')):has-text('{kind}')")
    for _ in range(20):
        chosen = tab.page.locator(f"{OFFER}[aria-selected=true]").inner_text().split("\n")
        if chosen == [name, kind]:
            break
        tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url(f"**q={word}:*")
    assert tab.page.locator("tb-control .chips").inner_text().startswith(f"{word}:{name}")


def test_a_call_is_found_by_the_beginning_of_its_id(served: Running, tab: Tab) -> None:
    call_id = served.get("/api/v1/calls?limit=1").json()["calls"][0]["call_id"]
    tab.page.keyboard.press("Control+k")
    tab.page.keyboard.type(call_id[:18])
    tab.page.wait_for_selector(f"{OFFER}[aria-selected=true]:has-text('{call_id}')")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url(f"**/calls?*call={call_id}*")


def test_a_slash_is_the_filter_until_single_letters_are_turned_off(tab: Tab) -> None:
    tab.page.keyboard.press("/")
    assert tab.page.evaluate(FOCUS) == "Filter"
    tab.page.keyboard.type("?")  # What is typed is text.
    assert tab.page.locator("tb-keys dialog[open]").count() == 0
    tab.page.get_by_role("button", name="Keys").press("Enter")
    tab.page.get_by_role("checkbox", name="Keys of a single letter").press("Space")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("/")
    assert tab.page.evaluate(FOCUS) != "Filter"


LEFT = f"""() => {{{DEEPEST}
    return !one?.closest('dialog');
}}"""
PLACES = ("/", "/calls", "/tools", "/runs", "/runs/{run}", "/models", "/users", "/projects", "/settings")
WITHOUT_FILTER = ("/runs/{run}", "/settings")
"""What shows one thing or no calls has nothing to filter."""


@pytest.mark.parametrize("place", PLACES)
def test_every_key_of_the_list_does_on_every_page_what_the_list_says(
    served: Running, open_tab: Open, place: str
) -> None:
    run = served.get("/api/v1/runs?sort=calls&order=desc&limit=1").json()["runs"][0]["run_id"]
    tab = open_tab(f"http://127.0.0.1:{served.port}{place.format(run=run)}")
    page = tab.page
    page.wait_for_selector("tb-shell h1, tb-shell h2")
    loaded(page)
    for key, dialog in (("Control+k", "tb-palette"), ("Meta+k", "tb-palette"), ("?", "tb-keys")):
        page.keyboard.press(key)
        page.wait_for_selector(f"{dialog} dialog[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector(f"{dialog} dialog[open]", state="hidden")
        page.wait_for_function(LEFT)  # The browser lets go of a field that vanished with the next frame.
    page.keyboard.press("/")
    is_filter = page.evaluate(FOCUS) in ("Filter", "Search runs")
    assert is_filter is (place not in WITHOUT_FILTER), page.evaluate(FOCUS)
    if is_filter:
        page.keyboard.press("Escape")
        page.evaluate("document.activeElement.blur()")
    if place == "/calls":
        page.keyboard.press("j")
        page.wait_for_selector("tb-call-detail")
        first = page.url
        page.keyboard.press("j")
        page.wait_for_function("(before) => location.href !== before", arg=first)
        page.keyboard.press("k")
        page.wait_for_url(first)
        page.keyboard.press("Escape")
        page.wait_for_selector("tb-call-detail", state="detached")
