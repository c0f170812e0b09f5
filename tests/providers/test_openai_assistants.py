from __future__ import annotations

from typing import Any

from providers.framing import body, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.openai_assistants import RUN, parse

USAGE = {
    "prompt_tokens": 381,
    "completion_tokens": 88,
    "total_tokens": 469,
    "prompt_token_details": {"cached_tokens": 128},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def _run(**changes: Any) -> dict[str, Any]:
    return {"id": "run_1", "object": "thread.run", "status": "completed", "model": "gpt-4o", "usage": USAGE, **changes}


def test_a_finished_run_tells_its_usage() -> None:
    got = parse(body(_run()))
    assert got.usage == Usage(input_tokens=381, output_tokens=88, cache_read_tokens=128, reasoning_tokens=5)
    assert (got.response_id, got.response_model, got.is_complete) == ("run_1", "gpt-4o", True)


def test_a_run_under_way_counts_nothing_and_is_not_complete() -> None:
    for status in ("queued", "in_progress", "requires_action"):
        got = parse(body(_run(status=status, usage=None)))
        assert (got.usage, got.is_complete, got.flags) == (None, False, ())


def test_tools_that_the_caller_is_to_run_are_told() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "sql", "arguments": "{}"}}
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
    got = parse(body(_run(status="requires_action", usage=None, required_action=action)))
    assert got.tool_calls == (ToolCall(name="sql", id="c1", arguments="{}"),)


def test_a_failed_run_tells_why() -> None:
    got = parse(body(_run(status="failed", last_error={"code": "rate_limit_exceeded", "message": "Slow."}, usage=None)))
    assert (got.error_type, got.error_message) == ("rate_limit_exceeded", "Slow.")


def test_a_streams_steps_are_not_counted_beside_the_run() -> None:
    details = {"type": "tool_calls", "tool_calls": [{"id": "t", "type": "code_interpreter"}]}
    step = {"id": "step_1", "object": "thread.run.step", "usage": USAGE, "step_details": details}
    delta = {"id": "m", "object": "thread.message.delta",
             "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "Hi"}}]}}  # fmt: skip
    events: list[dict[str, Any]] = [_run(status="queued", usage=None), step, delta, _run()]
    raw = b"".join(b"event: thread.x\ndata: " + body(event) + b"\n\n" for event in events)
    got = streamed(RUN, raw + b"event: done\ndata: [DONE]\n\n")
    assert got.usage == parse(body(_run())).usage
    assert (got.text, got.is_complete) == ("Hi", True)
    assert got.tool_calls == (ToolCall(name="code_execution", id="t", server_side=True),)
    assert not streamed(RUN, raw[: raw.rindex(b"event:")]).is_complete
