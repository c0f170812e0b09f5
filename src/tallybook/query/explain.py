"""How one recorded response is counted and priced: usage in our normal form, cost by part, and what was odd.

`counted` never raises, whatever the interaction is: what cannot be read leaves unknowns and a flag. Nothing is
estimated here: a stream that broke off without telling its usage has none. A body with several responses in it (a
batch's results, recordings put together) gives the sum of them, each priced by itself; what other models did inside
the call (`Parsed.further`) is part of the cost and not of the usage.

Prices are those in force when the response was made, as far as the record or the response tells; else `now_us`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, Protocol

import msgspec

from tallybook.model.call import Call, Cost, CostStatus, Status, ToolCall
from tallybook.model.usage import Usage, faults
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import USAGE_ESTIMATED, cost_of, key_of
from tallybook.providers.accounting import added, settled
from tallybook.providers.base import Format, Further, Result
from tallybook.providers.exchange import Reading, read
from tallybook.providers.failure import failure
from tallybook.query.cut import is_cut
from tallybook.query.interaction import RECORD_UNREADABLE, SEVERAL_RECORDS, Interaction, unix_us
from tallybook.query.several import responses_in

NO_MODEL_CALL = "no_model_call"
"""The endpoint makes no model call that is billed by use: files, lists, counting of tokens."""
UNRECOGNISED = "unrecognised"
"""Nothing tells what the body is."""
SEVERAL = "several_responses"
PARSER_FAILED = "parser_failed"
"""A fault of ours, named rather than thrown: please report it with the record."""

_NO_USAGE = Usage()
_CREATED = re.compile(
    rb'"created?(?:_at|_time|At|Time)?"\s*:\s*(?:(1[5-9]\d{8}|2\d{9})\b|"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)[^"Z]*Z")'
)
"""The moment of a response as most providers tell it: seconds since 1970, or ISO 8601 in UTC."""


class Book(Protocol):
    """What is asked of a price book."""

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        """All dated rates of each key."""
        ...


class Explained(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One interaction, counted; priced where `costs` is not empty."""

    seen: Interaction
    provider: str
    format: Format | None = None
    model: str | None = None
    """The model asked for."""
    calls: tuple[Call, ...] = ()
    """The responses in it, usually one; empty where there is no model call to count."""
    further: tuple[Call, ...] = ()
    """What other models were billed inside the call."""
    usage: Usage | None = None
    """All `calls` together; `None` when no usage was told."""
    usage_raw: Any = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    status: Status = "ok"
    error_type: str | None = None
    error_message: str | None = None
    response_id: str | None = None
    response_model: str | None = None
    service_tier: str | None = None
    flags: tuple[str, ...] = ()
    cost: Cost = Cost()
    """Of everything in it."""
    own_cost: Cost | None = None
    """Without `further`, where that was priced apart."""
    further_costs: tuple[Cost, ...] = ()


def counted(seen: Interaction, now_us: int, at_us: int | None = None) -> Explained:
    """The interaction counted, not yet priced. Never raises.

    Its price will be that of `at_us` where given, else of its own time, else of `now_us`.
    """
    try:
        return _counted(seen, now_us, at_us)
    except Exception as error:  # noqa: BLE001  (one record must not stop a run; the fault is named in the line)
        status = _status(seen.exchange.http_status, None, is_complete=False)
        flags = (*seen.flags, PARSER_FAILED, type(error).__name__)
        return Explained(seen=seen, provider=seen.provider or "unknown", status=status, flags=flags)


def priced(found: Sequence[Explained], book: Book) -> list[Explained]:
    """The same with costs: rates are looked up once for all of them. Raises SettingError for a bad price file."""
    keys = {key_of(call) for one in found for call in (*one.calls, *one.further)}
    rates = book.rates(list(keys))
    return [_priced(one, rates) for one in found]


def _priced(one: Explained, rates: dict[Key, tuple[Rate, ...]]) -> Explained:
    if not one.calls:
        return one
    own = [cost_of(call, rates[key_of(call)]) for call in one.calls]
    other = tuple([cost_of(call, rates[key_of(call)]) for call in one.further])
    if own[0].status == "reported":
        # What a host says the call cost holds for all that happened in it.
        return msgspec.structs.replace(one, cost=together(own))
    if not other:
        return msgspec.structs.replace(one, cost=together(own))
    return msgspec.structs.replace(one, cost=together([*own, *other]), own_cost=together(own), further_costs=other)


