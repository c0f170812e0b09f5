"""What one described call costs: `tallybook price` reads such cases by the thousand.

A case is an object with `id`, `provider`, `model`, `timestamp`, `usage` in our normal form (`input`, `output`,
`cache_read` …), `context` (service tier, batch, region …) and `raw_response`; all but the model and some usage may be
missing. What `usage` and `context` state wins over what the raw response tells, but for the model that answered and
the service tier, which only the response knows. Nothing raises: a case that cannot be read is unpriced, with its
reason, and what is not understood leaves a mark on the cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Call, Cost
from tallybook.model.codec import unix_us_of
from tallybook.model.usage import Usage, faults
from tallybook.prices import cost as rules
from tallybook.prices import naming
from tallybook.prices.cost import cost_of, key_of
from tallybook.providers.detect import detect_provider
from tallybook.providers.habits import least_billed
from tallybook.query.explain import Book, counted, together
from tallybook.query.interaction import of_record

LINE_UNREADABLE = "line_unreadable"
FIELD_UNREADABLE = "unreadable:"
"""Followed by the name of a field that has another type than it must."""
MOMENT_MISSING = "timestamp_missing"
"""Priced as of now."""
ANNOTATED_AMONG_PAGES = "annotated_pages_taken_for_part_of_pages"
"""Both were stated: whether one is among the other was not."""
ZERO_REPORTED = "zero_cost_reported"
"""A provider stated a cost of 0 for tokens of a model that is not free: priced by the list instead."""

_TOKENS = {
    "input": "input_tokens", "output": "output_tokens", "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_5m_tokens", "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_30m": "cache_write_5m_tokens", "cache_write_1h": "cache_write_1h_tokens",
    "cache_write_12h": "cache_write_5m_tokens", "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens", "reasoning": "reasoning_tokens", "output_audio": "output_audio_tokens",
    "output_image": "output_image_tokens", "output_reasoning": "reasoning_tokens",
}  # fmt: skip
_QUANTITIES: dict[str, tuple[str, int]] = {
    "audio_seconds": ("audio_ms", 1_000), "seconds": ("audio_ms", 1_000), "input_audio_seconds": ("audio_ms", 1_000),
    "audio_minutes": ("audio_ms", 60_000), "audio_hours": ("audio_ms", 3_600_000), "audio_ms": ("audio_ms", 1),
    "characters": ("characters", 1), "input_characters": ("characters", 1), "pages": ("pages", 1),
    "document_pages": ("pages", 1), "annotated_pages": ("annotated_pages", 1), "images": ("images", 1),
    "output_images": ("images", 1), "searches": ("search_units", 1), "search_units": ("search_units", 1),
    "cache_read_audio": (rules.CACHED_AUDIO, 1), "cached_audio": (rules.CACHED_AUDIO, 1),
    "cache_audio_read": (rules.CACHED_AUDIO, 1), "input_audio_cached": (rules.CACHED_AUDIO, 1),
    "cache_read_image": (rules.CACHED_IMAGE, 1), "cached_image": (rules.CACHED_IMAGE, 1),
    "cache_image_read": (rules.CACHED_IMAGE, 1), "citation_tokens": ("citation_tokens", 1),
    "citations": ("citation_tokens", 1),
}  # fmt: skip
_REQUESTS = {
    "web_searches": "web_search", "web_search": "web_search", "web_search_requests": "web_search",
    "grounded_prompts": "web_search", "search_queries": "web_search", "num_search_queries": "web_search",
    "x_searches": "x_search", "file_searches": "file_search", "file_search_calls": "file_search",
    "storage_searches": "file_search", "web_fetches": "web_fetch", "maps": "google_maps", "google_maps": "google_maps",
    "maps_queries": "google_maps", "code_executions": "code_execution",
    "code_interpreter_sessions": "code_interpreter_session", "containers": "code_interpreter_session",
    "container_sessions": "code_interpreter_session", "code_interpreter": "code_interpreter_session",
    "collections_searches": "collections_search", "document_searches": "attachment_search",
}  # fmt: skip
_INFORMATIVE = frozenset(
    (
        "total", "total_tokens", "requests", "input_text", "output_text", "accepted_prediction", "rejected_prediction",
        "tool_use_prompt", "thinking",
    )
)  # fmt: skip
"""Usage that is part of what is stated otherwise, and billed with it."""

_FACTS = {
    "aws_region": "region", "region": "region", "vertex_location": "region", "location": "region",
    "vertex_region": "region", "azure_region": "region", "google_region": "region", "inference_geo": "inference_geo",
    "data_residency": "residency", "residency": "residency", "azure_deployment_type": "deployment_type",
    "deployment_type": "deployment_type", "search_context_size": "search_context", "search_context": "search_context",
    "cache_ttl": "cache_ttl", "cache_retention": "cache_ttl", "prompt_cache_retention": "cache_ttl",
    "image_size": "image_size", "size": "image_size", "image_quality": "image_quality", "quality": "image_quality",
}  # fmt: skip
_STATED = frozenset(
    (
        "service_tier", "tier", "speed", "batch", "is_batch", "processing", "base_url", "web_search_tool", "deployment",
        "azure_deployment", "project", "traffic_type", "streaming", "stream", "endpoint", "api", "operation",
    )
)  # fmt: skip
"""Parts of a context that are read one by one, or that never bear on a price."""


class Case(NamedTuple):
    """A case as read: the calls to price, and why nothing or less than all can be said of it."""

    id: Any
    calls: tuple[Call, ...]
    faults: tuple[str, ...] = ()
    """Reasons that leave it unpriced."""
    doubts: tuple[str, ...] = ()
    """Reasons that make a price an estimate."""


def read_case(line: bytes | str, now_us: int) -> Case:
    """The case of one line. Never raises."""
    try:
        data = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Case(None, (), (LINE_UNREADABLE,))
    return case_of(data, now_us)


def case_of(data: Any, now_us: int) -> Case:
    """The case of a decoded object. Never raises."""
    if not isinstance(data, Mapping):
        return Case(None, (), (LINE_UNREADABLE,))
    faults = [
        FIELD_UNREADABLE + field
        for field, kinds in (("provider", str), ("model", str), ("usage", Mapping), ("context", Mapping))
        if data.get(field) is not None and not isinstance(data[field], kinds)
    ]
    moment, fault = _moment(data.get("timestamp"))
    faults += [fault] if fault else []
    stated, unreadable = _usage(data.get("usage") or {}) if not faults else (_NOTHING, [])
    faults += unreadable
    if faults:
        return Case(data.get("id"), (), tuple(faults))
    doubts = () if moment is not None else (MOMENT_MISSING,)
    if stated.quantities.get("annotated_pages") and stated.quantities.get("pages"):
        doubts = (*doubts, ANNOTATED_AMONG_PAGES)
    context = {name: value for name, value in (data.get("context") or {}).items() if value not in (None, "", False)}
    own, further = _answered(data, now_us)
    return _built(data, now_us if moment is None else moment, stated, context, own, further, doubts)


class _Stated(NamedTuple):
    """Usage as a case states it."""

    tokens: Mapping[str, int]
    requests: Mapping[str, int]
    quantities: Mapping[str, int]
    flags: tuple[str, ...] = ()
    ttl: str | None = None


_NOTHING = _Stated({}, {}, {})


def _usage(given: Mapping[str, Any]) -> tuple[_Stated, list[str]]:
    tokens: dict[str, int] = {}
    requests: dict[str, int] = {}
    quantities: dict[str, int] = {}
    flags: list[str] = []
    faults: list[str] = []
    ttl = None
    for key, value in given.items():
        if value is None:
            continue
        value = _number(value)
        if value is None or not 0 <= value < 1 << 62:
            faults.append(f"{FIELD_UNREADABLE}usage.{key}")
            continue
        name = key.removesuffix("_tokens") if key != "citation_tokens" else key
        if (name in _TOKENS or key in _REQUESTS) and value != int(value):
            faults.append(f"{FIELD_UNREADABLE}usage.{key}")
        elif name in _TOKENS:
            tokens[_TOKENS[name]] = tokens.get(_TOKENS[name], 0) + int(value)
            ttl = "12h" if name == "cache_write_12h" and value else ttl
        elif key in _REQUESTS:
            requests[_REQUESTS[key]] = requests.get(_REQUESTS[key], 0) + int(value)
        elif name in _QUANTITIES or key in _QUANTITIES:
            quantity, count = _QUANTITIES.get(name) or _QUANTITIES[key]
            quantities[quantity] = quantities.get(quantity, 0) + round(value * count)
        elif name not in _INFORMATIVE and value:
            flags.append(f"{rules.USED_BUT_UNKNOWN}{key}")
    return _Stated(tokens, requests, quantities, tuple(flags), ttl), faults


def _number(value: Any) -> int | float | None:
    """A number, also written as text (protocol buffers' JSON does so with large ones); `None` for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = int(value) if value.strip().isdecimal() else float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) else None


def _moment(value: Any) -> tuple[int | None, str | None]:
    if value is None or value == "":
        return None, None
    seconds = _number(value)
    if seconds is not None:
        seconds = seconds / 1000 if 1e12 <= seconds < 4e12 else seconds
        return (int(seconds * 1e6), None) if 1e9 <= seconds < 4e9 else (None, FIELD_UNREADABLE + "timestamp")
    try:
        return unix_us_of(datetime.fromisoformat(value)), None
    except (ValueError, TypeError):
        return None, FIELD_UNREADABLE + "timestamp"


def _answered(data: Mapping[str, Any], now_us: int) -> tuple[Call | None, tuple[Call, ...]]:
    """The call that the raw response tells of, and what other models did inside it."""
    raw = data.get("raw_response")
    if raw is None:
        return None, ()
    record = {"provider": data.get("provider"), "model": data.get("model"), "response": {"body": raw}}
    found = counted(of_record(record), now_us)
    if found.usage is None and (api := _bare(raw)) is not None:
        found = counted(of_record({**record, "api": api}), now_us)
    return (found.calls[0], found.further) if found.calls else (None, ())


def _bare(raw: Any) -> str | None:
    """The kind of endpoint of a response that has little more than its usage."""
    usage, meta = (raw.get("usage"), raw.get("meta")) if isinstance(raw, Mapping) else (None, None)
    if isinstance(usage, Mapping) and usage.get("type") in ("duration", "tokens"):
        return "audio"
    return "rerank" if isinstance(meta, Mapping) and isinstance(meta.get("billed_units"), Mapping) else None


def _built(
    data: Mapping[str, Any], moment: int, stated: _Stated, context: Mapping[str, Any], own: Call | None,
    further: tuple[Call, ...], doubts: tuple[str, ...],
) -> Case:  # fmt: skip
    provider = data.get("provider") or detect_provider(data.get("model"), str(context.get("base_url") or "") or None)
    model = data.get("model")
    answered = own.response_model if own is not None else None
    if model and naming.provider_id(provider) == "aws":
        answered = None  # Bedrock's answers name the bare model; the profile that was asked tells the price.
    usage, flags = _merged(stated, own, context)
    usage = least_billed(naming.provider_id(provider), usage)
    batch = bool(context.get("batch") or context.get("is_batch")) or context.get("processing") == "batch"
    tier = _tier(context, own)
    call = Call(
        call_id="", started_at_us=moment, provider=provider, model=model, response_model=answered, usage=usage,
        cost=own.cost if own is not None else None, status=own.status if own is not None else "ok",
        service_tier=tier, is_batch=batch or tier == "batch", base_url=_word(context.get("base_url")),
        project=_word(context.get("project")), flags=(*flags, *_facts(context, stated)),
    )  # fmt: skip
    deployment = _word(context.get("deployment")) or _word(context.get("azure_deployment"))
    if deployment is not None and deployment != model:
        call = msgspec.structs.replace(call, model=deployment, response_model=call.response_model or model)
    if call.cost is not None and not call.cost.total_nanousd and usage.total_tokens:
        is_free = naming.is_free(provider, model or "")
        call = msgspec.structs.replace(call, cost=Cost(status="free", total_nanousd=0) if is_free else None)
        doubts = doubts if is_free else (*doubts, ZERO_REPORTED)
    doubts = (*doubts, *[fault for fault in faults(usage) if fault not in doubts])
    others = tuple([msgspec.structs.replace(one, started_at_us=moment, provider=provider) for one in further])
    return Case(data.get("id"), (call, *others), (), doubts)


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _merged(stated: _Stated, own: Call | None, context: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...]]:
    """Stated usage, completed by what the response tells; and flags of the response that bear on the price."""
    told = own.usage if own is not None else Usage()
    requests = dict(told.requests)
    if any(kind.startswith("web_search") for kind in stated.requests):
        requests.pop("web_search", None)
    requests.update(stated.requests)
    tool = context.get("web_search_tool")
    if isinstance(tool, str) and "preview" in tool and "web_search" in requests:
        requests["web_search_preview"] = requests.pop("web_search")
    usage = msgspec.structs.replace(told, **stated.tokens, requests=requests, quantities=_quantities(told, stated))
    flags = () if own is None else tuple([flag for flag in own.flags if ":" in flag])
    return usage, (*flags, *stated.flags)


