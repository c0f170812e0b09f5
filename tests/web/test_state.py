"""Every page in every state: while it loads, where an answer fails, without a server, and before the first call."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.web.conftest import Open, Tab
from tests.web.look import LOADED, barriers, loaded

PAGES = {
    "/": "tb-figure", "/calls": "tb-calls-page tbody tr", "/runs": "tb-runs-page tbody tr", "/tools": "tb-figure",
    "/models": "tb-table tbody tr", "/users": "tb-table tbody tr", "/projects": "tb-table tbody tr",
    "/settings": "tb-finding-list li, tb-finding-list tr",
}  # fmt: skip
"""Each page with something that it shows when it has its data."""
SCHEMES = ["light", "dark"]
TRIED = """() => {
  const inside = (one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])];
  const all = (root) => [...root.querySelectorAll('*')].flatMap(inside);
  const failed = all(document).filter((one) => one.localName === 'tb-condition' && one.state === 'error');
  failed.forEach((one) => one.shadowRoot.querySelector('button').click());
  return failed.length === 0;
}"""
FAILED = json.dumps({"error": {"code": "storage", "message": "the disk is full", "hint": "make room on it"}})


def stands_in_nobodys_way(tab: Tab, state: str, place: str) -> None:
    """In light and in dark."""
    for scheme in SCHEMES:
        tab.page.emulate_media(color_scheme=scheme)
        tab.shot(f"state-{state}-{place.strip('/') or 'overview'}-{scheme}")
        assert barriers(tab.page) == [], (place, scheme)


def opened(open_tab: Open, server: Running, answer: Any, place: str) -> Tab:
    """A page whose questions are answered by `answer`."""
    tab = open_tab("about:blank")
    tab.page.route("**/api/v1/**", answer)
    tab.page.route("**/api/ai/**", answer)
    tab.page.goto(f"http://127.0.0.1:{server.port}{place}")
    return tab


@pytest.mark.parametrize("place", PAGES)
def test_a_failure_says_what_and_how_to_mend_it_and_is_tried_again(served: Running, open_tab: Open, place: str) -> None:
    tab = opened(
        open_tab, served,
        lambda route: route.fulfill(status=503, content_type="application/json", body=FAILED), place,
    )  # fmt: skip
    tab.page.get_by_text("the disk is full").first.wait_for()
    assert tab.page.get_by_text("make room on it").first.is_visible()
    if place not in ("/settings", "/calls"):  # Their parts are of different matters.
        tab.page.wait_for_function(LOADED)
        assert tab.page.get_by_text("the disk is full").count() <= 2  # Once for the page, not by each panel.
    stands_in_nobodys_way(tab, "failed", place)
    tab.page.unroute("**/api/v1/**")
    tab.page.unroute("**/api/ai/**")
    tab.page.get_by_role("button", name="Try again").first.click()
    for _ in range(20):  # Parts that have data of their own are tried by themselves.
        tab.page.wait_for_timeout(500)
        if tab.page.evaluate(TRIED):
            break
    loaded(tab.page, PAGES[place])
    tab.told.clear()  # The browser notes each 503 by itself.


@pytest.mark.parametrize("place", PAGES)
def test_while_it_loads_its_outline_is_there(served: Running, open_tab: Open, place: str) -> None:
    held: list[Any] = []

    is_held = True

    def hold(route: Any) -> None:
        if is_held:
            held.append(route)
        else:
            route.continue_()

    tab = opened(open_tab, served, hold, place)
    tab.page.wait_for_selector("tb-condition[state=loading] .skeleton")
    time.sleep(0.2)
    assert barriers(tab.page) == []
    is_held = False
    for route in held:
        route.continue_()
    loaded(tab.page, PAGES[place])


def test_before_the_first_call_each_says_what_to_do(start: Start, open_tab: Open) -> None:
    server = start()
    for place in PAGES:
        tab = open_tab(f"http://127.0.0.1:{server.port}{place}")
        loaded(tab.page, "tb-shell")
        if place != "/settings":
            tab.page.wait_for_selector("tb-condition[state=empty]")
        stands_in_nobodys_way(tab, "empty", place)
