"""Claude Code's transcripts: each response once, with what was billed, and a mark where that is not told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.ingest.importers.base import Content, Read
from tallybook.ingest.importers.claude_code import ClaudeCode

from .lines import SESSION, answer, data, message, result, row, tool, usage

PATH = Path("11111111-2222-4333-8444-555555555555.jsonl")


def read(content: bytes, path: Path = PATH, **keys: object) -> Read:
    told = {"is_end": True, "is_settled": True, **keys}
    return ClaudeCode().read(path, content, 0, None, **told)  # type: ignore[arg-type]


def test_the_lines_of_a_response_are_one_call_with_the_greatest_output() -> None:
    lines = data(
        answer(blocks=[{"type": "text", "text": "Let me look."}], usage=usage(2)),
        answer(blocks=[tool()], usage=usage(184)),
        result("toolu_1"),
    )
    (call,) = read(lines).calls
    assert (call.usage.output_tokens, call.usage.input_tokens) == (184, 5102)
    assert (call.usage.cache_read_tokens, call.usage.cache_write_5m_tokens, call.usage.cache_write_1h_tokens) == (
        5000, 40, 60,
    )  # fmt: skip
    assert [use.name for use in call.tool_calls] == ["Bash"] and call.response_id == "msg_1"
    assert (call.project, call.git_branch, call.session_id, call.agent_name) == (
        "atlas", "main", SESSION, "claude-code",
    )  # fmt: skip
    assert call.flags == () and call.source == "import:claude-code" and call.prompt_preview is None


def test_a_smaller_figure_that_comes_later_does_not_count() -> None:
    (call,) = read(data(answer(usage=usage(184)), answer(usage=usage(3)))).calls
    assert call.usage.output_tokens == 184


def test_the_same_response_has_the_same_id_in_every_file_and_at_every_import() -> None:
    one = read(data(answer())).calls[0]
    two = read(data(row(type="user", message={"role": "user", "content": "hi"}), answer()), Path("copy.jsonl")).calls[0]
    assert one.call_id == two.call_id


def test_a_failed_tool_is_marked_whatever_line_tells_it() -> None:
    (call,) = read(data(answer(blocks=[tool("a"), tool("b")]), result("a"), result("b", is_error=True))).calls
    assert [use.error for use in call.tool_calls] == [None, "error"]


def test_an_output_that_cannot_be_true_is_estimated_and_said_to_be() -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 20
    (call,) = read(data(answer(blocks=[{"type": "text", "text": text}], usage=usage(3), version="2.1.17"))).calls
    assert call.usage.output_tokens is not None and 150 < call.usage.output_tokens < 300
    assert set(call.flags) == {"usage_estimated", "output_placeholder"}
    assert isinstance(call.usage_raw, object) and b'"output_tokens":3' in bytes(call.usage_raw)


def test_a_subagent_in_progress_lines_becomes_a_step_with_its_calls_below() -> None:
    inner = {"type": "assistant", "timestamp": "2026-02-09T07:36:27.496Z", "requestId": "req_9"}
    progress = row(
        type="progress",
        data={"type": "agent_progress", "agentId": "a1f8104", "message": {**inner, "message": message("msg_9")}},
        parentToolUseID="toolu_1",
    )
    asked = {**tool(name="Task"), "input": {"subagent_type": "Explore", "prompt": "look"}}
    got = read(data(answer(blocks=[asked]), progress, progress, result("toolu_1")))
    main, below = got.calls
    (step,) = got.steps
    assert main.parent_id is None and below.parent_id == step.step_id and below.run_id == SESSION
    assert (step.kind, step.name, step.tool_call_id, step.run_id) == ("agent", "Explore", "toolu_1", SESSION)
    assert step.metadata == {"agent_id": "a1f8104"}
    again = ClaudeCode().read(PATH, data(progress), 0, got.state, is_end=True, is_settled=True)
    assert again.steps == []


def test_a_subagent_with_a_file_of_its_own_is_a_step_of_the_session() -> None:
    got = read(data(answer(isSidechain=True, agentId="a9")), Path("agent-a9.jsonl"))
    assert got.steps[0].run_id == SESSION and got.calls[0].parent_id == got.steps[0].step_id


def test_the_tools_own_words_are_no_call_but_a_failed_request_is_one() -> None:
    said = answer("x1", None, model="<synthetic>", blocks=[{"type": "text", "text": "No response requested."}])
    text = 'API Error: 529 {"type":"error","error":{"type":"overloaded_error"}}'
    failed = answer("x2", None, model="<synthetic>", blocks=[{"type": "text", "text": text}], isApiErrorMessage=True)
    tries = [row(type="system", subtype="api_error")] * 2
    (call,) = read(data(said, *tries, failed)).calls
    assert (call.status, call.http_status, call.retries, call.usage.input_tokens) == ("error", 529, 2, None)


def test_fast_mode_geography_and_server_tools_bear_on_the_price() -> None:
    told = usage(speed="fast", inference_geo="us", server_tool_use={"web_search_requests": 2})
    (call,) = read(data(answer(usage=told))).calls
    assert call.service_tier == "fast" and call.flags == ("inference_geo:us",)
    assert call.usage.requests == {"web_search": 2}


def test_compaction_inside_a_response_is_billed_with_it() -> None:
    told = usage(iterations=[{"type": "compaction", "input_tokens": 1000, "output_tokens": 50},
                             {"type": "message", "input_tokens": 2, "output_tokens": 184}])  # fmt: skip
    (call,) = read(data(answer(usage=told))).calls
    assert (call.usage.input_tokens, call.usage.output_tokens) == (6102, 234)


def test_an_odd_line_costs_no_other_line() -> None:
    odd = ["[1]", "42", '"text"', "{bad", '{"type":"assistant","message":{"usage":[],"content":7}}', "", "null"]
    got = read(data(answer(), *odd, answer("msg_2", "req_2")))
    assert len(got.calls) == 2 and got.bad == 2


def test_a_response_that_may_go_on_is_marked_and_read_again() -> None:
    first = data(answer(usage=usage(2)))
    whole = first + data(answer(usage=usage(184)), answer("msg_2", "req_2"))
    got = read(first, is_settled=False)
    assert [call.may_repeat for call in got.calls] == [True] and got.offset == 0
    later = ClaudeCode().read(PATH, whole, got.offset, got.state, is_end=True, is_settled=True)
    assert [(call.usage.output_tokens, call.may_repeat) for call in later.calls] == [(184, False), (184, False)]
    assert later.calls[0].call_id == got.calls[0].call_id and later.offset == len(whole)


def test_a_torn_last_line_waits_for_its_end() -> None:
    whole = data(answer(), answer("msg_2", "req_2"))
    got = read(whole[:-20])
    assert len(got.calls) == 1 and got.offset == whole.index(b"\n") + 1
    assert len(read(whole[:-1]).calls) == 2


@given(st.integers(0, 3), st.data())
def test_cutting_a_file_anywhere_gives_each_response_once(blank: int, draw: st.DataObject) -> None:
    lines = [answer(f"msg_{number}", f"req_{number}", usage=usage(output)) for number in range(4) for output in (2, 99)]
    whole = ("\n" * (blank + 1)).join(lines).encode() + b"\n"
    cut = draw.draw(st.integers(0, len(whole)))
    first = ClaudeCode().read(PATH, whole[:cut], 0, None, is_end=False, is_settled=False)
    rest = ClaudeCode().read(PATH, whole[first.offset :], first.offset, first.state, is_end=True, is_settled=True)
    calls = [*first.calls, *rest.calls]
    assert [call.usage.output_tokens for call in calls] == [99] * 4
    assert len({call.call_id for call in calls}) == 4 and rest.offset == len(whole)


def test_worktrees_belong_to_their_repository() -> None:
    (call,) = read(data(answer(cwd="/srv/ada/src/atlas/.worktrees/2"))).calls
    assert call.project == "atlas"


@pytest.mark.parametrize(("ident", "model", "provider"), [
    ("msg_bdrk_1", "claude-opus-4-5-20251101", "aws"), ("msg_1", "glm-4.6", "zai"), ("msg_1", "own", "anthropic"),
])  # fmt: skip
def test_who_answered_is_told_by_the_id_or_the_model(ident: str, model: str, provider: str) -> None:
    (call,) = read(data(answer(ident, model=model))).calls
    assert call.provider == provider


def test_texts_are_kept_only_when_asked_for() -> None:
    lines = data(answer(blocks=[{"type": "text", "text": "secret plan"}, tool()]))
    kept = ClaudeCode(Content("full", lambda text: text.replace("secret", "[…]")))
    (plain,) = read(lines).calls
    (call,) = kept.read(PATH, lines, 0, None, is_end=True, is_settled=True).calls
    assert plain.response_preview is None and plain.tool_calls[0].arguments is None
    assert plain.response_hash == call.response_hash and plain.response_chars == 11
    assert call.response_preview == "[…] plan" and json.loads(call.tool_calls[0].arguments or "") == {"command": "ls"}


KEYS = ("type", "message", "usage", "content", "id", "data", "timestamp", "output_tokens", "cache_creation")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    )
)
def test_no_line_makes_it_raise(value: object) -> None:
    read(json.dumps(value).encode() + b"\n" + data(answer()))
