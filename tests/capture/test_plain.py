"""A record by the short way is the record by the long way: the third call of a kind is compared with the first."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import tallybook
from tallybook.capture import plain, recorder
from tallybook.capture.observe import Observation
from tallybook.model.call import ToolCall
from tallybook.model.codec import encode_line, line_of
from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Parsed
from tallybook.providers.openai_chat import CHAT
from tallybook.testing import TemporaryLedger

PROMPT: list[Any] = [{"role": "user", "content": "How many moons has Mars?"}]
SAID = Parsed(
    usage=Usage(input_tokens=12, output_tokens=7, cache_read_tokens=0),
    usage_raw={"prompt_tokens": 12, "completion_tokens": 7},
    response_id="chatcmpl-1",
    response_model="gpt-4o-2024-08-06",
    service_tier="default",
    finish_reasons=("stop",),
    text="Two.",
)
USES = Parsed(
    usage=Usage(input_tokens=12, output_tokens=7),
    usage_raw={"prompt_tokens": 12, "completion_tokens": 7},
    response_id="chatcmpl-2",
    response_model="gpt-4o-2024-08-06",
    finish_reasons=("tool_calls",),
    tool_calls=(ToolCall(name='s\u00e4 "1"', id="c1", arguments="{}"), ToolCall(name="f", server_side=True)),
)
BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"content": "Two."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
    }
).encode()


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The lines that took the long way."""
    taken: list[Any] = []
    line = recorder.Recorder.line
    monkeypatch.setattr(recorder.Recorder, "line", lambda self, one: (taken.append(one), line(self, one))[1])
    return taken


def observed(prompt: Any = PROMPT, *, is_stream: bool = False, **asked: Any) -> Observation:
    given = Asked(model="gpt-4o", is_stream=is_stream, prompt=prompt, **asked)
    return Observation(recorder.get(), CHAT, given, "openai", None)


def lines(ledger: TemporaryLedger) -> list[dict[str, Any]]:
    found = [
        json.loads(line)
        for path in ledger.folder.rglob("telemetry*.jsonl")
        for line in path.read_text(encoding="utf-8").split("\n")
        if line
    ]
    return [{key: value for key, value in line.items() if key not in ("call_id", "timestamp")} for line in found]


def test_the_third_call_of_a_kind_is_filled_in_and_has_the_same_line(
    ledger: TemporaryLedger, long_ways: list[Any]
) -> None:
    for _ in range(4):
        observed(parameters={"temperature": 0.5}).finish(SAID, 1_234_567, ttft_us=1_500, http_status=200)
    first, second, third, fourth = lines(ledger)
    assert first == second == third == fourth
    assert len(long_ways) == 2
    calls = ledger.calls()
    assert len({call.call_id for call in calls}) == 4
    assert [call.started_at_us for call in calls] == sorted(call.started_at_us for call in calls)
    assert all(call.call_id and call.duration_us == 1_234_567 and call.ttft_us == 1_500 for call in calls)


def test_a_raw_body_gives_the_same_line_either_way(ledger: TemporaryLedger, long_ways: list[Any]) -> None:
    for _ in range(3):
        observed().succeed(BODY, 200)
    first, _, third = [{**line, "duration_ms": 0} for line in lines(ledger)]
    assert first == third
    assert len(long_ways) == 2


@pytest.mark.parametrize("text", [None, "", "Let me look."])
def test_an_answer_that_calls_tools_is_filled_in_with_its_own_calls(
    ledger: TemporaryLedger, long_ways: list[Any], text: str | None
) -> None:
    one = msgspec.structs.replace(USES, text=text)
    other = msgspec.structs.replace(one, tool_calls=(ToolCall(name="g", id="c3"),))
    for said in (one, one, other, one, SAID, SAID, SAID):
        observed().finish(said, 5)
    first, second, third, fourth, *_, last = lines(ledger)
    assert first == second == fourth
    assert first["tool_calls"] == [{"name": 's\u00e4 "1"', "id": "c1"}, {"name": "f", "server_side": True}]
    assert third == {**first, "tool_calls": [{"name": "g", "id": "c3"}]}
    assert ("response_chars" in first, first["response_hash"] is None) == (text is not None, text is None)
    assert "tool_calls" not in last
    assert len(long_ways) == 4


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"user": "ada", "session": "s-1", "agent": "finder", "project": "shop", "environment": "test"},
        {"feature": "search", "score": 0.5, "is_new": True, "none": None},
        {"user": '100 %s "quoted" \\ %d', "feature": "\u00e4\u2028\U0001f600"},
    ],
)
def test_what_the_context_says_is_in_both(
    ledger: TemporaryLedger, long_ways: list[Any], context: dict[str, Any]
) -> None:
    with tallybook.tag("a%", "b", **context), tallybook.run("a run"):
        for _ in range(3):
            observed().finish(SAID, 5)
    first, _, third = lines(ledger)
    assert first == third
    assert len(long_ways) == 2


def test_contexts_do_not_mix(ledger: TemporaryLedger) -> None:
    for _ in range(3):
        for user in ("ada", "bob"):
            with tallybook.tag(user=user):
                observed().finish(SAID, 5)
        observed().finish(SAID, 5)
    assert [line["user_id"] for line in lines(ledger)] == ["ada", "bob", None] * 3


