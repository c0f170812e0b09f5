"""OTLP out: calls as spans by OpenTelemetry's GenAI conventions, as OTLP/JSON, one export request a line.

A line is the body of a `POST /v1/traces`, so that any collector takes it. Trace and span ids follow from run and call,
and are the same at every export. Money is no part of the conventions: it travels as `gen_ai.usage.cost` in USD, as
several vendors have it, beside the status that says how far it can be trusted. Prompts and responses do not travel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import msgspec

from tallybook.model.call import Call
from tallybook.version import __version__

_PROVIDERS = {
    "aws": "aws.bedrock", "azure": "azure.ai.openai", "google": "gcp.gemini", "google-vertex": "gcp.vertex_ai",
    "mistral": "mistral_ai", "moonshotai": "moonshot_ai", "x-ai": "x_ai",
}  # fmt: skip
"""Providers whose name in the conventions is another one than here."""
_CLIENT = 3
_ERROR = 2
_FINISH = {"tool_calls": "tool_call", "tool_use": "tool_call"}

_encode = msgspec.json.Encoder().encode


def lines(batches: Iterable[list[Call]], out: TextIO) -> Iterator[int]:
    """Write one export request a batch. Yields the number of calls written after each."""
    for batch in batches:
        if batch:
            out.write(_encode(request(batch)).decode() + "\n")
        yield len(batch)


def request(calls: Iterable[Call]) -> dict[str, Any]:
    """An `ExportTraceServiceRequest` of calls, by project and environment."""
    resources: dict[tuple[str | None, str | None], list[dict[str, Any]]] = {}
    for call in calls:
        resources.setdefault((call.project, call.environment), []).append(span(call))
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes({
                    "service.name": project or "unknown_service", "deployment.environment.name": environment,
                })},
                "scopeSpans": [{"scope": {"name": "tallybook", "version": __version__}, "spans": spans}],
            }
            for (project, environment), spans in resources.items()
        ]
    }  # fmt: skip


def span(call: Call) -> dict[str, Any]:
    """One call as a span."""
    group = call.run_id or call.session_id or call.call_id
    made: dict[str, Any] = {
        "traceId": hashlib.blake2b(group.encode(), digest_size=16).hexdigest(),
        "spanId": hashlib.blake2b(call.call_id.encode(), digest_size=8).hexdigest(),
        "name": f"{call.operation} {call.model or call.response_model or ''}".strip(),
        "kind": _CLIENT,
        "startTimeUnixNano": str(call.started_at_us * 1000),
        "attributes": _attributes(facts(call)),
    }
    if call.duration_us is not None:  # An end that is not known is not made up.
        made["endTimeUnixNano"] = str((call.started_at_us + call.duration_us) * 1000)
    if call.status == "error":
        made["status"] = {"code": _ERROR, "message": call.error_message or ""}
    return made


def facts(call: Call) -> dict[str, Any]:
    """What the conventions have names for, and what is ours under `tallybook.`; unknown things are left out."""
    use, cost = call.usage, call.cost
    written = [part for part in (use.cache_write_5m_tokens, use.cache_write_1h_tokens) if part is not None]
    return {
        "gen_ai.operation.name": call.operation,
        "gen_ai.provider.name": _PROVIDERS.get(call.provider, call.provider),
        "gen_ai.request.model": call.model,
        "gen_ai.response.model": call.response_model,
        "gen_ai.response.id": call.response_id,
        "gen_ai.response.finish_reasons": [_FINISH.get(reason, reason) for reason in call.finish_reasons] or None,
        "gen_ai.response.time_to_first_chunk": None if call.ttft_us is None else call.ttft_us / 1e6,
        "gen_ai.usage.input_tokens": use.input_tokens,
        "gen_ai.usage.output_tokens": use.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": use.cache_read_tokens,
        "gen_ai.usage.cache_write.input_tokens": sum(written) if written else None,
        "gen_ai.usage.reasoning.output_tokens": use.reasoning_tokens,
        "gen_ai.usage.audio.input_tokens": use.input_audio_tokens,
        "gen_ai.usage.audio.output_tokens": use.output_audio_tokens,
        "gen_ai.usage.image.input_tokens": use.input_image_tokens,
        "gen_ai.usage.image.output_tokens": use.output_image_tokens,
        "gen_ai.usage.cost": None if cost is None or cost.total_nanousd is None else cost.total_nanousd / 1e9,
        "gen_ai.request.stream": call.is_stream or None,
        "gen_ai.conversation.id": call.session_id or call.run_id,
        "gen_ai.agent.name": call.agent_name,
        "user.id": call.user_id,
        "server.address": None if call.base_url is None else call.base_url.split("/", 1)[0],
        "http.response.status_code": call.http_status,
        "error.type": call.error_type or ("_OTHER" if call.status == "error" else None),
        "tallybook.call_id": call.call_id,
        "tallybook.name": call.name,
        "tallybook.run_id": call.run_id,
        "tallybook.session_id": call.session_id,
        "tallybook.status": call.status,
        "tallybook.cost_status": None if cost is None else cost.status,
        "tallybook.source": call.source,
        "tallybook.service_tier": call.service_tier,
        "tallybook.cache_write_1h_tokens": use.cache_write_1h_tokens,
        "tallybook.tags": list(call.tags) or None,
    }


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": str(value)}
