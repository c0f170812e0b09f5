"""Helicone's log endpoint: a provider's request and answer as they went over the wire, with `Helicone-…` names beside.

The answer is read by `providers.exchange`, as every recorded exchange is: whole JSON, a stream's chunks one a line as
Helicone's loggers join them, or the stream itself. Names come as `providerRequest.meta` or as HTTP headers of the
request; the first win. Uses of tools and of vector stores (`_type`) are steps and not calls.

The format is described at https://docs.helicone.ai/getting-started/integration-method/custom.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.capture.bodies import prompt_hash, sha256
from tallybook.ingest.arrival import Arrival, Content, Refused
from tallybook.ingest.dialects.fitted import fitted
from tallybook.ingest.dialects.ident import call_id
from tallybook.ingest.dialects.moment import between_us, moment_us
from tallybook.model.call import Call, Cost, Status, Step
from tallybook.model.limits import ERROR_MESSAGE_CHARS, FIELD_CHARS
from tallybook.model.usage import Usage
from tallybook.prices.facts import host_of
from tallybook.providers.base import Asked, Parsed
from tallybook.providers.detect import detect_provider
from tallybook.providers.exchange import Exchange
from tallybook.providers.exchange import read as read_exchange
from tallybook.providers.shape import GENERIC
from tallybook.providers.value import mapping, number, whole, word

SOURCE = "helicone"
CACHE_HIT = "cache_hit"
CANCELLED = -3
"""The status by which Helicone's loggers say that the caller left."""

_STEPS = {"tool": "tool", "vector_db": "retrieval", "data": "chain"}
"""Kinds of step by `_type`."""
_PROPERTY = "helicone-property-"
_KEPT = {
    "helicone-session-path": "session_path", "helicone-session-name": "session_name",
    "helicone-prompt-id": "prompt_id", "helicone-request-id": "helicone_request_id",
    "helicone-model-override": "model_override",
}  # fmt: skip
"""Names kept in the metadata."""
_NO_URL = "custom-model-nopath"


class Sent(NamedTuple):
    """One log entry, its parts taken apart."""

    item: Mapping[str, Any]
    names: Mapping[str, str]
    """`helicone-…` in lower case, without those of access."""
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    started_us: int
    ended_us: int | None
    ttft_us: int | None
    project: str | None
    provider: str | None
    """Whose endpoint was logged to: `openai`, `anthropic`; `None` for the custom one."""


def read(
    item: Any, headers: Mapping[str, str] | None = None, *, provider: str | None = None, project: str | None = None
) -> Arrival:
    """The call or step of one log entry. `headers` are the HTTP request's; only `Helicone-…` of them are looked at.

    `provider` is `openai` or `anthropic` by the path it came to; `project` is the access key's. Never raises.
    """
    if not isinstance(item, Mapping) or not isinstance(item.get("providerRequest"), Mapping):
        hint = 'send {"providerRequest": {…}, "providerResponse": {…}, "timing": {…}}'
        return _refused("required", "`providerRequest` is required", hint, "providerRequest")
    timing = mapping(item.get("timing"))
    started_us = _moment(timing.get("startTime"))
    if started_us is None:
        hint = '{"seconds": …, "milliseconds": …} since 1970'
        return _refused("required", "`timing.startTime` is no moment from 2000 to 2100", hint, "timing.startTime")
    outer = mapping(item.get("providerRequest"))
    response = mapping(item.get("providerResponse"))
    names = _names(headers or {}) | _names(mapping(outer.get("meta")))
    first = number(timing.get("timeToFirstToken"))
    sent = Sent(
        item, names, mapping(outer.get("json")), response, started_us, _moment(timing.get("endTime")),
        round(first * 1000) if first is not None and 0 <= first < 1e9 else None, project, provider,
    )  # fmt: skip
    kind = word(sent.request.get("_type"))
    try:
        if kind in _STEPS:
            return Arrival(steps=(_step(sent, kind),))
        call, content = _call(sent)
    except RecursionError:
        return Arrival(refused=(Refused(0, "too_deep", "the entry is nested too deeply"),))
    return Arrival((call,), (), (content,))


def _refused(code: str, message: str, hint: str, field: str) -> Arrival:
    return Arrival(refused=(Refused(0, code, message, hint, field),))


