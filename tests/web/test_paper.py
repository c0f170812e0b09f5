"""On paper, and when the server goes away."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.server.conftest import Running
from tests.web.conftest import Open
from tests.web.look import loaded

READY = ("tb-figure", "tb-chart svg.tb-plot", "tb-ranking table")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_print_is_a_clean_report_on_white_that_says_what_it_covers(
    served: Running, open_tab: Open, scheme: str, tmp_path: Path
) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/?range=7d&q=-status:error", scheme=scheme)
    loaded(tab.page, *READY)
    tab.page.emulate_media(media="print")
    assert not tab.page.locator("nav").is_visible()
    assert not tab.page.locator("tb-control form").is_visible()
    assert tab.page.get_by_role("button", name="CSV").first.is_visible() is False
    head = tab.page.locator("tb-shell .paper").inner_text()
    assert "Last 7 days" in head and "-status:error" in head and "Europe/Berlin" in head
    assert tab.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.page.locator("h1").is_visible()
    tab.shot(f"print-{scheme}")
    paper = tmp_path / "report.pdf"
    tab.page.pdf(path=str(paper))
    assert paper.read_bytes().startswith(b"%PDF") and paper.stat().st_size > 20_000


def test_on_the_screen_the_papers_head_is_not_there(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/")
    loaded(tab.page, *READY)
    assert not tab.page.locator("tb-shell .paper").is_visible()


def test_a_server_that_goes_away_is_told_and_asked_until_it_is_back(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/")
    page = tab.page
    loaded(page, *READY)
    page.route("**/api/**", lambda route: route.abort())
    page.route("**/healthz", lambda route: route.abort())
    page.locator("tb-control select").first.select_option("7d")
    page.wait_for_selector("tb-offline p")
    page.wait_for_selector("text=Waiting for the server")
    assert page.get_by_role("alert").filter(has_text="server").count() == 0  # Told once, not by each panel.
    tab.shot("offline")
    page.unroute("**/api/**")
    page.unroute("**/healthz")
    page.wait_for_selector("tb-offline p", state="detached")
    loaded(page, *READY)
    assert page.locator("tb-condition[state=error]").count() == 0
    tab.told.clear()  # The browser itself notes each request that was cut.