def together(costs: Sequence[Cost]) -> Cost:
    """Several costs as one. What is unpriced among priced ones makes the whole partial; its reasons stay."""
    if len(costs) == 1:
        return costs[0]
    known = [cost for cost in costs if cost.total_nanousd is not None]
    reasons = tuple(dict.fromkeys(reason for cost in costs for reason in cost.reasons))
    if not known:
        return Cost(reasons=reasons)
    statuses = {cost.status for cost in costs}
    status: CostStatus = (
        "partial" if statuses & {"partial", "unpriced"} else "estimated" if "estimated" in statuses
        else statuses.pop() if len(statuses) == 1 else "priced"
    )  # fmt: skip

    def total(part: str) -> int | None:
        amounts = [amount for cost in known if (amount := getattr(cost, part)) is not None]
        return sum(amounts) if amounts else None

    return Cost(
        status=status, total_nanousd=total("total_nanousd"), input_nanousd=total("input_nanousd"),
        cache_read_nanousd=total("cache_read_nanousd"), cache_write_nanousd=total("cache_write_nanousd"),
        output_nanousd=total("output_nanousd"), tools_nanousd=total("tools_nanousd"),
        price="; ".join(dict.fromkeys(cost.price for cost in known if cost.price)) or None, reasons=reasons,
    )  # fmt: skip


def _counted(seen: Interaction, now_us: int, at_us: int | None) -> Explained:
    reading = read(seen.exchange)
    fmt = reading.format
    if fmt is None:
        return _uncounted(seen, reading)
    model = reading.asked.model if reading.asked.model not in (None, "unknown") else seen.model
    refused = (reading.http_status or 0) >= 400
    parts = [] if refused or reading.results else responses_in(fmt, seen.exchange.body)
    results = reading.results or tuple([Result(None, part, reading.http_status, fmt.operation) for part in parts])
    if not results or refused:
        results = (Result(None, reading.parsed, reading.http_status, fmt.operation),)
    started_us = at_us or seen.recorded_us or _created_us(seen.exchange.body) or now_us
    calls, further = [], []
    for result in results:
        call = _call(seen, reading, model, result, started_us)
        calls.append(call)
        further += [_further(call, part) for part in result.parsed.further]
    return _joined(seen, reading, model, tuple(calls), tuple(further))


def _joined(
    seen: Interaction, reading: Reading, model: str | None, calls: tuple[Call, ...], further: tuple[Call, ...]
) -> Explained:
    first, last = calls[0], calls[-1]
    flags = dict.fromkeys(seen.flags)
    for call in calls:
        flags.update(dict.fromkeys(call.flags))
    if len(calls) == 1:
        return Explained(
            seen=seen, provider=reading.provider, format=reading.format, model=model, calls=calls, further=further,
            usage=None if first.usage == _NO_USAGE else first.usage, usage_raw=first.usage_raw,
            tool_calls=first.tool_calls, finish_reasons=first.finish_reasons, status=first.status,
            error_type=first.error_type, error_message=first.error_message, response_id=first.response_id,
            response_model=first.response_model, service_tier=first.service_tier, flags=tuple(flags),
        )  # fmt: skip
    flags[SEVERAL] = None
    models = _models(calls)
    used = [call.usage for call in calls if call.usage != _NO_USAGE and call.response_model in models]
    failed = [call for call in calls if call.status == "error"]
    unfinished: list[Status] = [call.status for call in calls if call.status != "ok"]
    return Explained(
        seen=seen, provider=reading.provider, format=reading.format, model=model, calls=calls, further=further,
        usage=settled(reduce(added, used))[0] if used else None,
        usage_raw=[call.usage_raw for call in calls], tool_calls=tuple([tool for c in calls for tool in c.tool_calls]),
        finish_reasons=tuple([reason for c in calls for reason in c.finish_reasons]),
        status="error" if len(failed) == len(calls) else "incomplete" if failed else (unfinished or ["ok"])[0],
        error_type=failed[0].error_type if failed else None,
        error_message=failed[0].error_message if failed else None,
        response_id=last.response_id or first.response_id, response_model=models[0],
        service_tier=next((c.service_tier for c in calls if c.service_tier), None), flags=tuple(flags),
    )  # fmt: skip


def _models(calls: Sequence[Call]) -> tuple[str | None, ...]:
    """The model whose calls make up the usage: the first that answered with any. Unnamed answers are taken for its."""
    known = [call.response_model for call in calls if call.response_model is not None]
    with_usage = [c.response_model for c in calls if c.response_model is not None and c.usage != _NO_USAGE]
    return (next(iter([*with_usage, *known]), None), None)


