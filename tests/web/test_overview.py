"""The overview: what the server says, in light and dark, from phone to wide screen, by keyboard, without barriers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.server.conftest import Running
from tests.server.test_usage_post import LOG
from tests.web.conftest import Open
from tests.web.look import barriers, loaded

WIDTHS = (390, 1280, 1920)
READY = ("tb-figure", "tb-chart svg.tb-plot", "tb-ranking table", "tb-heat td")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_anybodys_way(served: Running, open_tab: Open, scheme: str) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/", scheme=scheme)
    loaded(tab.page, *READY)
    assert barriers(tab.page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_every_screen_and_never_scrolls_sideways(served: Running, open_tab: Open, width: int) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/", width=width)
    loaded(tab.page, *READY)
    tab.shot(f"overview-{width}")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_shows_the_figures_that_the_interface_says(served: Running, open_tab: Open) -> None:
    told = served.get("/api/v1/query?measures=calls,cost_nanousd,errors&days=30&timezone=Europe/Berlin").json()["rows"][
        0
    ]
    tab = open_tab(f"http://127.0.0.1:{served.port}/")
    loaded(tab.page, *READY)
    figures = tab.page.query_selector_all("tb-figure")
    exact = {one.get_attribute("label"): one.get_attribute("exact") for one in figures}
    assert exact["Calls"] == f"{told['calls']:,}"
    assert exact["Failed"] == f"{told['errors']:,} of {told['calls']:,} calls"
    assert float(exact["Cost"].removesuffix(" USD").replace(",", "")) == pytest.approx(told["cost_usd"], abs=1e-9)


SPOTS = """(chart) => {
  const at = [...new Set(chart.points.map((point) => point.x.getTime()))].sort((one, other) => one - other);
  const box = chart.renderRoot.querySelector('.drawing').getBoundingClientRect();
  const x = (time) => box.left + chart._drawn.scale('x').apply(new Date(time));
  const day = 86400000;
  return { from: x(at[20] - day / 3), to: x(at[24] + day * 0.6), y: box.top + box.height / 2,
    since: new Date(at[20]).toISOString().slice(0, 10), until: new Date(at[25]).toISOString().slice(0, 10) };
}"""


@pytest.mark.parametrize("place", ["/", "/tools", "/models"])
def test_a_drag_over_a_chart_zooms_the_whole_page_to_the_days_in_it(
    served: Running, open_tab: Open, place: str
) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}{place}")
    loaded(tab.page, "tb-chart svg.tb-plot")
    chart = tab.page.locator("tb-chart").first
    chart.scroll_into_view_if_needed()
    spots = chart.evaluate(SPOTS)
    tab.page.mouse.move(spots["from"], spots["y"])
    tab.page.mouse.down()
    tab.page.mouse.move((spots["from"] + spots["to"]) / 2, spots["y"])
    tab.page.mouse.move(spots["to"], spots["y"])
    tab.page.mouse.up()
    tab.page.wait_for_url(f"**since={spots['since']}T00:00&until={spots['until']}T00:00*")
    loaded(tab.page, "tb-chart svg.tb-plot")
    if place == "/":
        span = f"since={spots['since']}&until={spots['until']}T00:00&timezone=Europe/Berlin"
        told = served.get(f"/api/v1/query?measures=calls&{span}").json()["rows"][0]
        tab.page.wait_for_selector(f"tb-figure[label=Calls][exact='{told['calls']:,}']")
    for number in range(tab.page.locator("tb-chart").count()):
        times = (
            tab.page.locator("tb-chart")
            .nth(number)
            .evaluate("(chart) => [...new Set(chart.points.map((one) => one.x.toISOString().slice(0, 10)))].sort()")
        )
        assert spots["since"] <= times[0] <= times[-1] < spots["until"]


def test_a_group_filters_the_page_and_the_link_shows_the_same(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/?range=7d")
    loaded(tab.page, *READY)
    tab.page.locator("tb-ranking[by=project] button").first.focus()
    name = tab.page.locator("tb-ranking[by=project] button").first.inner_text()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**q=project*")
    loaded(tab.page, *READY)
    assert tab.page.locator("tb-control .chips").inner_text().startswith(f"project:{name}")
    other = open_tab(tab.page.url)
    loaded(other.page, *READY)
    labels = [other.page.locator("tb-figure").nth(1), tab.page.locator("tb-figure").nth(1)]
    assert labels[0].get_attribute("exact") == labels[1].get_attribute("exact")
    tab.page.go_back()
    assert "q=" not in tab.page.url


def test_a_mistyped_filter_is_told_and_changes_nothing(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/")
    loaded(tab.page, *READY)
    box = tab.page.get_by_role("searchbox")
    box.fill("modle:gpt-4o")
    box.press("Enter")
    assert "did you mean “model”" in tab.page.locator("tb-control [role=alert]").inner_text()
    assert "q=" not in tab.page.url


def test_every_chart_has_its_table(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/?range=7d")
    loaded(tab.page, *READY)
    chart = tab.page.locator("tb-chart").first
    chart.get_by_role("button", name="Table").press("Enter")
    assert chart.locator("tbody tr").count() == 7


def test_without_calls_it_says_how_to_record_some(start: Any, open_tab: Open) -> None:
    server = start()
    tab = open_tab(f"http://127.0.0.1:{server.port}/")
    tab.page.wait_for_selector("text=No calls in this time")
    assert "tallybook.instrument()" in tab.page.locator("tb-condition").inner_text()


def test_the_month_says_what_the_interface_says_and_a_budget_stays_in_the_address(
    served: Running, open_tab: Open
) -> None:
    told = served.get("/api/v1/query?measures=cost_nanousd&period=month&timezone=Europe/Berlin").json()["rows"][0]
    tab = open_tab(f"http://127.0.0.1:{served.port}/")
    loaded(tab.page, *READY, "tb-month dd")
    spent = tab.page.locator("tb-month dd").first.get_attribute("title")
    assert float(spent.removesuffix(" USD").replace(",", "")) == pytest.approx(told["cost_usd"], abs=1e-9)
    assert tab.page.locator("tb-month").get_by_text("a day, with").is_visible()
    tab.page.get_by_label("Budget, USD a month").fill("5")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**budget=5*")
    assert tab.page.locator("tb-month").get_by_text("Over the budget.").is_visible()
    assert barriers(tab.page) == []
    tab.shot("overview-budget")


def test_who_goes_back_before_a_page_has_come_stays_there(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/?budget=5")
    loaded(tab.page, *READY)
    tab.page.route("**/page/models.js", lambda route: (time.sleep(0.5), route.continue_()))
    with tab.page.expect_response("**/page/models.js"):
        tab.page.evaluate("document.querySelector('tb-shell').shadowRoot.querySelector('a[href=\"/models\"]').click()")
        tab.page.evaluate("history.back()")
    tab.page.wait_for_timeout(300)
    assert tab.page.locator("tb-models-page").count() == 0
    assert tab.page.locator("tb-overview-page").count() == 1
    assert "budget=5" in tab.page.url and tab.page.title().startswith("Overview")


def test_a_share_is_of_all_calls_and_not_of_the_groups_that_are_shown(served: Running, open_tab: Open) -> None:
    question = "measures=cost_nanousd&days=30&timezone=Europe/Berlin"
    whole = served.get(f"/api/v1/query?{question}").json()["rows"][0]["cost_nanousd"]
    users = served.get(f"/api/v1/query?{question}&dimensions=user_id&order=-cost_nanousd&limit=100").json()["rows"]
    assert sum(row["cost_nanousd"] or 0 for row in users[:8]) < whole  # There are more than are shown.
    tab = open_tab(f"http://127.0.0.1:{served.port}/", width=1920)
    loaded(tab.page, *READY)
    shown = tab.page.locator("tb-ranking[by=user_id] tbody td.third").all_inner_texts()
    told = tab.page.evaluate(
        "async (shares) => { const { percent } = await import('/assets/lib/format.js'); return shares.map(percent); }",
        [row["cost_nanousd"] / whole for row in users[: len(shown)]],
    )
    assert shown == told


def test_days_without_calls_are_there_and_the_time_before_stands_at_its_own_days(start: Any, open_tab: Open) -> None:
    server = start()
    now = datetime.now(ZoneInfo("Europe/Berlin")).replace(hour=0, minute=1)
    counts = {0: 1, 2: 2, 7: 3, 9: 4, 12: 5}
    for days, count in counts.items():
        # The time before ends at the same hour as now.
        at = (now - timedelta(days=days)).astimezone(UTC).isoformat()
        assert server.post("/api/ai-usage", [{**LOG, "created_at": at}] * count).status == 201
    tab = open_tab(f"http://127.0.0.1:{server.port}/?range=7d")
    loaded(tab.page, "tb-chart svg.tb-plot")
    told = """(chart) => Object.fromEntries(['points', 'previous'].map((name) =>
      [name, chart[name].filter((one) => one.series !== 'failed')
        .map((one) => [one.x.toISOString().slice(0, 10), one.y])]))"""
    shown = tab.page.locator("tb-chart[label='Calls and failures']").evaluate(told)
    days = [(now - timedelta(days=days)).date().isoformat() for days in range(6, -1, -1)]
    assert shown["points"] == [[day, counts.get(back, 0)] for day, back in zip(days, range(6, -1, -1), strict=True)]
    assert shown["previous"] == [
        [day, counts.get(back + 7, 0)] for day, back in zip(days, range(6, -1, -1), strict=True)
    ]
    times = tab.page.locator("tb-chart[label='Response time']").evaluate(told)["points"]
    assert [value is None for _, value in times[:7]] == [back not in counts for back in range(6, -1, -1)]
    figures = {one.get_attribute("label"): one for one in tab.page.query_selector_all("tb-figure")}
    assert figures["Input from cache"].get_attribute("value") == "\N{EN DASH}"  # No call told it.
    assert "%" not in figures["Response time, P95"].evaluate("(one) => one.shadowRoot.textContent")  # It is the same.
    tab.shot("overview-sparse")
    other = open_tab(f"http://127.0.0.1:{server.port}/models?range=7d")
    loaded(other.page, "tb-chart svg.tb-plot")
    assert len(other.page.locator("tb-chart").first.evaluate(told)["points"]) == 7
