"""Questions and calls over HTTP: any slice, pages without gap or repeat, one call whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.contract.records import Book, random_calls
from tests.server.conftest import Running, Start
from tests.server.test_usage import told, write
from tests.server.test_usage_post import LOG

from tallybook.ingest.seal import seal
from tallybook.model.question import DIMENSIONS, MEASURES, TOOL_DIMENSIONS, TOOL_MEASURES, Filter, Question
from tallybook.query.plain import plain
from tallybook.store.open import open_store

CALLS = random_calls(21, 300)


@pytest.fixture
def full(start: Start, tmp_path: Path) -> Running:
    folder = tmp_path / "ledger"
    write(folder, CALLS[:200])
    seal(folder, Book())
    write(folder, CALLS[200:])
    return start(folder)


def asked(running: Running, body: Any) -> Any:
    reply = running.post("/api/v1/query", body)
    assert reply.status == 200, reply.body
    return reply.json()


def wanted(running: Running, question: Question) -> Any:
    store = open_store(running.context.settings)
    try:
        return [plain(row) for row in store.ask(question).dicts()]
    finally:
        store.close()


@pytest.mark.parametrize("name", [*DIMENSIONS, "metadata.customer"])
def test_every_measure_by_every_dimension_is_the_stores_answer(full: Running, name: str) -> None:
    body = {"measures": MEASURES, "dimensions": [name]}
    assert asked(full, body)["rows"] == wanted(full, Question(measures=MEASURES, dimensions=(name,)))


def test_parameters_and_a_body_say_the_same(full: Running) -> None:
    body = {
        "measures": ["calls", "duration_p95_us"], "dimensions": ["model"], "interval": "day",
        "timezone": "Europe/Berlin", "since": "2026-02-01", "until": "2026-02-05", "order": ["-calls", "model"],
        "limit": 5, "filters": [{"field": "provider", "op": "in", "value": ["openai"]},
                                {"field": "duration_us", "op": "gte", "value": 1000}],
    }  # fmt: skip
    path = (
        "/api/v1/query?measures=calls,duration_p95_us&by=model&interval=day&tz=Europe/Berlin&since=2026-02-01"
        "&until=2026-02-05&order=-calls,model&limit=5&filter=provider:in:openai&filter=duration_us:gte:1000"
    )
    got = told(full, path)
    assert got["rows"] == asked(full, body)["rows"] and len(got["rows"]) == 5 and got["is_cut"]
    assert got["columns"] == ["time", "model", "calls", "duration_p95_us"]
    short = asked(full, {"filters": {"provider": "openai"}})
    assert short["rows"] == told(full, "/api/v1/query?provider=openai")["rows"]


def test_tool_uses_can_be_asked_too(full: Running) -> None:
    for name in TOOL_DIMENSIONS:
        body = {"source": "tool_calls", "measures": TOOL_MEASURES, "dimensions": [name]}
        question = Question(source="tool_calls", measures=TOOL_MEASURES, dimensions=(name,))
        assert asked(full, body)["rows"] == wanted(full, question)


def test_coverage_is_over_all_calls_also_when_rows_are_cut(full: Running) -> None:
    got = asked(full, {"dimensions": ["model"], "limit": 1})
    (row,) = wanted(full, Question(measures=("calls", "priced_calls", "unpriced_calls", "estimated_calls")))
    assert got["coverage"] == row and got["is_cut"] and len(got["rows"]) == 1


def test_the_time_before_stands_beside(full: Running) -> None:
    got = told(full, "/api/v1/query?since=2026-02-03&until=2026-02-03&compare=previous&by=provider")
    day = told(full, "/api/v1/query?since=2026-02-02&until=2026-02-02&by=provider")
    assert got["previous"] == day["rows"] and got["compared_with"]["since"] == day["span"]["since"]


def test_every_group_that_is_told_has_its_figures_of_the_time_before(full: Running) -> None:
    """A group that was far behind then and is first now would look new otherwise."""
    day = "/api/v1/query?by=user_id&measures=calls,errors&order=-calls,user_id"
    before = {row["user_id"]: row for row in told(full, f"{day}&since=2026-02-02&until=2026-02-02")["rows"]}
    for limit in (1, 2, 3):
        got = told(full, f"{day}&since=2026-02-03&until=2026-02-03&compare=previous&limit={limit}")
        now = [row["user_id"] for row in got["rows"]]
        assert len(now) == limit
        then = {row["user_id"]: row for row in got["previous"]}
        assert {name: then.get(name) for name in now} == {name: before.get(name) for name in now}
        assert got["previous"][:limit] == list(before.values())[:limit]
        assert len(then) <= 2 * limit


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"measures": ["cost"]}, ["unknown measure 'cost'"]),
        ({"dimensions": ["modell"]}, ["modell", "model"]),
        ({"filters": [{"field": "projct", "value": "x"}]}, ["projct", "project"]),
        ({"filters": [{"field": "project", "op": "like", "value": "x"}]}, ["like"]),
        ({"interval": "minute"}, ["interval"]),
        ({"order": ["nothing"]}, ["nothing", "calls"]),
        ({"limit": 10**9}, ["limit"]),
        ({"colour": 1}, ["colour"]),
        ({"dimensions": ["model"] * 3 + [f"metadata.{n}" for n in range(9)]}, ["8 dimensions"]),
        ({"filters": {"duration_us": "long"}}, ["duration_us", "long"]),
        ({"since": "tomorrow or so"}, ["tomorrow"]),
        ({"days": 0}, ["0 days"]),
        ({"period": "yeer"}, ["yeer", "week"]),
        ([], ["object"]),
        (b"{", ["JSON"]),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(server: Running, body: Any, words: list[str]) -> None:
    reply = server.post("/api/v1/query", body)
    assert reply.status == 400
    error = reply.json()["error"]
    assert all(word in f"{error['message']} {error['hint']}" for word in words), error


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_pages_follow_each_other_without_gap_or_repeat(full: Running, sort: str) -> None:
    store = open_store(full.context.settings)
    ids = [call.call_id for call in store.calls(limit=10_000, oldest_first=sort == "oldest")]
    store.close()
    got: list[str] = []
    path = f"/api/v1/calls?sort={sort}&limit=37"
    page = told(full, path)
    while True:
        got += [call["call_id"] for call in page["calls"]]
        if page["next"] is None:
            break
        assert len(page["calls"]) == 37
        page = told(full, f"{path}&cursor={page['next']}")
    assert got == ids


def test_calls_are_filtered_as_everywhere(full: Running) -> None:
    store = open_store(full.context.settings)
    filters = (Filter("provider", "eq", "openai"), Filter("duration_us", "gte", 40_000_000))
    ids = [call.call_id for call in store.calls(filters, limit=500)]
    store.close()
    page = told(full, "/api/v1/calls?provider=openai&slower=40&limit=500")
    assert [call["call_id"] for call in page["calls"]] == ids


def test_a_cursor_that_is_none_is_refused(full: Running) -> None:
    page = told(full, "/api/v1/calls?limit=5")
    assert full.get("/api/v1/calls?cursor=abc").status == 400
    assert full.get("/api/v1/calls?cursor=%ff%00").status == 400
    assert full.get(f"/api/v1/calls?sort=oldest&cursor={page['next']}").status == 400
    assert full.get("/api/v1/calls?limit=0").status == 400
    assert full.get("/api/v1/calls?slower=nan").status == 400


def test_one_call_is_told_whole_with_its_cost_by_part_and_its_body(server: Running) -> None:
    made = server.post("/api/ai-usage", {**LOG, "prompt": "why?", "response": "because"}).json()
    got = told(server, f"/api/v1/calls/{made['id']}")
    assert got["call"]["call_id"] == made["id"]
    assert got["call"]["cost"]["input_nanousd"] + got["call"]["cost"]["output_nanousd"] == got["call"]["cost_nanousd"]
    assert got["call"]["tool_calls"][0]["name"] == "search"
    assert "body" in got
    assert told(server, f"/api/v1/calls/{made['id'][:20]}")["call"]["call_id"] == made["id"]
    assert server.get("/api/v1/calls/01990000-0000-7000-8000-000000000000").status == 404
