"""The page of settings: keys made and revoked by keyboard, projects, prices, what an examination finds."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.web.conftest import Open
from tests.web.look import barriers, loaded

READY = ("tb-finding-list li", "tb-project-list tbody tr", "tb-price-list tbody tr", "tb-setting-list tbody tr")
KEYS = "tb-key-list tbody tr"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_stands_in_nobodys_way(served: Running, open_tab: Open, scheme: str) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/settings", scheme=scheme)
    loaded(tab.page, *READY)
    tab.shot(f"settings-{scheme}")
    assert barriers(tab.page) == []


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_it_fits_every_screen(served: Running, open_tab: Open, width: int) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/settings", width=width)
    loaded(tab.page, *READY)
    tab.shot(f"settings-{width}")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_key_is_made_shown_once_and_revoked_by_keyboard(start: Start, open_tab: Open) -> None:
    server = start()
    tab = open_tab(f"http://127.0.0.1:{server.port}/settings")
    page = tab.page
    loaded(page, "tb-key-list form")
    page.get_by_label("May").select_option("read")
    page.get_by_role("form", name="Make a key").get_by_label("Name").fill("for the wall")
    page.keyboard.press("Enter")
    secret = page.locator("tb-key-list .made code").inner_text()
    assert server.get("/api/v1/keys").json()["keys"][0]["name"] == "for the wall"
    assert secret.startswith("tb_")
    page.wait_for_selector(f"{KEYS}:has-text('for the wall')")
    tab.shot("settings-key")
    page.get_by_role("button", name="I have it").press("Enter")
    page.wait_for_selector("tb-key-list .made", state="detached")
    assert secret not in page.locator("tb-key-list").evaluate("one => one.shadowRoot.textContent")
    page.get_by_role("button", name="Revoke for the wall").press("Enter")
    page.wait_for_selector("tb-key-list dialog[open]")
    assert barriers(page) == []
    page.get_by_role("button", name="Revoke", exact=True).press("Enter")
    page.wait_for_selector(f"{KEYS}:has-text('revoked')")
    assert server.get("/api/v1/keys").json()["keys"][0]["revoked_at_us"] is not None


def test_a_project_is_created_once_and_the_second_time_is_told(start: Start, open_tab: Open) -> None:
    server = start()
    tab = open_tab(f"http://127.0.0.1:{server.port}/settings")
    page, form = tab.page, tab.page.get_by_role("form", name="Create a project")
    loaded(page, "tb-project-list form")
    form.get_by_label("Project").fill("docs-bot")
    page.keyboard.press("Enter")
    page.wait_for_selector("tb-project-list tbody tr:has-text('docs-bot')")
    assert [one["project"] for one in server.get("/api/v1/projects").json()["projects"]] == ["docs-bot"]
    form.get_by_label("Project").fill("docs-bot")
    page.keyboard.press("Enter")
    page.wait_for_selector("tb-project-list [role=alert]:has-text('already')")
    tab.told.clear()  # The browser itself notes the 409.


def test_prices_settings_and_findings_are_what_the_interface_says(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/settings")
    loaded(tab.page, *READY)
    models: list[dict[str, Any]] = served.get("/api/v1/prices").json()["models"]
    names = [cell.inner_text() for cell in tab.page.locator("tb-price-list tbody th").all()]
    assert names == [row["model"] for row in models]
    first = next(row for row in models if row["input_picousd"])
    row = tab.page.locator(f"tb-price-list tbody tr:has(th:text-is('{first['model']}'))").first
    assert f"${first['input_picousd'] / 1e6:,.2f}" in row.inner_text() and first["price"] in row.inner_text()
    told = {
        one["text"] for one in served.get("/api/v1/doctor").json()["findings"] if one["check"] in ("sdk", "streams")
    }
    shown = {one.inner_text() for one in tab.page.locator("tb-finding-list li p:first-child").all()}
    assert told and told <= shown
    assert "not kept" in tab.page.locator("tb-setting-list tr:has-text('TALLYBOOK_PROMPTS')").inner_text()
