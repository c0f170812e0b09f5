"""What a dashboard asks over HTTP: the figures of the command line, in one shape, with what caches need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.cli.conftest import run_on
from tests.contract.records import Book, random_calls
from tests.server.conftest import Running, Start
from tests.server.test_app import key
from tests.server.test_usage_post import LOG

from tallybook.ingest.seal import seal
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call, Cost
from tallybook.store.open import open_store

CALLS = random_calls(11, 300)
CHAT = [
    msgspec.structs.replace(
        call, run_id="chat-1", user_id="ada", cost=Cost(status="reported", total_nanousd=2_000_000),
        provider="openai", call_id=f"{call.call_id[:-1]}{number % 10}", response_id=f"msg-{number}", source="rest",
    )
    for number, call in enumerate(random_calls(12, 6))
]  # fmt: skip


def write(folder: Path, calls: list[Call]) -> None:
    writer = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    writer.append(b"".join(map(codec.encode, calls)), calls[0].started_at_us)
    writer.close()


@pytest.fixture
def full(start: Start, tmp_path: Path) -> Running:
    """A server over a folder of which half is sealed."""
    folder = tmp_path / "ledger"
    write(folder, CALLS[:150])
    seal(folder, Book())
    write(folder, CALLS[150:] + CHAT)
    return start(folder)


def told(running: Running, path: str) -> Any:
    reply = running.get(path)
    assert reply.status == 200, reply.body
    return reply.json()


def commanded(running: Running, *words: str) -> Any:
    settings = running.context.settings
    store = open_store(settings)
    try:
        done = run_on(store, settings.folder)(*words, "--json", "--timezone", "UTC")
    finally:
        store.close()
    assert done.code == 0, done.err
    return json.loads(done.out)


SPAN = "since=2026-01-30&until=2026-02-20&timezone=UTC"
WORDS = ("--since", "2026-01-30", "--until", "2026-02-20")


@pytest.mark.parametrize(
    ("path", "words", "parts"),
    [
        ("/api/ai/usage/summary?by=model,project&top=5", ("stats", "--by", "model", "--by", "project"),
         ("total", "sections", "series", "coverage")),
        ("/api/ai/usage/tools?top=100", ("tools",), ("total", "tools")),
        ("/api/ai/usage/models?sort=cost&top=5", ("models", "--sort", "cost", "--top", "5"), ("total", "groups")),
        ("/api/ai/usage/timeseries?interval=week", ("weekly",), ("total",)),
        ("/api/ai/usage/summary?by=model&top=5&model=~large&user=!u1", ("stats", "--by", "model", "--model", "~large",
         "--user", "!u1"), ("total", "sections")),
    ],
)  # fmt: skip
def test_the_figures_are_those_of_the_command_line(
    full: Running, path: str, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    got, wanted = told(full, f"{path}&{SPAN}"), commanded(full, words[0], *WORDS, *words[1:])
    for part in parts:
        if isinstance(got[part], list):
            got[part] = [{k: v for k, v in one.items() if k in wanted[part][0]} for one in got[part]]
        elif isinstance(wanted[part], dict):
            got[part] = {k: v for k, v in got[part].items() if k in wanted[part]}
            wanted[part] = {k: v for k, v in wanted[part].items() if k in got[part]}
        assert got[part] == wanted[part], part


def test_points_of_a_group_add_up_to_its_total_and_have_no_gap(full: Running) -> None:
    found = told(full, f"/api/ai/usage/timeseries?interval=day&by=provider&{SPAN}")
    assert len(found["series"]) == 2
    for line in found["series"]:
        assert sum(point["calls"] for point in line["points"]) == line["total"]["calls"]
        assert len({point["time"] for point in line["points"]}) == len(line["points"]) == 22
    tools = told(full, f"/api/ai/usage/timeseries?of=tools&{SPAN}")
    assert sum(row["uses"] for row in tools["rows"]) == told(full, f"/api/ai/usage/tools?{SPAN}")["total"]["uses"]


def test_tools_tell_how_often_they_succeed(full: Running) -> None:
    for row in told(full, f"/api/ai/usage/tools?{SPAN}")["tools"]:
        assert row["success_rate"] == pytest.approx(1 - row["failures"] / row["uses"], abs=1e-4)


def test_operations_go_by_the_callers_word(server: Running) -> None:
    assert server.post("/api/ai-usage", LOG).status == 201
    (group,) = told(server, "/api/ai/usage/operations")["groups"]
    assert (group["task"], group["calls"], group["success_rate"]) == ("generate_project_ideas", 1, 1.0)


def test_a_record_is_in_the_next_answer(server: Running) -> None:
    for number in range(1, 4):
        assert server.post("/api/ai-usage", LOG).status == 201
        assert told(server, "/api/ai/usage/summary?period=today")["total"]["calls"] == number


def test_an_answer_that_has_not_changed_is_not_sent_again(server: Running) -> None:
    server.post("/api/ai-usage", LOG)
    path = "/api/ai/usage/summary?days=7"
    first = server.get(path)
    tag = first.headers["etag"]
    assert "max-age=1" in first.headers["cache-control"]
    again = server.ask("GET", path, headers={"if-none-match": tag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert server.ask("GET", "/api/ai/usage/summary?days=8", headers={"if-none-match": tag}).status == 200
    server.post("/api/ai-usage", LOG)
    assert server.ask("GET", path, headers={"if-none-match": tag}).status == 200
    past = server.get("/api/ai/usage/summary?since=2020-01-01&until=2020-01-02")
    assert "max-age=60" in past.headers["cache-control"]


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("/api/ai/usage/summary?modell=x", "modell", "did you mean model"),
        ("/api/ai/usage/summary?by=modle", "by", "modle"),
        ("/api/ai/usage/summary?since=yesteryear", "since", "since|a date"),
        ("/api/ai/usage/summary?since=2026-02-02&until=2026-02-01", "until", "not after"),
        ("/api/ai/usage/summary?days=0", "days", "whole number"),
        ("/api/ai/usage/summary?days=7&since=today", "since", "one of"),
        ("/api/ai/usage/summary?timezone=Mars/Olympus", "timezone", "Mars"),
        ("/api/ai/usage/summary?status=fine", "status", "fine"),
        ("/api/ai/usage/summary?compare=last", "last", "previous"),
        ("/api/ai/usage/timeseries?interval=minute", "minute", "hour"),
        ("/api/ai/usage/tools?by=colour", "colour", "tool"),
        ("/api/ai/usage/tools?status=ok", "status", "filtered"),
        ("/api/token-usage", "chatId", "chatId"),
    ],
)
def test_a_wrong_word_is_named_in_the_words_of_the_request(server: Running, path: str, field: str, words: str) -> None:
    reply = server.get(path)
    error = reply.json()["error"]
    assert reply.status == 400 and error["field"] == field, error
    assert any(word in f"{error['message']} {error['hint']}" for word in words.split("|"))
    assert "--" not in f"{error['message']}{error['hint']}"


def test_names_are_read_in_camel_and_in_snake_case(full: Running) -> None:
    wanted = told(full, f"/api/ai/usage/summary?user=ada&{SPAN}")["total"]
    for name in ("userId", "user_id"):
        assert told(full, f"/api/ai/usage/summary?{name}=ada&{SPAN}")["total"] == wanted
    assert wanted["calls"] >= len(CHAT)


def test_a_key_of_a_project_is_told_of_its_own_calls_only(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    write(folder, CALLS)
    headers = {"authorization": f"Bearer {key(folder, 'read', 'alpha').text}"}
    running = start(folder, is_open=False)
    own = [call for call in CALLS if call.project == "alpha"]
    got = running.ask("GET", "/api/ai/usage/summary?period=all", headers=headers).json()
    assert got["total"]["calls"] == len(own)
    got = running.ask("GET", "/api/ai/usage/summary?period=all&project=beta", headers=headers).json()
    assert got["total"]["calls"] == 0
    got = running.ask("POST", "/api/v1/query", {"measures": ["calls"]}, headers).json()
    assert got["rows"] == [{"calls": len(own)}]
    got = running.ask("GET", "/api/v1/calls?limit=500", headers=headers).json()
    assert len(got["calls"]) == len(own)
    other = next(call for call in CALLS if call.project == "beta")
    assert running.ask("GET", f"/api/v1/calls/{other.call_id}", headers=headers).status == 404
    assert running.ask("GET", f"/api/v1/calls/{own[0].call_id}", headers=headers).status == 200


def test_tokens_of_a_chat_a_user_and_a_message_with_estimates_apart(server: Running) -> None:
    for number, cost in enumerate(({}, {"actual_cost": 0.25}, {"estimated_cost": 0.5, "model": "no-such-model"})):
        log = {**LOG, "chat_id": "c1", "user_id": "ada", "message_id": f"m{number}", **cost}
        assert server.post("/api/ai-usage", log).status == 201
    server.post("/api/ai-usage", {**LOG, "session_id": "c1", "user_id": "bob", "request_id": "other"})
    server.post("/api/ai-usage", {**LOG, "user_id": "ada", "request_id": "without a chat"})
    chat = told(server, "/api/token-usage?chatId=c1")
    assert (chat["messageCount"], chat["totalInputTokens"], chat["totalOutputTokens"]) == (4, 4800, 1200)
    assert (chat["totalTokens"], chat["currency"]) == (6000, "USD")
    assert chat["totalEstimatedCost"] == 0.5
    assert chat["totalActualCost"] == pytest.approx(0.25 + 2 * 0.006)
    assert chat["totalCost"] == pytest.approx(chat["totalEstimatedCost"] + chat["totalActualCost"])
    assert {one["messageId"] for one in chat["messages"]} >= {"m0", "m1", "m2"}
    user = told(server, "/api/token-usage?user_id=ada")
    assert user["messageCount"] == 4 and user["messages"] == []
    both = told(server, "/api/token-usage?userId=ada&chatId=c1")
    assert both["messageCount"] == 3
    one = told(server, "/api/token-usage?messageId=m2")
    assert (one["messageCount"], one["totalEstimatedCost"], one["totalActualCost"]) == (1, 0.5, 0)
    assert server.get("/api/token-usage?messageId=nothing").status == 404


def test_failures_of_tools_add_up_and_their_examples_are_calls(full: Running) -> None:
    found = told(full, f"/api/ai/usage/tools/failures?{SPAN}&top=100")
    assert found["failures"] == told(full, f"/api/ai/usage/tools?{SPAN}")["total"]["failures"] > 0
    assert sum(row["failures"] for row in found["rows"]) == found["failures"]
    for row in found["rows"]:
        for call_id in row["call_ids"]:
            tools = told(full, f"/api/v1/calls/{call_id}")["call"]["tool_calls"]
            assert row["tool"] in {one["name"] for one in tools}


def test_a_currency_without_rates_is_the_askers_mistake_and_no_failure_of_the_server(server: Running) -> None:
    reply = server.get("/api/ai/usage/summary?currency=EUR")
    assert (reply.status, reply.json()["error"]["field"]) == (400, "currency")
    assert server.get("/healthz").json()["ok"]