def _quantities(told: Usage, stated: _Stated) -> dict[str, int]:
    """What is no token. Annotated pages are billed instead of plain ones, and counted among the pages by most."""
    found = {**told.quantities, **stated.quantities}
    annotated = found.get("annotated_pages", 0)
    if annotated and annotated <= found.get("pages", 0):
        found["pages"] -= annotated
    return found


def _tier(context: Mapping[str, Any], own: Call | None) -> str | None:
    """The tier of the response where it tells one; Anthropic's speed is told apart from its tier."""
    told = own.service_tier if own is not None else None
    speed = _word(context.get("speed"))
    if speed is not None and speed.lower() not in ("standard", "default", "normal"):
        raw = own.usage_raw if own is not None else None
        if not (isinstance(raw, Mapping) and raw.get("speed")):
            return speed
    asked = (
        _word(context.get("service_tier")) or _word(context.get("tier")) or _word(context.get("traffic_type"))
        or _word(context.get("processing"))
    )  # fmt: skip
    return told or asked


def _facts(context: Mapping[str, Any], stated: _Stated) -> tuple[str, ...]:
    """Facts of a context as flags; what is not understood stays as one that no price knows."""
    found = [f"{_FACTS[name]}:{value}" for name, value in context.items() if name in _FACTS]
    found += [
        f"context:{name}={value}"
        for name, value in context.items()
        if name not in _FACTS and name not in _STATED and value is not True
    ]
    found += [
        f"context:{name}" for name, value in context.items() if name not in (_FACTS.keys() | _STATED) and value is True
    ]
    if stated.ttl is not None:
        found.append(f"cache_ttl:{stated.ttl}")
    return tuple(found)


