"""Lines of calls that began."""

from __future__ import annotations

import pytest

from tallybook.model.call import Call
from tallybook.model.errors import InputError
from tallybook.model.started import Started, decode_started, encode_started

CALL = Call(
    call_id="c", started_at_us=1_767_268_800_123_456, operation="chat", name="ideas", provider="openai", model="gpt-4o",
    run_id="r", parent_id="p", project="shop", environment="prod", user_id="u", session_id="s", agent_name="a",
    tags=("x",), is_stream=True,
)  # fmt: skip


def test_what_is_known_of_a_call_that_began_comes_back() -> None:
    line = encode_started(CALL, "w1")
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode_started(line) == Started(CALL, "w1")


def test_a_call_is_withdrawn_by_a_further_line() -> None:
    assert decode_started(encode_started(CALL, "w1", is_withdrawn=True)).is_withdrawn


def test_another_line_is_refused() -> None:
    with pytest.raises(InputError, match="not a line of a started call"):
        decode_started(b'{"v":1,"timestamp":"2026-11-22T00:00:00Z"}')