def test_metadata_that_change_behind_our_back_are_as_they_are_at_each_call(ledger: TemporaryLedger) -> None:
    seen: list[int] = []
    with tallybook.tag(seen=seen):
        for number in range(4):
            seen.append(number)
            observed().finish(SAID, 5)
    assert [len(line["attributes"]["seen"]) for line in lines(ledger)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: setattr(one, "retries", 2),
        lambda one: setattr(one, "may_repeat", True),
        lambda one: setattr(one, "provider", "azure"),
        lambda one: setattr(one, "base_url", "example.org/v1"),
        lambda one: setattr(one, "is_stream", True),
        lambda one: setattr(one, "asked", Asked(model="other", prompt=PROMPT)),
        lambda one: setattr(one, "asked", Asked(model="gpt-4o", prompt=None)),
        lambda one: setattr(one, "asked", Asked(model="gpt-4o", prompt=PROMPT, quantities={"images": 1})),
        lambda one: setattr(one, "asked", Asked(model="gpt-4o", prompt="text", parameters={"n": 1})),
    ],
)
def test_a_call_that_differs_is_not_taken_for_the_same_kind(
    ledger: TemporaryLedger, change: Callable[[Observation], None]
) -> None:
    for _ in range(3):
        observed().finish(SAID, 5)
    for _ in range(3):
        one = observed()
        change(one)
        one.finish(SAID, 5)
    *_, usual, first, second, third = lines(ledger)
    assert first == second == third
    assert first != usual


@pytest.mark.parametrize(
    "changes",
    [
        {"response_model": "other"}, {"finish_reasons": ("length",)}, {"service_tier": None}, {"text": None},
        {"usage_raw": None}, {"response_id": None}, {"flags": ("odd",)}, {"cost_nanousd": 5}, {"text": "\ud83d"},
        {"usage": None}, {"is_complete": False}, {"error_type": "x", "error_message": "y"}, {"response_id": "\ud83d"},
        {"tool_calls": (ToolCall(name="f", error="broken"),)}, {"tool_calls": (ToolCall(name="f", duration_us=5),)},
        {"tool_calls": (ToolCall(name="\ud83d"),)}, {"text": None, "tool_calls": (ToolCall(name="f", error="broken"),)},
        {"usage": Usage(input_tokens=1, requests={"web_search": 1})}, {"usage_raw": {"long": "x" * 1_100_000}},
    ],
)  # fmt: skip
def test_an_answer_that_differs_is_not_taken_for_the_same_kind(
    ledger: TemporaryLedger, changes: dict[str, Any]
) -> None:
    for _ in range(3):
        observed().finish(SAID, 5)
    other = msgspec.structs.replace(SAID, **changes)
    for _ in range(3):
        observed().finish(other, 5)
    *_, usual, first, second, third = lines(ledger)
    assert first == second == third
    assert first != usual


def test_a_new_branch_is_seen_as_soon_as_it_is_looked_up(ledger: TemporaryLedger) -> None:
    pen = recorder.get()
    pen.place._looked_us = 1 << 62  # The branch of the place where the tests run does not matter.
    branches = []
    for branch in ("main", "main", "main", "topic", "topic", "topic"):
        pen.place._branch = branch
        pen.window = (0, "")  # Ten seconds later.
        observed().finish(SAID, 5)
        branches.append(branch)
    assert [line["metadata"]["git_branch"] for line in lines(ledger)] == branches


def test_a_text_that_looks_like_a_blank_has_no_form(ledger: TemporaryLedger, long_ways: list[Any]) -> None:
    with tallybook.tag(user=plain._TEXT, feature=plain._BARE):
        for _ in range(3):
            observed().finish(SAID, 5)
    assert [line["user_id"] for line in lines(ledger)] == [plain._TEXT] * 3
    assert len(long_ways) == 3


def test_where_bodies_are_kept_each_call_takes_the_long_way(ledger: TemporaryLedger, long_ways: list[Any]) -> None:
    recorder.configure(prompts="preview")
    for _ in range(3):
        observed().finish(SAID, 5)
    assert len(long_ways) == 3
    assert all(line["prompt_preview"] == PROMPT[0]["content"] for line in lines(ledger))


def test_forms_are_bounded(ledger: TemporaryLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_FORMS", 8)
    for number in range(50):
        with tallybook.tag(user=f"u-{number % 20}"):
            observed().finish(SAID, 5)
    assert len(recorder.get().forms) <= 8
    assert [line["user_id"] for line in lines(ledger)] == [f"u-{number % 20}" for number in range(50)]


def test_a_moment_is_told_to_the_microsecond_across_minutes_and_years(ledger: TemporaryLedger) -> None:
    moments = [1_767_225_599_999_999, 1_767_225_600_000_000, 1_767_225_600_000_001, 1_767_225_659_000_100,
               1_709_164_800_012_345, 1_767_225_609_999_999, 1_767_225_610_000_000]  # fmt: skip
    for moment in (1, 1, *moments):
        one = observed()
        one.started_us = moment
        one.finish(SAID, 5)
    assert sorted(call.started_at_us for call in ledger.calls())[2:] == sorted(moments)


def test_many_threads_get_whole_lines_and_ids_of_their_own(ledger: TemporaryLedger) -> None:
    def work() -> None:
        for _ in range(200):
            observed().finish(SAID, 5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({call.call_id for call in ledger.calls()}) == 800


def test_the_form_of_a_line_holds_all_but_the_blanks(ledger: TemporaryLedger, tmp_path: Path) -> None:
    observed(parameters={"seed": 1}).finish(SAID, 5, ttft_us=3)
    line = line_of(ledger.calls()[0])
    form = plain.form_of(line)
    assert form is not None
    text = encode_line(line).decode()
    position = 0
    for piece in form:
        position = text.index(piece, position) + len(piece)
    assert position == len(text)
