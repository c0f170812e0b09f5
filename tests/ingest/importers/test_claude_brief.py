"""Reading for figures alone comes to the sums that reading everything comes to, and passes the usual by quickly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tallybook.ingest.importers.base import Content
from tallybook.ingest.importers.claude_code import ClaudeCode
from tallybook.ingest.importers.portion import Job, Source, Worker
from tallybook.ingest.importers.sums import Sum
from tallybook.prices.book import PriceBook

from .lines import answer, data, message, result, row, tool, usage

BOOK = PriceBook(None)
LONG = [{"type": "text", "text": "“words” " * 60}]


def sums(path: Path, is_dry: bool, since_us: int | None = None) -> tuple[list[Sum], int, dict[str, int]]:
    """What a dry run, or one that keeps calls, says of a file."""
    status = path.stat()
    worker = Worker(Job(None, BOOK, Content(), since_us, status.st_mtime_ns + 10**15, is_kept=not is_dry))
    got = worker.read([Source("claude-code", str(path), status.st_size, status.st_mtime_ns, None)])
    return sorted(got.sums, key=lambda one: (one.run_id or "", one.model or "")), got.repeated, got.bad


def subagent(ident: str, output: int) -> str:
    inner = {"type": "assistant", "timestamp": "2026-02-09T07:40:00Z", "requestId": "req_s", "message": message(ident)}
    inner["message"]["usage"] = usage(output)  # type: ignore[index]
    return row(type="progress", data={"type": "agent_progress", "agentId": "a1", "message": inner})


@st.composite
def lines(draw: st.DrawFn) -> str:
    ident = f"msg_{draw(st.integers(1, 5))}"
    request = draw(st.sampled_from(("req_1", "req_1", "req_2", None)))
    output = draw(st.integers(0, 400))
    other: dict[str, Any] = draw(
        st.sampled_from((
            {}, {}, {}, {"speed": "fast"}, {"server_tool_use": {"web_search_requests": 2}}, {"inference_geo": "us"},
            {"cache_creation": None}, {"service_tier": None}, {"iterations": []}, {"input_tokens": -1},
        ))
    )  # fmt: skip
    model = draw(st.sampled_from(("claude-opus-4-5-20251101", "claude-sonnet-4-5", "<synthetic>", "no-such-model")))
    kind = draw(st.integers(0, 15))
    if kind == 0:
        return subagent(ident, output)
    if kind == 1:
        return result("toolu_1", is_error=True)
    if kind == 2:
        return row(type="user", message={"role": "user", "content": "x"}, toolUseResult={"usage": usage(7)})
    if kind == 3:
        return answer(ident, request, model="<synthetic>", isApiErrorMessage=True)
    if kind == 4:
        return draw(st.sampled_from(("no json", '{"usage": {}}', '{"type":"assistant","message":{"usage":"x"}}', "")))
    if kind == 5:
        return row(type="progress", data={"type": "hook_progress", "usage": 1})
    blocks = draw(st.sampled_from(((), LONG, [tool()], [{"type": "thinking", "thinking": "a" * 90, "signature": "b"}])))
    agent = draw(st.sampled_from(({}, {"agentId": "a2"}, {"cwd": "/srv/atlas/.worktrees/x"}, {"sessionId": "s2"})))
    return answer(ident, request, blocks=blocks, usage=usage(output, **other), model=model, **agent)


@settings(deadline=None, max_examples=150)
@given(found=st.lists(lines(), max_size=10), since_us=st.sampled_from((None, 1_770_623_000_000_000)))
def test_a_dry_run_comes_to_the_sums_of_an_import(
    tmp_path_factory: Any, found: list[str], since_us: int | None
) -> None:
    path = tmp_path_factory.mktemp("transcripts") / "session.jsonl"
    path.write_bytes(data(*found))
    dry, repeated, bad = sums(path, True, since_us)
    kept, repeated_kept, bad_kept = sums(path, False, since_us)
    assert dry == kept and repeated == repeated_kept
    # Lines that cannot hold figures are not looked at.
    assert set(bad) <= set(bad_kept)


def test_recorded_transcripts_have_the_same_sums_either_way(corpus: Path) -> None:
    files = [*corpus.glob("agents/claude*/**/*.jsonl"), *corpus.glob("agents/synthetic-ccusage/*claude*.jsonl")]
    assert files
    for path in files:
        assert sums(path, True)[:2] == sums(path, False)[:2], path


def test_usual_responses_are_taken_without_a_call() -> None:
    content = data(answer(usage=usage(2)), answer(blocks=[tool()], usage=usage(184)), result("toolu_1"))
    got = ClaudeCode().brief(Path("s.jsonl"), content, 0, is_end=True)
    assert got is not None and got.odd == b"" and got.offset == len(content)
    (one,) = got.plain
    assert (one.ident, one.usage.output_tokens, one.usage.input_tokens) == ("msg_1", 184, 5102)


def test_an_output_that_cannot_be_is_left_to_the_estimate() -> None:
    content = data(answer(), answer("msg_2", "req_2", blocks=LONG, usage=usage(2)))
    got = ClaudeCode().brief(Path("s.jsonl"), content, 0, is_end=True)
    assert got is not None and [one.ident for one in got.plain] == ["msg_1"]
    assert [json.loads(line)["message"]["id"] for line in got.odd.splitlines()] == ["msg_2"]


def test_a_response_that_may_go_on_is_read_again() -> None:
    content = data(answer(), answer("msg_2", "req_2"))
    got = ClaudeCode().brief(Path("s.jsonl"), content, 100, is_end=False)
    assert got is not None and [one.ident for one in got.plain] == ["msg_1"]
    assert got.offset == 100 + len(data(answer()))


def test_a_stream_of_the_agent_sdk_is_read_as_a_whole() -> None:
    content = data(json.dumps({"type": "assistant", "session_id": "s", "message": message()}))
    assert ClaudeCode().brief(Path("s.jsonl"), content, 0, is_end=True) is None