def _names(given: Mapping[str, Any]) -> dict[str, str]:
    """Helicone's names with their values as text; those of access are left out."""
    return {
        name: value[:FIELD_CHARS] if isinstance(value, str) else str(value)[:FIELD_CHARS]
        for key, value in given.items()
        if isinstance(key, str)
        and (name := key.lower()).startswith("helicone-")
        and name not in ("helicone-auth", "helicone-target-url")
        and isinstance(value, str | int | float)
    }


_SECONDS_MAX = 2**53
"""Beyond, a number of any length may stand that no float holds."""


def _moment(told: Any) -> int | None:
    if not isinstance(told, Mapping):
        return moment_us(told)
    seconds, rest = number(told.get("seconds")), number(told.get("milliseconds"))
    if seconds is None or not 0 <= seconds < _SECONDS_MAX or not 0 <= (rest or 0) < 1000 * _SECONDS_MAX:
        return None
    return moment_us(seconds + (rest or 0) / 1000)


def _id(sent: Sent) -> str:
    """The same entry has the same id: by the id that the sender gave it, else by all that it says."""
    given = sent.names.get("helicone-request-id")
    if given is None:
        plain = msgspec.json.encode([sent.item, sorted(sent.names.items())], order="deterministic")
        given = hashlib.blake2b(plain, digest_size=16).hexdigest()
    return call_id(sent.started_us, SOURCE, sent.project or "", given)


def _metadata(sent: Sent) -> dict[str, Any]:
    found: dict[str, Any] = {
        key.removeprefix(_PROPERTY): value for key, value in sent.names.items() if key.startswith(_PROPERTY)
    }
    found |= {name: sent.names[key] for key, name in _KEPT.items() if key in sent.names}
    return found


def _step(sent: Sent, kind: str) -> Step:
    request, status = sent.request, whole(sent.response.get("status"))
    failed = status is not None and status >= 400
    name = word(request.get("toolName")) or word(request.get("name")) or word(request.get("operation")) or kind
    return Step(
        step_id=_id(sent),
        started_at_us=sent.started_us,
        kind=_STEPS[kind],
        name=name[:FIELD_CHARS],
        run_id=sent.names.get("helicone-session-id"),
        duration_us=between_us(sent.started_us, sent.ended_us),
        status="error" if failed else "ok",
        error_message=_error_text(sent)[:ERROR_MESSAGE_CHARS] if failed else None,
        metadata=_metadata(sent),
    )


def _error_text(sent: Sent) -> str:
    return word(sent.response.get("textBody")) or f"status {sent.response.get('status')}"


def _exchange(sent: Sent, body: bytes) -> Exchange:
    url = word(mapping(sent.item.get("providerRequest")).get("url")) or ""
    is_real = "//" in url and _NO_URL not in url
    headers = {str(key).lower(): str(value) for key, value in mapping(sent.response.get("headers")).items()}
    status = whole(sent.response.get("status"))
    return Exchange(
        url=url if is_real else "",
        request=msgspec.json.encode(sent.request),
        http_status=status if status is not None and 100 <= status < 600 else None,
        headers=headers,
        body=body,
        provider=sent.provider,
    )


def _body(response: Mapping[str, Any]) -> tuple[bytes, str | None]:
    """The answer's bytes, and its text where it came as text."""
    text = response.get("textBody")
    if isinstance(text, str) and text:
        return _as_stream(text).encode("utf-8", "replace"), text
    body = response.get("json")
    if isinstance(body, Mapping):  # What a logger of Helicone's adds to every answer is no part of it.
        body = {key: value for key, value in body.items() if key not in ("_type", "toolName")}
    return (msgspec.json.encode(body) if body else b""), None


