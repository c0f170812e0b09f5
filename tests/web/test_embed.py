"""Elements for other people's pages: on another site, under a strict policy, what the server says, for everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.web.look import barriers
from tests.web.other import POLICY, Site

from tallybook.access.key import make

SCRIPT = """
import {{ configure }} from "{server}/embed.js";
configure({{ token: {token} }});
"""
BODY = """
<tb-message-usage id="message" message="m-1" user="ada"></tb-message-usage>
<tb-message-usage id="compact" message="m-1" user="ada" variant="compact"></tb-message-usage>
<tb-chat-usage id="chat" chat="c-1" user="ada"></tb-chat-usage>
<tb-chat-usage id="mini" chat="c-1" user="ada" variant="mini"></tb-chat-usage>
"""


class Place:
    """A closed server, a key that writes and the other site."""

    def __init__(self, server: Running, site: Site) -> None:
        self.server = server
        self.site = site
        self.url = f"http://127.0.0.1:{server.port}"
        self.keys = {
            role: server.context.state_now(lambda state, r=role: make(state, role=r, project=None, name=None, now_us=1))
            for role in ("ingest", "read")
        }
        site.policy = POLICY.format(server=self.url)

    def record(self, **fields: Any) -> None:
        log = {"operation": "chat", "model": "gpt-4o", "provider": "openai"} | fields
        sent = {"authorization": f"Bearer {self.keys['ingest'].text}"}
        assert self.server.ask("POST", "/api/ai-usage", log, sent).status == 201

    def token(self, **scope: Any) -> str:
        sent = {"authorization": f"Bearer {self.keys['read'].text}"}
        text: str = self.server.ask("POST", "/api/v1/tokens", scope, sent).json()["token"]
        return text

    def page(self, token: str, body: str = BODY, more: str = "") -> str:
        return self.site.page(SCRIPT.format(server=self.url, token=json.dumps(token)) + more, body)


@pytest.fixture
def place(start: Start, site: Site) -> Place:
    server = start(is_open=False, origins=(site.url,), any_project=True)
    one = Place(server, site)
    one.record(chat_id="c-1", user_id="ada", message_id="m-1", input_tokens=1_234_567, output_tokens=890)
    return one


def text(page: Any, selector: str) -> str:
    told: str = page.locator(selector).locator(".box").inner_text()
    return " ".join(told.split())


NAMES = ("message", "compact", "chat", "mini")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_are_short_for_the_eye_exact_on_hover_and_no_barrier_for_anybody(
    place: Place, open_tab: Any, scheme: str
) -> None:
    place.site.policy = ""  # Which axe could not be put into.
    light = "document.documentElement.style.colorScheme = 'light dark';"
    page = (tab := open_tab(place.page(place.token(user="ada"), more=light), scheme=scheme)).page
    for name in NAMES:
        page.wait_for_selector(f"#{name} [title='1,235,457 tokens']")
    told = text(page, "#chat")
    for words in ("Input 1.2M", "Output 890", "Total 1.2M", "$3.10", "Messages 1"):
        assert words in told, told
    assert "$3.10" in text(page, "#compact") and "$3.10" in text(page, "#mini")
    assert barriers(page) == []
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "message"
    with page.expect_response(lambda one: "messageId=m-1" in one.url):
        page.keyboard.press("Enter")
    tab.shot(f"embed-{scheme}")


def test_a_sum_says_what_it_leaves_open_in_every_form(place: Place, open_tab: Any) -> None:
    place.record(chat_id="c-2", user_id="ada", message_id="m-2", model="nobody-s-model", input_tokens=10)
    place.record(chat_id="c-2", user_id="ada", message_id="m-3", input_tokens=1_000_000, output_tokens=0)
    place.record(chat_id="c-3", user_id="ada", message_id="m-4", model="nobody-s-model")
    body = """<tb-chat-usage id="mini" chat="c-2" user="ada" variant="mini"></tb-chat-usage>
    <tb-chat-usage id="full" chat="c-2" user="ada"></tb-chat-usage>
    <tb-chat-usage id="dark" chat="c-3" user="ada"></tb-chat-usage>
    <tb-chat-usage id="empty" chat="c-4" user="ada"></tb-chat-usage>"""
    page = open_tab(place.page(place.token(user="ada"), body)).page
    for name in ("mini", "full"):
        page.wait_for_selector(f"#{name} [title='2.5 USD, 1 of 2 without a price']")
        assert "$2.50+" in text(page, f"#{name}")
    page.wait_for_selector("#dark [title='cost unknown']")
    told = text(page, "#dark")
    for name in ("Input", "Output", "Total", "Per message"):
        assert f"{name} \u2013 unknown" in told, told
    assert "Messages 1" in told
    page.wait_for_selector("#empty [title='0 tokens']")


def test_a_message_that_is_written_counts_in_what_one_takes(place: Place, open_tab: Any) -> None:
    place.record(chat_id="c-2", user_id="ada", message_id="m-2", input_tokens=100, output_tokens=0)
    body = '<tb-chat-usage id="one" chat="c-2" user="ada"></tb-chat-usage>'
    page = open_tab(place.page(place.token(user="ada"), body)).page
    page.wait_for_selector("#one [title='100 tokens']")
    page.evaluate(
        """const one = document.querySelector('#one');
        one.setAttribute('input-tokens', '300');
        one.setAttribute('streaming', '');"""
    )
    assert "Per message 200" in text(page, "#one")


def test_a_policy_without_anything_inline_is_kept(place: Place, open_tab: Any) -> None:
    page = open_tab(place.page(place.token(user="ada"))).page
    for name in NAMES:
        page.wait_for_selector(f"#{name} [title='1,235,457 tokens']")


def test_while_an_answer_streams_an_estimate_says_so_and_true_figures_replace_it_without_a_jump(
    place: Place, open_tab: Any
) -> None:
    place.site.policy = ""
    body = '<tb-message-usage id="one" user="ada" message="m-2" streaming input-tokens="40" estimated-cost="0.001">'
    tab = open_tab(place.page(place.token(user="ada"), body + "</tb-message-usage>"))
    page = tab.page
    page.evaluate("document.querySelector('#one').content = 'x'.repeat(400)")
    page.evaluate("document.querySelector('#one').refresh()")  # As a new token does: there is nothing to ask yet.
    assert text(page, "#one") == "≈40 about 40 tokens → ≈100 about 100 tokens estimate"
    page.evaluate("document.querySelector('#one').setAttribute('variant', 'full')")
    with page.expect_response(lambda one: "messageId=m-2" in one.url and one.status == 404):
        page.evaluate("document.querySelector('#one').removeAttribute('streaming')")
    assert "≈140 about 140 tokens" in text(page, "#one")  # Not there yet: the estimate stays.
    before = page.locator("#one").bounding_box()
    place.record(chat_id="c-1", user_id="ada", message_id="m-2", input_tokens=38, output_tokens=97)
    page.wait_for_selector("#one [title='135 tokens']")
    assert "≈" not in text(page, "#one")
    assert page.locator("#one").bounding_box() == before
    assert all("404" in line for line in tab.told)  # Browsers note each answer of this kind.
    tab.told.clear()


def test_what_fails_says_why_and_is_tried_again_by_a_button(place: Place, open_tab: Any) -> None:
    place.site.policy = ""
    body = '<tb-chat-usage id="one" chat="c-1"></tb-chat-usage>'
    tab = open_tab(place.page(place.token(chat="c-2"), body))
    page = tab.page
    page.wait_for_selector("#one [role=alert]")
    assert "this token is for one chat alone" in text(page, "#one")
    page.evaluate(f"globalThis.told = '{place.token(chat='c-1')}'")
    change = "one.configure({ token: null, getToken: () => told })"
    page.evaluate(f"import('{place.url}/embed.js').then((one) => {change})")
    page.wait_for_selector("#one [title='1,235,457 tokens']")
    assert all("403" in line for line in tab.told)
    tab.told.clear()


def test_tokens_that_nobody_told_are_unknown_and_not_0(place: Place, open_tab: Any) -> None:
    sent = {"authorization": f"Bearer {place.keys['ingest'].text}"}
    task = {"task_id": "t-1", "run_id": "c-9", "provider": "openai", "model": "gpt-4o", "service": "chat"}
    assert place.server.ask("POST", "/api/v1/tasks", task, sent).status == 201
    done = place.server.ask("POST", "/api/v1/tasks/t-1/complete", {"response_text": "So.", "response_id": "r-9"}, sent)
    assert done.status == 200, done.body
    body = '<tb-message-usage id="message" message="r-9" label="This answer"></tb-message-usage>'
    tab = open_tab(place.page(place.token(message="r-9"), body))
    tab.page.locator("#message").get_by_text("without a price").wait_for()
    assert "0" not in text(tab.page, "#message").split("1 of 1")[0]
    assert tab.page.locator("#message").get_by_title("unknown tokens").count() == 3
