"""Attributes of any name with values of any kind: never an exception, always a record that can be written and read."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.dialects.test_logs import CLAUDE

from tallybook.ingest.dialects import context, genai, langfuse_spans, logged, message, openinference, tokens
from tallybook.ingest.telemetry import logs, traces
from tallybook.ingest.twin import Twins
from tallybook.model import codec
from tallybook.model.usage import faults

TELLING = {
    "gen_ai.operation.name": ["chat", "invoke_agent", "execute_tool", 5, None, ["chat"]],
    "openinference.span.kind": ["LLM", "AGENT", "llm", 7, None],
    "ai.operationId": ["ai.generateText.doGenerate", "ai.streamText", "ai.toolCall", 3],
    "traceloop.span.kind": ["agent", 1], "langfuse.observation.type": ["generation", "span", {}],
    "logfire.span_type": ["span", "log", "pending_span", 4], "gen_ai.system": ["openai", 1, ""],
    "gen_ai.request.model": ["gpt-4o", 5, "x" * 5000], "llm.provider": ["anthropic", []],
}  # fmt: skip
OTHERS = sorted(
    {*tokens.FIELDS, *context.SESSION, *context.USER, *context.AGENT, *context.PARAMETERS, *message.PROMPTS,
     *message.RESPONSES, "langfuse.observation.usage_details", "langfuse.observation.cost_details", "metadata",
     "tag.tags", "llm.invocation_parameters", "ai.response.providerMetadata", "gen_ai.usage.raw", "usage", "duration",
     "gen_ai.usage.cost", "operation.cost", "llm.cost.total", "error.type",
     "http.response.status_code", "server.address",
     "gen_ai.response.id", "gen_ai.response.finish_reasons", "gen_ai.response.time_to_first_chunk", "ai.response.id",
     "ai.response.msToFirstChunk", "langfuse.observation.completion_start_time", "langfuse.trace.tags",
     "llm.input_messages.0.message.content", "llm.output_messages.0.message.tool_calls.0.tool_call.id",
     "llm.output_messages.0.message", "llm.input_messages.99999999999.x", "ai.response.toolCalls",
     "gen_ai.tool.call.id",
     "traceloop.association.properties.", "traceloop.association.properties.a", "ai.telemetry.metadata.tags",
     "langfuse.observation.metadata.x", "openai.response.service_tier", "request_data", "langfuse.observation.level"}
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=30)
    | st.sampled_from(["{", "[]", '{"input": 5}', '[{"role": 5, "parts": {}}]', "1e999",
                       '{"anthropic": {"usage": []}}'])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS | st.builds(lambda number: {"intValue": str(number)}, st.integers(-(2**70), 2**70)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
ATTRIBUTES = st.builds(
    lambda telling, others: telling | others,
    st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in TELLING.items()}),
    st.dictionaries(st.sampled_from(OTHERS), VALUES, max_size=12),
)
TIMES = st.sampled_from(
    [1_795_331_971_580_246_901, "1795331971580246901", 0, -5, 2**70, "x", None, 4_000_000_000_000_000_000]
)


def _written(arrival):
    for call in arrival.calls:
        assert codec.decode(codec.encode(call)).call_id == call.call_id
        assert faults(call.usage) == ()
    for step in arrival.steps:
        assert codec.decode_step(codec.encode_step(step)).step_id == step.step_id


def _json(value):
    return json.dumps(value, allow_nan=True).replace("NaN", "null").replace("-Infinity", "null").replace(
        "Infinity", "null"
    ).encode()  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(ATTRIBUTES, TIMES, TIMES, st.sampled_from([0, 1, 2, 9, "x"])), min_size=1, max_size=4))
def test_spans_of_any_kind_are_recorded_refused_or_ignored(told):
    spans = [
        {"traceId": f"{1:032x}", "spanId": f"{place + 1:016x}", "parentSpanId": f"{place:016x}", "name": "x",
         "startTimeUnixNano": begin, "endTimeUnixNano": end, "status": {"code": status}, "attributes": attributes,
         "events": [{"name": "exception", "attributes": attributes},
                    {"name": "gen_ai.content.prompt", "timeUnixNano": end, "attributes": attributes}]}
        for place, (attributes, begin, end, status) in enumerate(told)
    ]  # fmt: skip
    body = _json({"resourceSpans": [{"resource": {"attributes": told[0][0]}, "scopeSpans": [{"spans": spans}]}]})
    taken = traces(body, Twins(None), is_json=True, with_content=True)
    _written(taken.arrival)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["claude_code.api_request", "claude_code.tool_result", "codex.sse_event", "gemini_cli.api_response",
                     "gemini_cli.api_error", "gen_ai.client.inference.operation.details", "gen_ai.user.message",
                     "gen_ai.choice", "x"]),
    st.dictionaries(
        st.sampled_from(sorted({*CLAUDE, "event.kind", "conversation.id", "input_token_count", "error", "status_code",
                                "gen_ai.input.messages", "gen_ai.output.messages", "user.email", "success",
                                "auth_type"})),
        VALUES, max_size=8),
    VALUES, TIMES,
)  # fmt: skip
def test_log_records_of_any_kind_are_recorded_refused_or_ignored(name, attributes, content, time):
    record = {"eventName": name, "attributes": {"event.kind": "response.completed"} | attributes, "body": content,
              "timeUnixNano": time, "traceId": f"{1:032x}", "spanId": f"{1:016x}"}  # fmt: skip
    body = _json({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    _written(logs(body, is_json=True, with_content=True).arrival)


def test_the_names_that_tell_a_convention_are_tried():
    assert genai.OPERATIONS and openinference.CALLS and langfuse_spans.CALLS and logged.SENDERS
