"""The page of calls: the list, one call beside it, by keyboard, live."""

from __future__ import annotations

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_usage_post import LOG
from tests.web.conftest import Open
from tests.web.look import barriers, loaded

UNKNOWN = "\N{EN DASH}"
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_scores_that_came_afterwards_stand_with_their_call(start: Start, open_tab: Open, scheme: str) -> None:
    server = start()
    call = server.post("/api/ai-usage", LOG).json()["id"]
    score = {"name": "helpful", "value": 0.9, "comment": "to the point", "observationId": call}
    assert server.post("/api/public/scores", score).status == 200
    tab = open_tab(f"http://127.0.0.1:{server.port}/calls?call={call}", scheme=scheme)
    loaded(tab.page, "tb-call-detail dl")
    row = tab.page.locator("tb-call-detail table[aria-labelledby=scores] tr").inner_text().split("\t")
    assert [part.strip() for part in row] == ["helpful", "0.9", "to the point"]
    assert barriers(tab.page) == []


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


def _facet(page, label: str) -> dict[str, str]:
    """What a facet lists: values and their shown numbers of calls."""
    items = page.get_by_role("list", name=f"Calls by {label}").get_by_role("listitem").all()
    return {one.locator(".name").inner_text(): one.locator(".calls").get_attribute("title") for one in items}


def test_facets_count_what_the_interface_counts_and_a_click_filters(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/calls", zone="UTC")
    loaded(tab.page, ROW, "tb-facets li")
    told = served.get("/api/v1/query?measures=calls&dimensions=model&order=-calls&limit=8&days=30").json()["rows"]
    assert _facet(tab.page, "model") == {row["model"] or "not told": f"{row['calls']:,} calls" for row in told}
    model = told[0]["model"]
    tab.page.get_by_role("list", name="Calls by model").get_by_role("button", name=model).click()
    tab.page.wait_for_url(f"**q=model:{model}*")
    assert tab.page.get_by_role("button", name=f"Remove the filter model:{model}").is_visible()
    # The other models stay in sight, the other facets count within it.
    question = f"/api/v1/query?measures=calls&dimensions=project&days=30&filter=model:eq:{model}"
    within = {row["project"] or "not told": f"{row['calls']:,} calls" for row in served.get(question).json()["rows"]}
    largest = max(within.values(), key=lambda calls: int(calls.split()[0].replace(",", "")))
    tab.page.get_by_role("list", name="Calls by project").get_by_title(largest, exact=True).wait_for()
    assert _facet(tab.page, "project") == within
    assert len(_facet(tab.page, "model")) == len(told)
    tab.page.get_by_role("list", name="Calls by model").get_by_role("button", name=model).click()
    tab.page.wait_for_url(lambda url: "q=" not in url)


def test_facets_open_by_keyboard_and_stay_in_the_address(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/calls")
    loaded(tab.page, ROW, "tb-facets li")
    tab.page.get_by_role("button", name="User", exact=True).focus()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**facets=status,model,project,user_id*")
    tab.page.get_by_role("list", name="Calls by user").wait_for()
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Space")
    tab.page.wait_for_url("**q=user:*")
    tab.page.reload()
    loaded(tab.page, ROW, "tb-facets li")
    assert tab.page.get_by_role("list", name="Calls by user").locator("[aria-pressed=true]").count() == 1
    tab.shot("calls-facets")
    assert barriers(tab.page) == []


def test_columns_are_chosen_and_stay_in_the_address(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/calls", width=1920)
    loaded(tab.page, ROW)
    tab.page.get_by_role("button", name="Columns").click()
    tab.page.get_by_role("checkbox", name="Agent").check()
    tab.page.get_by_role("checkbox", name="User").uncheck()
    tab.page.wait_for_url("**columns=model,what,project,agent,input,output,took,cost,status*")
    tab.shot("calls-columns")
    assert barriers(tab.page) == []
    tab.page.keyboard.press("Escape")
    assert tab.page.get_by_role("checkbox", name="Agent").count() == 0
    tab.page.reload()
    loaded(tab.page, ROW)
    heads = tab.page.locator("tb-calls-page thead th").all_inner_texts()
    assert heads == ["Time", "Model", "What", "Project", "Agent", "Input", "Output", "Took", "Cost", "Status"]
    agents = {one["agent_name"] or UNKNOWN for one in served.get("/api/v1/calls?limit=50").json()["calls"]}
    assert set(tab.page.locator(f"{ROW} td:nth-child(5)").all_inner_texts()) == agents


def test_a_thousand_calls_a_second_neither_stall_the_page_nor_fill_it(start: Start, open_tab: Open) -> None:
    server = start()
    server.post("/api/ai-usage", LOG)
    tab = open_tab(f"http://127.0.0.1:{server.port}/calls")
    loaded(tab.page, ROW)
    with tab.page.expect_response("**/api/v1/live*"):
        tab.page.get_by_role("button", name="Live", exact=True).click()
    tab.page.evaluate(
        "globalThis.longest = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) "
        "longest = Math.max(longest, one.duration); }).observe({ type: 'longtask' })"
    )
    for _ in range(60):
        server.post("/api/ai-usage", [LOG] * 50)
    tab.page.get_by_role("button", name="3k new").wait_for()
    assert tab.page.locator(ROW).count() == 1
    tab.page.get_by_role("button", name="3k new").click()
    tab.page.locator(ROW).nth(49).wait_for()
    newest = server.get("/api/v1/calls?limit=1").json()["calls"][0]["call_id"]
    assert newest in (tab.page.locator(f"{ROW} a").first.get_attribute("href") or "")
    tab.page.get_by_role("button", name="Older calls").click()
    tab.page.locator(ROW).nth(99).wait_for()
    links = [link.get_attribute("href") for link in tab.page.locator(f"{ROW} a").all()]
    told = [one["call_id"] for one in server.get("/api/v1/calls?limit=100").json()["calls"]]
    assert [href.rpartition("call=")[2] for href in links if href] == told
    # `bench/pages.py live` holds it to 200 ms; here other tests share the processor.
    assert tab.page.evaluate("longest") < 1_000
