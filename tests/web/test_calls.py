"""The page of calls: the list, one call beside it, by keyboard, live."""

from __future__ import annotations

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_usage_post import LOG
from tests.web.conftest import Open
from tests.web.look import barriers, loaded

ROW = "tb-calls-page tbody tr"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_list_and_call_stand_in_nobodys_way(served: Running, open_tab: Open, scheme: str) -> None:
    call = served.get("/api/v1/calls?limit=1").json()["calls"][0]["call_id"]
    tab = open_tab(f"http://127.0.0.1:{served.port}/calls?call={call}", scheme=scheme)
    loaded(tab.page, ROW, "tb-call-detail dl")
    tab.shot(f"calls-{scheme}")
    assert barriers(tab.page) == []


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_it_fits_every_screen(served: Running, open_tab: Open, width: int) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/calls", width=width)
    loaded(tab.page, ROW)
    tab.shot(f"calls-{width}")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_list_is_what_the_interface_lists_and_goes_on(served: Running, open_tab: Open) -> None:
    told = served.get("/api/v1/calls?limit=60&days=30&timezone=Europe/Berlin").json()["calls"]
    tab = open_tab(f"http://127.0.0.1:{served.port}/calls")
    loaded(tab.page, ROW)
    assert tab.page.locator(ROW).count() == 50
    tab.page.get_by_role("button", name="Older calls").click()
    tab.page.locator(ROW).nth(99).wait_for()
    links = [link.get_attribute("href") for link in tab.page.locator(f"{ROW} a").all()[:60]]
    assert [href.rpartition("call=")[2] for href in links if href] == [one["call_id"] for one in told]


def test_j_and_k_go_from_call_to_call_and_escape_closes(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/calls")
    loaded(tab.page, ROW)
    ids = [one["call_id"] for one in served.get("/api/v1/calls?limit=2").json()["calls"]]
    tab.page.keyboard.press("j")
    tab.page.wait_for_url(f"**call={ids[0]}*")
    tab.page.keyboard.press("j")
    tab.page.wait_for_url(f"**call={ids[1]}*")
    loaded(tab.page, "tb-call-detail dl")
    assert ids[1] in tab.page.locator("tb-call-detail dl").last.inner_text()
    tab.page.keyboard.press("k")
    tab.page.wait_for_url(f"**call={ids[0]}*")
    tab.page.keyboard.press("Escape")
    assert "call=" not in tab.page.url
    tab.page.keyboard.press("/")
    assert tab.page.evaluate("document.activeElement.shadowRoot !== null")


def test_a_filter_narrows_the_list(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/calls?q=-status:ok")
    loaded(tab.page, "tb-calls-page")
    tab.page.wait_for_selector(f"{ROW} .bad")
    assert tab.page.locator(f"{ROW} .bad").count() == tab.page.locator(ROW).count() > 0


def test_what_comes_in_is_offered_and_moves_no_row_by_itself(start: Start, open_tab: Open) -> None:
    server = start()
    server.post("/api/ai-usage", LOG)
    tab = open_tab(f"http://127.0.0.1:{server.port}/calls")
    loaded(tab.page, ROW)
    with tab.page.expect_response("**/api/v1/live*"):
        tab.page.get_by_role("button", name="Live").click()
    for _ in range(3):
        server.post("/api/ai-usage", LOG)
    tab.page.get_by_role("button", name="3 new").wait_for()
    assert tab.page.locator(ROW).count() == 1
    tab.page.get_by_role("button", name="3 new").click()
    assert tab.page.locator(ROW).count() == 4
