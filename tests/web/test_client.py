"""The JavaScript client against a real server: under Node, and in a page of another site."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.web.other import POLICY, Site
from tests.web.test_unit import HERE, _node

from tallybook.store.lake.store import LakeStore

WAIT_S = 10


def calls_of(server: Running) -> list[Any]:
    store = LakeStore(server.context.settings.folder)
    try:
        return store.calls(oldest_first=True)
    finally:
        store.close()


def arrived(server: Running, count: int) -> list[Any]:
    """The calls once there are so many."""
    until = time.monotonic() + WAIT_S
    while len(found := calls_of(server)) < count and time.monotonic() < until:
        time.sleep(0.1)
    assert len(found) == count
    return found


def ran(server: Running, **environment: str) -> dict[str, Any]:
    env = os.environ | {"TALLYBOOK_URL": f"http://127.0.0.1:{server.port}", "TALLYBOOK_KEY": "", **environment}
    command = [_node(), str(HERE / "client.mjs")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_what_an_application_does_is_in_the_ledger_once_though_it_was_sent_twice(
    start: Start, tmp_path: Any,
) -> None:  # fmt: skip
    server = start(tmp_path / "ledger", settings={"prompts": "full", "responses": "full"})
    assert server.post("/api/v1/projects", {"project": "shop"}).status == 201
    told = ran(server)
    assert told["stats"] == {"recorded": 3, "sent": 2, "refused": 1, "dropped": 0, "failures": 2, "queued": 0}
    assert "broke" in told["told"][0] and "there is no project 'nowhere'" in told["told"][1]
    ideas, failed, last = calls_of(server)
    assert (ideas.operation, ideas.provider, ideas.model, ideas.response_model) == (
        "generate_project_ideas", "openai", "gpt-4o", "gpt-4o-2024-08-06",
    )  # fmt: skip
    assert (ideas.project, ideas.user_id, ideas.environment, ideas.response_id) == ("shop", "ada", "test", "resp-1")
    usage = ideas.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (1200, 300, 200)
    assert [(one.name, one.duration_us) for one in ideas.tool_calls] == [("search", 150_000), ("calculate", 5_000)]
    assert json.loads(ideas.tool_calls[0].result) == {"results": ["Next.js 14"]}
    assert (failed.status, failed.error_message) == ("error", "overloaded")
    assert (failed.run_id, failed.tags) == ("chat-1", ("a",))
    assert failed.provider == "anthropic" and failed.usage.input_tokens is None
    assert last.operation == "at the end"


def test_with_the_switch_off_nothing_leaves(start: Start, tmp_path: Any) -> None:
    server = start(tmp_path / "ledger")
    told = ran(server, TALLYBOOK_ENABLED="false")
    assert told == {"told": [], "stats": dict.fromkeys(told["stats"], 0)}
    assert calls_of(server) == []


SCRIPT = """
import {{ configure, flush, stats, trackOperation }} from "{server}/client.js";
configure({{ key: {key} }});
await trackOperation("in a page", null, async () => ({{
  usage: {{ prompt_tokens: 3, completion_tokens: 4 }}, model: "gpt-4o",
}}));
await flush();
trackOperation("at unload", null, () => 1, {{ model: "gpt-4o" }});
document.body.dataset.told = JSON.stringify(stats());
"""


@pytest.mark.parametrize("has_key", [False, True])
def test_a_page_of_another_site_records_also_what_waits_when_it_goes(
    start: Start, tmp_path: Any, site: Site, open_tab: Any, has_key: bool,
) -> None:  # fmt: skip
    server = start(tmp_path / "ledger", origins=(site.url,), is_open=not has_key)
    key = "null"
    if has_key:
        from tallybook.access.key import make

        state = server.context.state_now(lambda one: make(one, role="ingest", project=None, name=None, now_us=1))
        key = json.dumps(state.text)
    url = f"http://127.0.0.1:{server.port}"
    site.policy = POLICY.format(server=url)
    tab = open_tab(site.page(SCRIPT.format(server=url, key=key)))
    tab.page.wait_for_selector("body[data-told]")
    assert json.loads(tab.page.get_attribute("body", "data-told")) == {
        "recorded": 2, "sent": 1, "refused": 0, "dropped": 0, "failures": 0, "queued": 1,
    }  # fmt: skip
    tab.page.goto("about:blank")
    first, last = arrived(server, 2)
    assert (first.operation, first.usage.input_tokens, first.provider) == ("in a page", 3, "openai")
    assert last.operation == "at unload"


WAITING = """
import {{ configure, flush, stats, trackOperation }} from "{server}/client.js";
configure({{ intervalMs: 600000 }});
for (let at = 0; at < {count}; at += 1) trackOperation("at " + at, null, () => ({{
  toolCalls: [{{ toolName: "read", toolCallId: "call-" + at, input: {{ text: "{letter}".repeat({letters}) }} }}],
}}), {{ model: "gpt-4o" }});
Object.assign(window, {{ flush, stats, configure }});
document.body.dataset.told = "ready";
"""
HIDE = """() => {
  Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def waiting(
    start: Start, tmp_path: Any, site: Site, open_tab: Any, *, count: int, letter: str, letters: int,
) -> tuple[Running, Any]:  # fmt: skip
    """A page with so many records in memory, each with a tool's arguments of so many letters."""
    settings = {"prompts": "full", "responses": "full"}
    server = start(tmp_path / "ledger", settings=settings, origins=(site.url,), is_open=True)
    url = f"http://127.0.0.1:{server.port}"
    site.policy = POLICY.format(server=url)
    tab = open_tab(site.page(WAITING.format(server=url, count=count, letter=letter, letters=letters)))
    tab.page.wait_for_selector("body[data-told]")
    return server, tab


@pytest.mark.parametrize(("letter", "letters"), [("a", 15_000), ("漢", 6_000)])
def test_a_page_that_goes_loses_data_of_tools_before_it_loses_a_call(
    start: Start, tmp_path: Any, site: Site, open_tab: Any, letter: str, letters: int,
) -> None:  # fmt: skip
    server, tab = waiting(start, tmp_path, site, open_tab, count=20, letter=letter, letters=letters)
    tab.page.goto("about:blank")
    calls = arrived(server, 20)
    assert sorted(call.operation for call in calls) == sorted(f"at {place}" for place in range(20))
    assert [call.tool_calls[0].name for call in calls] == ["read"] * 20
    held = [call for call in calls if call.tool_calls[0].arguments]
    assert 2 <= len(held) <= 3
    assert json.loads(held[0].tool_calls[0].arguments) == {"text": letter * letters}


def test_a_hidden_page_hands_over_what_it_has_and_forgets_nothing_before_the_server_has_it(
    start: Start, tmp_path: Any, site: Site, open_tab: Any,
) -> None:  # fmt: skip
    server, tab = waiting(start, tmp_path, site, open_tab, count=5, letter="a", letters=10)
    tab.page.evaluate(HIDE)
    arrived(server, 5)
    assert tab.page.evaluate("stats()") | {"failures": 0} == {
        "recorded": 5, "sent": 0, "refused": 0, "dropped": 0, "failures": 0, "queued": 5,
    }  # fmt: skip
    tab.page.evaluate("flush()")
    assert tab.page.evaluate("stats()")["sent"] == 5
    assert len(calls_of(server)) == 5


def test_what_a_beacon_did_not_bring_to_a_server_that_was_away_is_sent_when_it_is_back(
    start: Start, tmp_path: Any, site: Site, open_tab: Any,
) -> None:  # fmt: skip
    server, tab = waiting(start, tmp_path, site, open_tab, count=5, letter="a", letters=10)
    url = f"http://127.0.0.1:{server.port}"
    tab.page.evaluate("configure({url: 'http://127.0.0.1:9'})")
    tab.page.evaluate(HIDE)
    assert tab.page.evaluate("stats()")["queued"] == 5
    tab.page.evaluate(f"configure({{url: '{url}'}})")
    tab.page.evaluate("flush()")
    assert tab.page.evaluate("stats()")["sent"] == 5
    arrived(server, 5)
    assert all("127.0.0.1:9/" in one for one in tab.told)  # The browser complains of the beacon.
    tab.told.clear()
