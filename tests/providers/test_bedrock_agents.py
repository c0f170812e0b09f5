from __future__ import annotations

import base64
from typing import Any

from providers.framing import aws, body, fed, streamed
from tallybook.model.usage import Usage
from tallybook.providers.bedrock_agents import AGENT, parse, results


def _trace(kind: str, model: str, fresh: int, output: int, request: str) -> list[dict[str, Any]]:
    usage = {"inputTokens": fresh, "outputTokens": output}
    return [
        {"trace": {"trace": {kind: {"modelInvocationInput": {"foundationModel": model, "type": "ORCHESTRATION"}}}}},
        {"trace": {"trace": {kind: {"modelInvocationOutput": {
            "metadata": {"clientRequestId": request, "usage": usage}}}}}},
    ]  # fmt: skip


CHUNK = {"chunk": {"bytes": base64.b64encode(b"Two.").decode()}}


def test_an_agents_usage_is_the_sum_of_the_invocations_in_its_trace() -> None:
    raw = aws([
        *_trace("routingClassifierTrace", "nova", 263, 9, "a"),
        *_trace("orchestrationTrace", "nova", 1208, 70, "b"),
        CHUNK,
    ])  # fmt: skip
    got = parse(raw)
    assert got.usage == Usage(input_tokens=1471, output_tokens=79)
    assert (got.response_model, got.text, got.is_complete) == ("nova", "Two.", True)
    assert got.flags == ()
    assert streamed(AGENT, raw) == got


def test_each_invocation_is_a_result_of_its_own() -> None:
    raw = aws([*_trace("preProcessingTrace", "a", 5, 1, "x"), *_trace("orchestrationTrace", "b", 7, 2, "y"), CHUNK])
    found = list(results(raw))
    assert [(row.custom_id, row.parsed.response_model) for row in found] == [("x", "a"), ("y", "b")]
    got = parse(raw)
    assert got.usage == Usage(input_tokens=5, output_tokens=1)
    [other] = got.further
    assert (other.model, other.usage) == ("b", Usage(input_tokens=7, output_tokens=2))
    assert "further_models" in got.flags


def test_without_a_trace_the_usage_is_unknown_and_said_to_be() -> None:
    got = fed(AGENT, [CHUNK])
    assert got.usage is None
    assert got.flags == ("usage_missing",)
    assert list(results(aws([CHUNK]))) == []


def test_retrieval_with_generation_tells_text_only() -> None:
    got = parse(body({"output": {"text": "Found."}, "citations": [], "sessionId": "s"}))
    assert (got.text, got.usage, got.flags) == ("Found.", None, ("usage_missing",))
    asked = AGENT.asked(
        {
            "input": {"text": "Why?"},
            "retrieveAndGenerateConfiguration": {"knowledgeBaseConfiguration": {"modelArn": "anthropic.claude-3"}},
        },
        "",
    )
    assert (asked.model, asked.prompt) == ("anthropic.claude-3", "Why?")
