"""The page of a shared link: the conversation for anybody who has it, and nothing else."""

from __future__ import annotations

import pytest
from tests.server.conftest import Running, Start
from tests.web.conftest import Open
from tests.web.look import barriers, loaded

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def link(start: Start) -> tuple[Running, dict[str, str]]:
    """A conversation with a link."""
    server = start()
    server.ask("POST", "/api/v1/runs", {"run_id": "r", "name": "Planning a trip", "settings": {"secret": 1}})
    for number in range(205):
        role = "assistant" if number % 2 else "user"
        server.ask("POST", "/api/v1/runs/r/messages", {"role": role, "content": f"message {number} <b>&amp;</b>"})
    return server, server.ask("POST", "/api/v1/runs/r/share", {}).json()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_anybody_with_the_link_reads_the_conversation(link, open_tab: Open, scheme: str, width: int) -> None:
    server, made = link
    asked: list[str] = []
    tab = open_tab("about:blank", scheme=scheme, width=width)
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.goto(f"http://127.0.0.1:{server.port}{made['path']}")
    loaded(tab.page, "tb-conversation li.entry")
    assert tab.page.get_by_role("heading", level=1).inner_text() == "Planning a trip"
    assert tab.page.locator("li.entry").count() == 200
    assert tab.page.locator("li.entry .text").first.inner_text() == "message 0 <b>&amp;</b>"
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    tab.shot(f"shared-{scheme}-{width}")
    assert barriers(tab.page) == []
    tab.page.get_by_role("button", name="Further messages").click()
    tab.page.locator("li.entry").nth(204).wait_for()
    # It asks its own address and files, no other part of the ledger.
    assert all("/assets/" in url or made["path"] in url for url in asked)


def test_a_browser_gets_the_page_and_a_program_the_run(link) -> None:
    server, made = link
    page = server.ask("GET", made["path"], None, HTML)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-store" and page.headers["referrer-policy"] == "no-referrer"
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert "accept" in page.headers["vary"]
    assert b"Planning" not in page.body
    assert server.get(made["path"]).json()["name"] == "Planning a trip"


def test_a_revoked_link_says_so(link, open_tab: Open) -> None:
    server, made = link
    assert server.ask("DELETE", f"/api/v1/runs/r/share/{made['share_id']}").status == 204
    assert server.ask("GET", made["path"], None, HTML).status == 404
    tab = open_tab(f"http://127.0.0.1:{server.port}{made['path']}")
    tab.page.get_by_role("heading", name="This link shows nothing any more").wait_for()
    tab.shot("shared-revoked")
    assert "Planning" not in tab.page.content()
    # The browser notes both answers 404, the page's and the run's; that is right.
    assert tab.told and all("404" in line for line in tab.told)
    tab.told.clear()
