"""The page of tools: figures as the interface says, one tool chosen, failures that lead to calls."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Running
from tests.web.conftest import Open
from tests.web.look import barriers, loaded

READY = ("tb-figure", "tb-outcome tbody tr", "tb-share path", "tb-chart svg.tb-plot", "tb-table tbody tr")
FAILED = "tb-tools-page table.failures tbody tr"
SCOPE = "days=30&timezone=Europe/Berlin"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_stands_in_nobodys_way(served: Running, open_tab: Open, scheme: str) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/tools", scheme=scheme)
    loaded(tab.page, *READY, FAILED)
    tab.shot(f"tools-{scheme}")
    assert barriers(tab.page) == []


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_it_fits_every_screen(served: Running, open_tab: Open, width: int) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/tools", width=width)
    loaded(tab.page, *READY, FAILED)
    tab.shot(f"tools-{width}")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_figures_table_and_ring_are_what_the_interface_says(served: Running, open_tab: Open) -> None:
    told = served.get(f"/api/ai/usage/tools?{SCOPE}").json()
    slow = served.get(f"/api/v1/query?source=tool_calls&measures=duration_p95_us&dimensions=tool&{SCOPE}").json()
    tab = open_tab(f"http://127.0.0.1:{served.port}/tools")
    loaded(tab.page, *READY)
    exact = {one.get_attribute("label"): one.get_attribute("exact") for one in tab.page.query_selector_all("tb-figure")}
    uses, failed = told["total"]["uses"], told["total"]["failures"]
    assert exact["Tool calls"] == f"{uses:,}"
    assert exact["Failed"] == f"{failed:,} of {uses:,}"
    names = [cell.inner_text() for cell in tab.page.locator("tb-table tbody th").all()]
    assert names == [row["tool"] for row in told["tools"]]
    counts = [cell.get_attribute("title") for cell in tab.page.locator("tb-table tbody td:nth-child(2)").all()]
    assert counts == [f"{row['uses']:,}" for row in told["tools"]]
    p95 = {row["tool"]: row["duration_p95_ms"] for row in slow["rows"]}
    shown: list[dict[str, Any]] = tab.page.locator("tb-table").evaluate("one => one.rows")
    assert {row["tool"]: row["duration_p95_ms"] for row in shown} == p95
    ring = [cell.get_attribute("title") for cell in tab.page.locator("tb-share tbody td:nth-child(2)").all()]
    assert sum(int(text.replace(",", "")) for text in ring if text) == uses


def test_a_tool_is_chosen_by_keyboard_and_stands_in_the_address(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/tools?range=7d")
    loaded(tab.page, *READY)
    button = tab.page.locator("tb-outcome button").first
    name = button.inner_text()
    button.focus()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url(f"**tool={name}*")
    loaded(tab.page, *READY)
    told = served.get(f"/api/ai/usage/tools?days=7&timezone=Europe/Berlin&filter=tool:eq:{name}").json()["total"]
    tab.page.wait_for_selector(f'tb-figure[exact="{told["uses"]:,}"]')
    tab.page.get_by_role("button", name="Show all tools").press("Enter")
    assert "tool=" not in tab.page.url


def test_failures_are_the_interfaces_and_an_example_opens_its_call(served: Running, open_tab: Open) -> None:
    told = served.get(f"/api/ai/usage/tools/failures?{SCOPE}").json()["rows"]
    tab = open_tab(f"http://127.0.0.1:{served.port}/tools")
    loaded(tab.page, *READY, FAILED)
    shown = [cell.get_attribute("title") for cell in tab.page.locator(f"{FAILED} td:nth-child(3)").all()]
    assert shown == [f"{row['failures']:,}" for row in told]
    tab.page.locator(f"{FAILED} a").first.click()
    tab.page.wait_for_url(f"**/calls?*call={told[0]['call_ids'][0]}*")
    loaded(tab.page, "tb-call-detail dl")
    assert told[0]["error"] in tab.page.locator("tb-call-detail ul").inner_text()


def test_a_filter_that_tools_do_not_have_is_told_instead_of_dropped(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/tools?q=status:error")
    tab.page.wait_for_selector("text=not known by status")
    assert tab.page.locator("tb-figure").count() == 0


def test_without_tools_it_says_how_to_record_some(start: Any, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{start().port}/tools")
    tab.page.wait_for_selector("text=No tool was used in this time")