def priced(cases: Sequence[Case], book: Book) -> list[Cost]:
    """The cost of each case; rates are looked up once for all. Raises SettingError for a price file out of reach."""
    rates = book.rates(list({key_of(call) for case in cases for call in case.calls}))
    found = []
    for case in cases:
        if case.faults or not case.calls:
            found.append(Cost(reasons=case.faults or (rules.USAGE_MISSING,)))
            continue
        cost = together([cost_of(call, rates[key_of(call)]) for call in case.calls])
        if case.doubts and cost.status in ("priced", "partial", "estimated"):
            cost = msgspec.structs.replace(
                cost, status="estimated" if cost.status == "priced" else cost.status,
                reasons=(*cost.reasons, *[doubt for doubt in case.doubts if doubt not in cost.reasons]),
            )  # fmt: skip
        found.append(cost)
    return found


def answers(lines: Iterable[bytes], book: Book, now_us: int) -> list[dict[str, Any]]:
    """One answer for each line: `id`, `cost_usd` (`None` unknown), `cost_status`, `reasons`."""
    cases = [read_case(line, now_us) for line in lines]
    return [
        {
            "id": case.id,
            "cost_usd": None if cost.total_nanousd is None else cost.total_nanousd / 1e9,
            "cost_status": cost.status,
            "reasons": list(cost.reasons),
        }
        for case, cost in zip(cases, priced(cases, book), strict=True)
    ]
