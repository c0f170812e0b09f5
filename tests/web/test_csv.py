"""Every chart and every table as a file: it holds what the interface says, and the chart's own table says the same."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from tests.server.conftest import Running
from tests.web.conftest import Open
from tests.web.look import loaded

SCOPE = "days=30&timezone=Europe/Berlin"
PLACES = {"/": 10, "/tools": 5, "/models": 3, "/users": 3, "/projects": 3}
"""How many figures each page hands out at least."""
FILES_AT_ONCE = 8
"""Chromium asks before it takes an eleventh file from one page."""


def files(tab: Any) -> dict[str, list[dict[str, str]]]:
    """What each button of the page gives, by its file's name."""
    found: dict[str, list[dict[str, str]]] = {}
    buttons = tab.page.get_by_role("button", name="CSV:")
    for place in range(buttons.count()):
        if place and place % FILES_AT_ONCE == 0:
            tab.page.reload()
            loaded(tab.page, "tb-chart svg.tb-plot")
        button = buttons.nth(place)
        with tab.page.expect_download() as got:
            button.click()
        text = got.value.path().read_text(encoding="utf-8")
        assert got.value.suggested_filename not in found
        found[got.value.suggested_filename] = list(csv.DictReader(io.StringIO(text)))
    return found


def summed(rows: list[dict[str, str]], column: str, **of: str) -> float:
    return sum(float(row[column] or 0) for row in rows if all(row[name] == text for name, text in of.items()))


@pytest.mark.parametrize(("place", "least"), PLACES.items())
def test_every_chart_and_table_of_a_page_is_handed_out(served: Running, open_tab: Open, place: str, least: int) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}{place}")
    loaded(tab.page, "tb-chart svg.tb-plot")
    drawn = tab.page.locator("tb-chart, tb-heat, tb-ranking, tb-outcome, tb-share, tb-table").count()
    given = files(tab)
    assert len(given) == drawn >= least
    for name, rows in given.items():
        assert rows, name
        assert not [key for key in rows[0] if key == "value" or key.endswith("_nanousd")], name
    for chart in tab.page.locator("tb-chart").all():
        rows = given[f"{chart.get_attribute('label').lower().replace(' ', '-')}.csv"]
        chart.get_by_role("button", name="Table").click()
        heads = [one.inner_text() for one in chart.locator("thead th").all()]
        assert set(heads[1:]) == {row["series"] for row in rows}
        assert chart.locator("tbody th").all_inner_texts() == list(dict.fromkeys(row["time"] for row in rows))


def test_the_files_of_the_overview_add_up_to_what_the_interface_says(served: Running, open_tab: Open) -> None:
    measures = "calls,errors,cost_nanousd,input_tokens,output_tokens"
    told = served.get(f"/api/v1/query?measures={measures}&{SCOPE}&compare=previous").json()
    now, before = told["rows"][0], told["previous"][0]
    tab = open_tab(f"http://127.0.0.1:{served.port}/")
    loaded(tab.page, "tb-chart svg.tb-plot", "tb-heat td")
    given = files(tab)
    cost = given["cost.csv"]
    assert summed(cost, "cost_usd", series="cost") == pytest.approx(now["cost_usd"], abs=1e-9)
    assert summed(cost, "cost_usd", series="period before") == pytest.approx(before["cost_usd"] or 0, abs=1e-9)
    assert len({row["time"] for row in cost}) == 30 and len(cost[0]["time"]) == len("2026-11-22")
    calls = given["calls-and-failures.csv"]
    assert summed(calls, "calls", series="calls") == now["calls"]
    assert summed(calls, "calls", series="failed") == now["errors"]
    assert summed(given["tokens-by-kind.csv"], "tokens") == now["input_tokens"] + now["output_tokens"]
    hours = given["cost-by-hour-of-the-week.csv"]
    assert len(hours) == 7 * 24
    assert summed(hours, "cost_usd") == pytest.approx(now["cost_usd"], abs=1e-9)


def test_the_files_of_other_pages_add_up_too(served: Running, open_tab: Open) -> None:
    told = served.get(f"/api/v1/query?measures=calls,cost_nanousd&{SCOPE}").json()["rows"][0]
    uses = served.get(f"/api/ai/usage/tools?{SCOPE}").json()["total"]
    for place, noun in (("models", "model"), ("users", "user"), ("projects", "project")):
        tab = open_tab(f"http://127.0.0.1:{served.port}/{place}")
        loaded(tab.page, "tb-chart svg.tb-plot", "tb-table tbody tr")
        given = files(tab)
        for name in (f"cost-by-{noun}.csv", f"all-{noun}s.csv"):
            assert summed(given[name], "cost_usd") == pytest.approx(told["cost_usd"], abs=1e-9)
        for name in (f"calls-by-{noun}.csv", f"all-{noun}s.csv"):
            assert summed(given[name], "calls") == told["calls"]
    tab = open_tab(f"http://127.0.0.1:{served.port}/tools")
    loaded(tab.page, "tb-chart svg.tb-plot", "tb-share path")
    given = files(tab)
    for name in ("uses-over-time.csv", "share-of-uses.csv", "all-tools.csv"):
        assert summed(given[name], "uses") == uses["uses"]
    assert summed(given["failures-over-time.csv"], "failures") == uses["failures"]


def test_the_charts_of_a_run_are_handed_out_call_by_call(served: Running, open_tab: Open) -> None:
    runs = served.get("/api/v1/runs?sort=calls&order=desc&limit=1").json()["runs"]
    tree = served.get(f"/api/v1/runs/{runs[0]['run_id']}/tree").json()
    inputs = [node["input_tokens"] for node in tree["nodes"] if node["kind"] == "call" and node["input_tokens"]]
    tab = open_tab(f"http://127.0.0.1:{served.port}/runs/{runs[0]['run_id']}?view=context")
    loaded(tab.page, "tb-chart svg.tb-plot")
    given = files(tab)
    assert summed(given["input-of-each-call.csv"], "input_tokens") == sum(inputs)
    assert "cache_share" in given["share-of-the-input-that-came-from-the-cache.csv"][0]