def _as_stream(text: str) -> str:
    """A stream's chunks, which loggers join one a line behind a failure's words, as the stream they were."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < 2 or text.startswith(("data:", "event:")):
        return text
    chunks = [line for line in lines if line.startswith("{") and _is_object(line)]
    return "".join([f"data: {chunk}\n\n" for chunk in chunks]) if len(chunks) > len(lines) // 2 else text


def _is_object(line: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False


class _Told(NamedTuple):
    provider: str
    operation: str
    asked: Asked
    parsed: Parsed
    is_known: bool
    """Whether the answer is in a format of ours."""


def _told(sent: Sent, body: bytes, text: str | None) -> _Told:
    exchange = _exchange(sent, body)
    reading = read_exchange(exchange)
    asked, parsed = reading.asked, reading.parsed
    if reading.format is None:
        request = sent.request
        prompt = request.get("messages") or request.get("prompt") or request.get("input")
        asked = Asked(model=word(request.get("model")), is_stream=request.get("stream") is True, prompt=prompt)
        generic = GENERIC.parse(body) if text is None else Parsed(text=text)
        parsed = msgspec.structs.replace(
            generic, error_type=parsed.error_type, error_message=parsed.error_message
        ) if parsed.error_type is not None else generic  # fmt: skip
    provider = reading.provider
    if provider in ("unknown", ""):
        provider = sent.provider or detect_provider(parsed.response_model or asked.model, None)
    return _Told(provider, reading.operation or "chat", asked, parsed, reading.format is not None)


def _call(sent: Sent) -> tuple[Call, Content]:
    body, text = _body(sent.response)
    told = _told(sent, body, text)
    asked, parsed, names = told.asked, told.parsed, sent.names
    status_code = whole(sent.response.get("status"))
    flags = (*parsed.flags, *asked.facts)
    usage, cost = parsed.usage or Usage(), None
    status = _status(status_code, parsed, has_body=bool(body))
    if parsed.cost_nanousd is not None:
        cost = Cost(status="reported", total_nanousd=parsed.cost_nanousd, price="stated by the provider")
    if _is_cached(sent):
        usage, flags = Usage(input_tokens=0, output_tokens=0), (CACHE_HIT,)
        cost = Cost(status="reported", total_nanousd=0, price="answered from Helicone's cache")
    elif usage == Usage() and status != "error" and "usage_missing" not in flags:
        flags = (*flags, "usage_missing")
    hashed, chars = prompt_hash(asked.prompt)
    call = Call(
        call_id=_id(sent),
        started_at_us=sent.started_us,
        operation=told.operation,
        provider=told.provider,
        model=asked.model or word(sent.request.get("model")),
        response_model=names.get("helicone-model-override") or parsed.response_model,
        response_id=None if CACHE_HIT in flags else parsed.response_id,
        run_id=names.get("helicone-session-id"),
        duration_us=between_us(sent.started_us, sent.ended_us),
        ttft_us=sent.ttft_us,
        usage=usage,
        usage_raw=parsed.usage_raw,
        cost=cost,
        tool_calls=parsed.tool_calls,
        finish_reasons=parsed.finish_reasons,
        status=status,
        error_type=parsed.error_type or (f"status_{status_code}" if status == "error" else None),
        error_message=parsed.error_message or (_error_text(sent) if status == "error" else None),
        http_status=status_code if status_code is not None and 100 <= status_code < 600 else None,
        project=sent.project,
        user_id=names.get("helicone-user-id") or word(sent.request.get("user")),
        session_id=names.get("helicone-session-id"),
        metadata=_metadata(sent),
        service_tier=parsed.service_tier,
        base_url=host_of(_exchange(sent, b"").url) or None,
        is_stream=asked.is_stream or sent.request.get("stream") is True,
        source=SOURCE,
        prompt_hash=hashed,
        prompt_chars=chars,
        response_hash=sha256(parsed.text.encode("utf-8", "surrogatepass")) if parsed.text else None,
        response_chars=None if parsed.text is None else len(parsed.text),
        parameters=dict(asked.parameters),
        flags=flags,
    )
    content = Content(
        call.call_id, sent.started_us,
        None if _is_asked(names, "helicone-omit-request") else asked.prompt,
        None if _is_asked(names, "helicone-omit-response") else parsed.text,
    )  # fmt: skip
    return fitted(call), content


def _status(status: int | None, parsed: Parsed, *, has_body: bool) -> Status:
    if status == CANCELLED or "cancelled" in parsed.finish_reasons:
        return "cancelled"
    if parsed.error_type is not None or (status is not None and (status >= 400 or status < 0)):
        return "error"
    return "ok" if parsed.is_complete and has_body else "incomplete"


def _is_cached(sent: Sent) -> bool:
    headers = mapping(sent.response.get("headers"))
    return any(str(key).lower() == "helicone-cache" and value == "HIT" for key, value in headers.items())


def _is_asked(names: Mapping[str, str], name: str) -> bool:
    return names.get(name, "").lower() in ("true", "1")
