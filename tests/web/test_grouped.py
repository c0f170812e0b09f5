"""Pages about one dimension: models, users, projects."""

from __future__ import annotations

import pytest
from tests.server.conftest import Running
from tests.web.conftest import Open
from tests.web.look import barriers, loaded

READY = ("tb-table tbody tr", "tb-chart svg.tb-plot")
PLACES = {"models": "model", "users": "user_id", "projects": "project"}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_stands_in_nobodys_way(served: Running, open_tab: Open, place: str, scheme: str) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/{place}", scheme=scheme)
    loaded(tab.page, *READY)
    tab.shot(f"{place}-{scheme}")
    assert barriers(tab.page) == []


@pytest.mark.parametrize("width", [390, 1920])
def test_it_fits_every_screen(served: Running, open_tab: Open, width: int) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/models", width=width)
    loaded(tab.page, *READY)
    tab.shot(f"models-{width}")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("place", "by"), PLACES.items())
def test_the_table_is_what_the_interface_says(served: Running, open_tab: Open, place: str, by: str) -> None:
    question = f"measures=calls,cost_nanousd&dimensions={by}&days=30&timezone=Europe/Berlin&order=-cost_nanousd"
    told = served.get(f"/api/v1/query?{question}").json()["rows"]
    tab = open_tab(f"http://127.0.0.1:{served.port}/{place}")
    loaded(tab.page, *READY)
    names = [cell.inner_text() for cell in tab.page.locator("tb-table tbody th").all()]
    assert names == [row[by] or "not told" for row in told]
    calls = [cell.get_attribute("title") for cell in tab.page.locator("tb-table tbody td:nth-child(2)").all()]
    assert calls == [f"{row['calls']:,}" for row in told]


def test_a_head_sorts_by_keyboard_and_the_order_is_in_the_address(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/models")
    loaded(tab.page, *READY)
    head = tab.page.locator("tb-table thead").get_by_role("button", name="Model")
    head.focus()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**sort=model*")
    names = [cell.inner_text() for cell in tab.page.locator("tb-table tbody th").all()]
    assert names == sorted(names, key=str.casefold)


def test_a_name_leads_to_its_overview(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/projects?range=7d")
    loaded(tab.page, *READY)
    link = tab.page.locator("tb-table tbody a").first
    name = link.inner_text()
    link.click()
    tab.page.wait_for_selector("tb-figure")
    assert f"q=project:{name}" in tab.page.url and "range=7d" in tab.page.url
