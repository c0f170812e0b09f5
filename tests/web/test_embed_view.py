"""The larger elements on another site: chart, list and tree, under a strict policy, as the token allows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Start
from tests.server.test_tree import known
from tests.web.look import barriers
from tests.web.other import Site
from tests.web.test_embed import Place

BODY = """
<tb-cost-chart id="chart" days="7" by="model" label="Cost of the week"></tb-cost-chart>
<tb-runs-list id="runs" user="ada" limit="2"></tb-runs-list>
<tb-run-tree id="tree" chat="trip" user="ada"></tb-run-tree>
"""


@pytest.fixture
def place(start: Start, site: Site) -> Place:
    server = start(is_open=False, origins=(site.url,), any_project=True)
    one = Place(server, site)
    writer = {"authorization": f"Bearer {one.keys['ingest'].text}"}
    for run_id in ("trip", "cake", "garden"):
        server.ask("POST", "/api/v1/runs", {"run_id": run_id, "user_id": "ada", "name": f"About a {run_id}"}, writer)
    for model, tokens in (("gpt-4o", 100_000), ("gpt-4o", 20_000), ("claude-sonnet-4-5", 30_000)):
        one.record(run_id="trip", user_id="ada", model=model, input_tokens=tokens, output_tokens=500,
                   provider="openai" if model == "gpt-4o" else "anthropic")  # fmt: skip
    one.record(run_id="else", user_id="bob", input_tokens=9_999_999, output_tokens=1)
    known(server, "trip")
    return one


def text(page: Any, selector: str) -> str:
    told: str = page.locator(selector).locator(".box").inner_text()
    return " ".join(told.split())


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_they_show_what_the_server_says_of_the_tokens_user_and_are_no_barrier(
    place: Place, open_tab: Any, scheme: str, width: int
) -> None:
    place.site.policy = ""  # Which axe could not be put into.
    light = "document.documentElement.style.colorScheme = 'light dark';"
    tab = open_tab(place.page(place.token(user="ada"), BODY, more=light), scheme=scheme, width=width)
    page = tab.page
    page.wait_for_selector("#chart svg.tb-plot")
    page.wait_for_selector("#runs tbody tr")
    page.wait_for_selector("#tree [role=treeitem]")
    page.locator("#chart").get_by_role("button", name="Table").click()
    told = page.locator("#chart table").inner_text()
    assert "gpt-4o" in told and "claude-sonnet-4-5" in told and "$0.31" in told and "$0.098" in told, told
    page.locator("#chart").get_by_role("button", name="Table").click()
    assert page.locator("#runs tbody tr").count() == 2
    page.get_by_role("button", name="Older").click()
    page.locator("#runs tbody tr").nth(2).wait_for()
    assert "About a trip" in text(page, "#runs") and "152k" in text(page, "#runs")
    assert page.locator("#tree [role=treeitem]").count() >= 3
    assert "bob" not in page.content() and "$25" not in told
    tab.shot(f"embed-view-{scheme}-{width}")
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_policy_without_anything_inline_is_kept_and_keys_do_everything(place: Place, open_tab: Any) -> None:
    page = open_tab(place.page(place.token(user="ada"), BODY)).page
    page.wait_for_selector("#chart svg.tb-plot")
    page.wait_for_selector("#runs tbody tr")
    page.wait_for_selector("#tree [role=treeitem]")
    page.evaluate(
        "globalThis.heard = []; for (const name of ['tb-run', 'tb-call']) document.addEventListener(name, "
        "(event) => heard.push([name, event.detail.run_id ?? typeof event.detail.call]))"
    )
    page.locator("#runs .name").first.focus()
    page.keyboard.press("Enter")
    page.locator("#tree [role=treeitem]").last.focus()
    page.keyboard.press("Enter")
    heard = page.evaluate("heard")
    assert [name for name, _ in heard] == ["tb-run", "tb-call"] and heard[1][1] == "string", heard


def test_a_page_of_small_elements_loads_none_of_it(place: Place, open_tab: Any) -> None:
    asked: list[str] = []
    tab = open_tab("about:blank")
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.goto(place.page(place.token(user="ada"), '<tb-user-usage user="ada"></tb-user-usage>'))
    tab.page.wait_for_selector("tb-user-usage dd [title]")
    assert [url for url in asked if "/assets/" in url] == []


def test_what_fails_says_why_and_links_lead_where_the_page_says(place: Place, open_tab: Any) -> None:
    place.site.policy = ""
    body = '<tb-run-tree id="tree" chat="else"></tb-run-tree><tb-runs-list id="runs" link="/chats/{id}"></tb-runs-list>'
    tab = open_tab(place.page(place.token(user="ada"), body))
    page = tab.page
    page.wait_for_selector("#tree [role=alert]")
    assert "no run has the id" in text(page, "#tree")
    page.wait_for_selector("#runs tbody a")
    assert "/chats/trip" in {link.get_attribute("href") for link in page.locator("#runs tbody a").all()}
    with page.expect_response(lambda one: "/page/tree" in one.url):
        page.evaluate("document.querySelector('#tree').setAttribute('chat', 'trip')")
    page.wait_for_selector("#tree [role=treeitem]")
    assert page.locator("#tree [role=alert]").count() == 0
    with page.expect_response(lambda one: "/page/tree" in one.url):
        page.get_by_role("button", name="Refresh").first.click()
    assert all("404" in line for line in tab.told)
    tab.told.clear()
