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


COLUMNS = {
    "models": "calls cost each input output cached failed median slow first speed",
    "users": "calls cost each input output cached failed slow last",
    "projects": "calls cost each users input output cached failed slow last",
}
MEASURES = (
    "calls,errors,cost_nanousd,priced_calls,unpriced_calls,input_tokens,output_tokens,cache_read_tokens,"
    "duration_p50_us,duration_p95_us,ttft_p50_us,timed_output_us,timed_output_tokens,users,last_at_us"
)
SHOWN = """async (rows) => {
  const { count, duration, money, percent } = await import('/assets/lib/format.js');
  const us = (ms) => (ms === null ? null : ms * 1000);
  const zone = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Berlin', dateStyle: 'short', timeStyle: 'short' });
  const cell = {
    calls: (row) => count(row.calls), users: (row) => count(row.users), input: (row) => count(row.input_tokens),
    output: (row) => count(row.output_tokens), median: (row) => duration(us(row.duration_p50_ms)),
    cost: (row) => money(row.cost_nanousd) + (row.unpriced_calls && row.cost_nanousd !== null ? '+' : ''),
    each: (row) => money(row.priced_calls ? row.cost_nanousd / row.priced_calls : null),
    cached: (row) => percent(
      row.input_tokens && row.cache_read_tokens !== null ? row.cache_read_tokens / row.input_tokens : null),
    failed: (row) => percent(row.errors / row.calls), slow: (row) => duration(us(row.duration_p95_ms)),
    first: (row) => duration(us(row.ttft_p50_ms)), last: (row) => zone.format(new Date(row.last_at)),
    speed: (row) => (row.timed_output_ms && row.timed_output_tokens
      ? count(row.timed_output_tokens / row.timed_output_ms * 1000) : money(null)),
  };
  return rows.map((row) => Object.fromEntries(Object.entries(cell).map(([name, text]) => [name, text(row)])));
}"""
"""What a row of the interface looks like on a page, worked out apart from the page's own columns."""


@pytest.mark.parametrize(("place", "by"), PLACES.items())
def test_every_figure_of_the_table_is_what_the_interface_says(
    served: Running, open_tab: Open, place: str, by: str
) -> None:
    question = f"measures={MEASURES}&dimensions={by}&days=30&timezone=Europe/Berlin&order=-cost_nanousd"
    told = served.get(f"/api/v1/query?{question}").json()["rows"]
    tab = open_tab(f"http://127.0.0.1:{served.port}/{place}", width=1920)
    loaded(tab.page, *READY)
    names = COLUMNS[place].split()
    expected = [[row[name] for name in names] for row in tab.page.evaluate(SHOWN, told)]
    shown = [
        [cell.evaluate("(one) => (one.querySelector('[aria-hidden]') ?? one).textContent.trim()") for cell in row.all()]
        for row in (line.locator("td") for line in tab.page.locator("tb-table tbody tr").all())
    ]
    assert shown == expected
    assert len(shown) >= 5


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
