from __future__ import annotations

from typing import Any

from providers.framing import body, fed, lines, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.xai_grpc import COMPLETION, parse, usage_of

USAGE = {
    "completion_tokens": 31, "prompt_tokens": 1718, "total_tokens": 1849, "reasoning_tokens": 100,
    "prompt_text_tokens": 1718, "cached_prompt_text_tokens": 1037, "cost_in_usd_ticks": "5456000",
    "server_side_tools_used": ["SERVER_SIDE_TOOL_CODE_EXECUTION", "SERVER_SIDE_TOOL_WEB_SEARCH",
                               "SERVER_SIDE_TOOL_WEB_SEARCH"],
}  # fmt: skip
TOOL = {"id": "c1", "type": "TOOL_CALL_TYPE_CODE_EXECUTION_TOOL",
        "function": {"name": "code_execution", "arguments": '{"code":"2+2"}'}}  # fmt: skip
WHOLE = {
    "id": "x1", "model": "grok-4",
    "outputs": [
        {"finish_reason": "REASON_TOOL_CALLS", "message": {"role": "ROLE_ASSISTANT", "tool_calls": [TOOL]}},
        {"index": 1, "message": {"role": "ROLE_TOOL", "content": "4", "tool_calls": [TOOL]}},
        {"index": 2, "finish_reason": "REASON_STOP", "message": {"role": "ROLE_ASSISTANT", "content": "Four."}},
    ],
    "usage": USAGE,
}  # fmt: skip
EVENTS: list[dict[str, Any]] = [
    {"id": "x1", "model": "grok-4", "outputs": [{"delta": {"role": "ROLE_ASSISTANT", "tool_calls": [TOOL]}}],
     "usage": {"completion_tokens": 30, "prompt_tokens": 826, "total_tokens": 856}},
    {"id": "x1", "outputs": [{"delta": {"role": "ROLE_ASSISTANT"}, "finish_reason": "REASON_TOOL_CALLS"}]},
    {"id": "x1", "outputs": [{"index": 1, "delta": {"role": "ROLE_TOOL", "content": "4"}}], "usage": {}},
    {"id": "x1", "outputs": [{"index": 2, "delta": {"role": "ROLE_ASSISTANT", "content": "Fo"}}], "usage": USAGE},
    {"id": "x1", "outputs": [{"index": 2, "delta": {"content": "ur."}}], "usage": USAGE},
    {"id": "x1", "outputs": [{"index": 2, "delta": {}, "finish_reason": "REASON_STOP"}], "usage": USAGE},
]  # fmt: skip


def test_reasoning_is_output_beside_the_completion_and_ticks_are_cost() -> None:
    got = parse(body(WHOLE))
    assert got.usage == Usage(
        input_tokens=1718, output_tokens=131, cache_read_tokens=1037, reasoning_tokens=100,
        requests={"code_execution": 1, "web_search": 2},
    )  # fmt: skip
    assert got.usage.total_tokens == USAGE["total_tokens"]
    assert got.cost_nanousd == 545_600


def test_a_stream_of_messages_counts_as_the_whole_completion() -> None:
    whole = parse(body(WHOLE))
    assert (whole.text, whole.finish_reasons) == ("Four.", ("REASON_STOP",))
    assert whole.tool_calls == (ToolCall(name="code_execution", id="c1", arguments='{"code":"2+2"}', server_side=True),)
    assert streamed(COMPLETION, lines(EVENTS)) == whole
    assert fed(COMPLETION, EVENTS) == whole
    assert parse(lines(EVENTS)) == whole


def test_a_stream_that_breaks_off_has_the_usage_so_far() -> None:
    got = fed(COMPLETION, EVENTS[:3])
    assert got.usage == Usage(input_tokens=826, output_tokens=30)
    assert not fed(COMPLETION, EVENTS[:5]).is_complete


def test_more_cached_than_asked_is_cut_and_flagged() -> None:
    usage, flags, _ = usage_of({"prompt_tokens": 2975, "completion_tokens": 9, "cached_prompt_text_tokens": 4000})
    assert (usage.cache_read_tokens, flags) == (2975, ("parts_exceed_input",))


def test_a_callers_tool_is_not_the_hosts() -> None:
    call = {**TOOL, "type": "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL"}
    got = parse(body({"outputs": [{"message": {"role": "ROLE_ASSISTANT", "tool_calls": [call]}}]}))
    assert [tool.server_side for tool in got.tool_calls] == [False]