def _uncounted(seen: Interaction, reading: Reading) -> Explained:
    """What is no model call, or nothing that can be read."""
    kind, message = reading.parsed.error_type, reading.parsed.error_message
    body = seen.exchange.body
    if kind is None and body:
        kind, message = failure(body, reading.http_status)
    is_known = bool(seen.exchange.url or seen.api) and reading.provider != "unknown"
    flag: tuple[str, ...] = (NO_MODEL_CALL,) if is_known else (UNRECOGNISED,)
    if RECORD_UNREADABLE in seen.flags or SEVERAL_RECORDS in seen.flags:
        flag = ()
    return Explained(
        seen=seen, provider=reading.provider, status=_status(reading.http_status, kind, is_complete=bool(body)),
        error_type=kind, error_message=message, flags=(*seen.flags, *flag),
    )  # fmt: skip


def _status(http_status: int | None, error_type: str | None, *, is_complete: bool) -> Status:
    if error_type is not None or (http_status is not None and http_status >= 400):
        return "error"
    return "ok" if is_complete else "incomplete"


def _call(seen: Interaction, reading: Reading, model: str | None, result: Result, started_us: int) -> Call:
    parsed, flags = result.parsed, (*result.parsed.flags, *reading.asked.facts)
    usage = parsed.usage or _NO_USAGE
    http_status = reading.http_status if result.http_status is None else result.http_status
    body = seen.exchange.body
    is_told = bool(body) or bool(seen.exchange.events)
    is_whole = parsed.is_complete and is_told and not (reading.format and is_cut(reading.format, body, parsed))
    status = _status(http_status, parsed.error_type, is_complete=is_whole)
    if "cancelled" in parsed.finish_reasons and status == "ok":
        status = "cancelled"
    if usage == _NO_USAGE and status != "error" and "usage_missing" not in flags:
        flags = (*flags, "usage_missing")
    is_broken_off = not parsed.is_complete and status in ("incomplete", "error")
    if is_broken_off and usage != _NO_USAGE and "output_placeholder" not in flags:
        flags = (*flags, USAGE_ESTIMATED)  # What was told up to where the stream broke off: no less was used.
    broken = faults(usage)
    if broken:
        flags = (*flags, *[fault for fault in broken if fault not in flags])
    reported = None
    if parsed.cost_nanousd is not None:
        reported = Cost(status="reported", total_nanousd=parsed.cost_nanousd, price="stated by the provider")
    is_batch = parsed.service_tier == "batch" or (reading.format is not None and reading.format.name.endswith(".batch"))
    return Call(
        call_id="", started_at_us=started_us, operation=result.operation, provider=reading.provider, model=model,
        response_model=parsed.response_model, response_id=parsed.response_id, usage=usage, usage_raw=parsed.usage_raw,
        cost=reported, tool_calls=parsed.tool_calls, finish_reasons=parsed.finish_reasons, status=status,
        error_type=parsed.error_type, error_message=parsed.error_message, http_status=http_status,
        service_tier=parsed.service_tier, is_batch=is_batch,
        base_url=None if seen.exchange.is_url_guessed else _host(seen.exchange.url), flags=flags,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _host(url: str) -> str | None:
    """The host that was asked: some prices depend on it. Never the path, which may differ in every request."""
    return url.partition("://")[2].partition("/")[0] or None


def _further(call: Call, part: Further) -> Call:
    return Call(
        call_id="", started_at_us=call.started_at_us, operation=call.operation, name=part.name or None,
        provider=call.provider, model=part.model, response_model=part.model, usage=part.usage, base_url=call.base_url,
        usage_raw=part.usage_raw, service_tier=call.service_tier, is_batch=call.is_batch,
    )  # fmt: skip


def _created_us(body: bytes) -> int | None:
    """When the response says that it was made."""
    made = _CREATED.search(body)
    if made is None:
        return None
    seconds, text = made.groups()
    return int(seconds) * 1_000_000 if seconds else unix_us(text.decode())


def line_of(one: Explained) -> dict[str, Any]:
    """The one JSON object of a record that `explain --jsonl` prints: stable keys, unknown as null."""
    seen, cost, usage = one.seen, one.cost, one.usage
    return {
        "id": seen.id,
        "provider": seen.provider or (None if one.provider == "unknown" else one.provider),
        "api": seen.api or (None if one.format is None else one.format.name),
        "model": one.model or seen.model,
        "response_model": one.response_model,
        "response_id": one.response_id,
        "usage": None if usage is None else plain_usage(usage),
        "tool_calls": [{"name": tool.name, "server_side": tool.server_side} for tool in one.tool_calls],
        "finish_reasons": one.finish_reasons,
        "status": one.status,
        "service_tier": one.service_tier,
        "cost_usd": None if cost.total_nanousd is None else cost.total_nanousd / 1e9,
        "cost_status": cost.status,
        "flags": one.flags,
    }


def plain_usage(usage: Usage) -> dict[str, Any]:
    """All fields of a usage by name, unknown ones as null."""
    return {name: getattr(usage, name) for name in Usage.__struct_fields__}
