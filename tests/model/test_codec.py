"""Lines of the journal: what is written comes back equal, and what others wrote is read as far as it goes."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.model.call import OPERATIONS, Call, Cost, Step, ToolCall
from tallybook.model.codec import decode, decode_step, encode, encode_step, from_dict, time_of, to_dict, unix_us_of
from tallybook.model.errors import InputError
from tallybook.model.usage import TOKEN_FIELDS, Usage

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
maybe = st.none() | text
count = st.none() | st.integers(0, 2**53)
moment = st.integers(0, 253_402_300_799_999_999)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(text, values, max_size=4)
durations = st.none() | st.integers(0, 10**13)
tools = st.builds(
    ToolCall, name=text, id=maybe, arguments=maybe, result=maybe, duration_us=durations, error=maybe,
    server_side=st.booleans(),
)  # fmt: skip
usage = st.builds(
    Usage,
    **dict.fromkeys(TOKEN_FIELDS, count),
    requests=st.dictionaries(text, st.integers(0, 99), max_size=2),
    quantities=st.dictionaries(text, st.integers(0, 10**9), max_size=2),
)
stated = st.builds(lambda amount: Cost(status="reported", total_nanousd=amount), st.integers(0, 10**14))
calls = st.builds(
    Call,
    call_id=text, started_at_us=moment, operation=st.sampled_from(OPERATIONS) | text, name=maybe,
    provider=text.filter(bool), model=maybe, response_model=maybe, response_id=maybe, run_id=maybe, parent_id=maybe,
    duration_us=durations, ttft_us=durations, usage=usage, usage_raw=values, cost=st.none() | stated,
    tool_calls=st.lists(tools, max_size=2).map(tuple), finish_reasons=st.lists(text, max_size=2).map(tuple),
    status=st.sampled_from(["ok", "error", "cancelled", "incomplete"]), error_type=maybe, error_message=maybe,
    http_status=count, project=maybe, environment=maybe, user_id=maybe, session_id=maybe, agent_name=maybe,
    tags=st.lists(text, max_size=3).map(tuple), metadata=objects, git_branch=maybe, service_tier=maybe, base_url=maybe,
    is_stream=st.booleans(), is_batch=st.booleans(), may_repeat=st.booleans(), retries=st.integers(0, 9), source=text,
    prompt_hash=maybe, response_hash=maybe, parameters=objects, prompt_chars=count, response_chars=count,
    prompt_preview=maybe, response_preview=maybe, flags=st.lists(text, max_size=2).map(tuple),
)  # fmt: skip
steps = st.builds(
    Step,
    step_id=text, started_at_us=moment, kind=text, name=text, run_id=maybe, parent_id=maybe, duration_us=durations,
    status=st.sampled_from(["ok", "error", "cancelled", "incomplete"]), error_message=maybe, tool_call_id=maybe,
    input_preview=maybe, output_preview=maybe, metadata=objects,
)  # fmt: skip

EXAMPLE = """{
  "timestamp": "2025-01-27T10:30:45.123Z",
  "agent_name": "doc-finder",
  "operation": "search",
  "model": "claude-3-5-haiku",
  "session_id": "abc123",
  "user_id": "chadwalters",
  "duration_ms": 1234,
  "tokens": {"input": 500, "output": 200, "total": 700},
  "cost_usd": 0.0025,
  "success": true,
  "prompt_hash": "sha256:abc...",
  "response_hash": "sha256:def...",
  "metadata": {"project": "spacewalker", "git_branch": "main", "error": null}
}"""
START = {"timestamp": "2025-01-27T10:30:45.123Z"}


@given(calls)
@QUICK
def test_a_call_comes_back_equal_from_its_line(call: Call) -> None:
    line = encode(call)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode(line) == call


@given(steps)
@QUICK
def test_a_step_comes_back_equal_from_its_line(step: Step) -> None:
    line = encode_step(step)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode_step(line) == step


@given(calls.filter(lambda call: not {"project", "git_branch", "error"} & set(call.metadata)))
@QUICK
def test_a_call_comes_back_equal_from_its_object(call: Call) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(call)))) == call


@given(moment)
def test_a_time_is_exact_to_the_microsecond(unix_us: int) -> None:
    assert unix_us_of(time_of(unix_us)) == unix_us


def test_a_time_in_another_zone_is_the_same_moment_and_one_without_a_zone_is_utc() -> None:
    moment_utc = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert unix_us_of(moment_utc.astimezone(timezone(timedelta(hours=5, minutes=45)))) == unix_us_of(moment_utc)
    assert unix_us_of(datetime(2026, 11, 22, 12)) == unix_us_of(moment_utc)


def test_the_seeds_example_is_read_and_the_first_keys_of_a_line_are_the_seeds() -> None:
    call = decode(EXAMPLE.encode())
    assert call == Call(
        call_id="",
        started_at_us=1_737_973_845_123_000,
        agent_name="doc-finder",
        operation="search",
        model="claude-3-5-haiku",
        session_id="abc123",
        user_id="chadwalters",
        duration_us=1_234_000,
        usage=Usage(input_tokens=500, output_tokens=200),
        cost=Cost(status="reported", total_nanousd=2_500_000),
        prompt_hash="sha256:abc...",
        response_hash="sha256:def...",
        project="spacewalker",
        git_branch="main",
    )
    line = json.loads(encode(call))
    assert [key for key in line if key in json.loads(EXAMPLE)] == list(json.loads(EXAMPLE))
    assert {key: line[key] for key in json.loads(EXAMPLE)} == {
        **json.loads(EXAMPLE),
        "timestamp": "2025-01-27T10:30:45.123000Z",
    }


@pytest.mark.parametrize("key", [key for key in json.loads(EXAMPLE) if key != "timestamp"])
def test_any_key_but_the_time_may_be_missing(key: str) -> None:
    data = json.loads(EXAMPLE)
    del data[key]
    assert decode(json.dumps(data).encode()).started_at_us == 1_737_973_845_123_000


def test_a_line_of_a_time_alone_is_a_call_of_which_nothing_else_is_known() -> None:
    assert from_dict(START) == Call(call_id="", started_at_us=1_737_973_845_123_000)


def test_unknown_keys_are_passed_over_and_those_in_metadata_are_the_applications_own() -> None:
    data = json.loads(EXAMPLE) | {"from_the_future": {"a": [1]}, "attributes": {"b": 2}}
    data["tokens"]["imagined"] = 3
    data["metadata"]["team"] = "search"
    assert decode(json.dumps(data).encode()).metadata == {"team": "search", "b": 2}


@pytest.mark.parametrize(
    ("given_", "status"),
    [
        ({"success": False}, "error"),
        ({"success": True}, "ok"),
        ({"metadata": {"error": "boom"}}, "error"),
        ({"error_type": "rate_limit"}, "error"),
        ({"status": "cancelled", "success": False}, "cancelled"),
        ({"status": "incomplete"}, "incomplete"),
        ({}, "ok"),
    ],
)
def test_the_status_follows_from_what_is_told(given_: dict[str, Any], status: str) -> None:
    assert from_dict({**START, **given_}).status == status


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"tokens": {"input": "many"}}, "tokens.input"),
        ({"tokens": [1, 2]}, "tokens"),
        ({"metadata": 5}, "metadata"),
        ({"attributes": "x"}, "attributes"),
        ({"tool_calls": [{"id": "1"}]}, "tool_calls"),
        ({"duration_ms": {}}, "duration_ms"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told.replace(".", r"\.")):
        from_dict({**START, **wrong})
    with pytest.raises(InputError, match=told.replace(".", r"\.")):
        decode(json.dumps({**START, **wrong}).encode())


def test_a_missing_time_is_named() -> None:
    with pytest.raises(InputError, match="timestamp"):
        from_dict({"model": "gpt-4o"})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{",
        b"[]",
        b"3",
        b"null",
        b'"text"',
        b"\x00\x00",
        b"\xff\xfe",
        b"[" * 200_000,
        EXAMPLE[:200].encode(),
    ],
    ids=lambda line: repr(line[:8]),
)
def test_what_is_no_line_is_an_input_error_and_no_other(line: bytes) -> None:
    with pytest.raises(InputError):
        decode(line)
    with pytest.raises(InputError):
        decode_step(line)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_figure_that_is_no_number_is_an_input_error(value: float) -> None:
    for key in ("cost_usd", "duration_ms"):
        with pytest.raises(InputError):
            from_dict({**START, key: value})


def test_a_record_must_be_an_object() -> None:
    with pytest.raises(InputError, match="must be an object, not list"):
        from_dict([])


def test_numbers_as_texts_are_read_since_hand_written_lines_have_them() -> None:
    assert from_dict({**START, "tokens": {"input": "500"}, "duration_ms": "12.5"}).duration_us == 12_500
