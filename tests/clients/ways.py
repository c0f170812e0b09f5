"""Calling an SDK in each of the ways it offers, and holding the ledger's record to what was expected.

OpenAI's and Anthropic's SDKs are made by one generator and offer the same ways.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from clients.described import async_drained, drained, http_response
from tallybook.testing import TemporaryLedger

_FINAL = ("get_final_completion", "get_final_response", "get_final_message")


class Case(NamedTuple):
    """One way to call, and what the record must say of it."""

    name: str
    resource: str
    """Attribute path of the method from the client."""
    how: str
    given: dict[str, Any]
    expected: dict[str, Any]
    words: str = "input-tokens=100;output-tokens=50;cached=40;reasoning=20"


def method(client: Any, path: str, through: str = "") -> Any:
    *resources, name = path.split(".")
    for resource in resources:
        client = getattr(client, resource)
    return getattr(getattr(client, through) if through else client, name)


def call(client: Any, case: Case) -> Any:
    given = {**case.given, "extra_headers": {"X-Replay": case.words}} if case.words else case.given
    match case.how:
        case "plain":
            return method(client, case.resource)(**given)
        case "binary":
            return method(client, case.resource)(**given).read()
        case "stream":
            return drained(method(client, case.resource)(**given))
        case "raw" | "raw stream":
            raw = method(client, case.resource, "with_raw_response")(**given)
            parsed = raw.parse()
            return [http_response(raw), parsed if case.how == "raw" else drained(parsed)]
        case "streaming" | "lines" | "bytes":
            with method(client, case.resource, "with_streaming_response")(**given) as response:
                if case.how == "streaming":
                    return [http_response(response), response.read()]
                return [
                    http_response(response),
                    list(response.iter_lines() if case.how == "lines" else response.iter_bytes()),
                ]
        case _:
            with method(client, case.resource)(**given) as stream:
                events = drained(stream)
                final = next(getattr(stream, name) for name in _FINAL if hasattr(stream, name))
                return [events, final()]


async def async_call(client: Any, case: Case) -> Any:
    given = {**case.given, "extra_headers": {"X-Replay": case.words}} if case.words else case.given
    match case.how:
        case "plain":
            return await method(client, case.resource)(**given)
        case "binary":
            made = (await method(client, case.resource)(**given)).read()
            return await made if inspect.isawaitable(made) else made
        case "stream":
            return await async_drained(await method(client, case.resource)(**given))
        case "raw" | "raw stream":
            raw = await method(client, case.resource, "with_raw_response")(**given)
            parsed = raw.parse()
            if inspect.isawaitable(parsed):
                parsed = await parsed
            return [http_response(raw), parsed if case.how == "raw" else await async_drained(parsed)]
        case "streaming" | "lines" | "bytes":
            async with method(client, case.resource, "with_streaming_response")(**given) as response:
                if case.how == "streaming":
                    return [http_response(response), await response.read()]
                parts = response.iter_lines() if case.how == "lines" else response.iter_bytes()
                return [http_response(response), [part async for part in parts]]
        case _:
            async with method(client, case.resource)(**given) as stream:
                events = await async_drained(stream)
                final = next(getattr(stream, name) for name in _FINAL if hasattr(stream, name))
                return [events, await final()]


def check(case: Case, ledger: TemporaryLedger) -> None:
    calls = ledger.calls()
    assert len(calls) == 1, calls
    record = calls[0]
    use = record.usage
    seen = {
        "usage": (use.input_tokens, use.output_tokens, use.cache_read_tokens, use.reasoning_tokens),
        "tools": [tool.name for tool in record.tool_calls],
        "flag": case.expected.get("flag") if case.expected.get("flag") in record.flags else record.flags,
    }
    for name, value in case.expected.items():
        assert seen.get(name, getattr(record, name, None)) == value, (name, record)
    assert record.duration_us is not None and record.duration_us > 0
    assert record.status == case.expected.get("status", "ok")
