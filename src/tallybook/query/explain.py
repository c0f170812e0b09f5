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
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import reduce
from typing import Any, Protocol

import msgspec

from tallybook.model.call import Call, Cost, CostStatus, Status, ToolCall
from tallybook.model.usage import Usage, faults
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import cost_of, key_of
from tallybook.providers.accounting import added
from tallybook.providers.base import Asked, Format, Parsed, Result
from tallybook.providers.failure import failure
from tallybook.query.interaction import Interaction
from tallybook.query.recognise import format_of, provider_of
from tallybook.query.several import responses_in

NO_MODEL_CALL = "no_model_call"
"""The endpoint makes no model call that is billed by use: files, lists, counting of tokens."""
UNRECOGNISED = "unrecognised"
"""Nothing tells what the body is."""
SEVERAL = "several_responses"
PARSER_FAILED = "parser_failed"
"""A fault of ours, named rather than thrown: please report it with the record."""

_NO_USAGE = Usage()
_CREATED = re.compile(rb'"created(?:_at)?"\s*:\s*(1[5-9]\d{8}|2\d{9})\b')
_EARLIEST_US = 1_500_000_000_000_000


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
    asked: Asked = Asked()
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
        return Explained(
            seen=seen, provider=seen.provider or "unknown", status=_status(seen.http_status, None, is_complete=False),
            flags=(*seen.flags, PARSER_FAILED, type(error).__name__),
        )  # fmt: skip


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
    provider = provider_of(seen, None)
    fmt = format_of(seen, provider)
    if fmt is None:
        return _uncounted(seen, provider)
    asked = fmt.asked(seen.asked, seen.url)
    model = asked.model if asked.model not in (None, "unknown") else seen.model
    asked = asked if model == asked.model else msgspec.structs.replace(asked, model=model)
    if seen.http_status is not None and seen.http_status >= 400:
        results = [Result(None, _refused(seen, fmt), seen.http_status, fmt.operation)]
    elif fmt.batch is not None:
        results = list(fmt.batch(seen.body))
    else:
        results = [Result(None, _headed(fmt, parsed, seen), seen.http_status, fmt.operation)
                   for parsed in responses_in(fmt, seen)]  # fmt: skip
    if not results:
        return _uncounted(seen, provider)
    if provider == "unknown":
        provider = provider_of(seen, results[0].parsed.response_model or model)
    started_us = at_us or moment_of(seen) or now_us
    calls = tuple([_call(seen, provider, asked, result, started_us, is_batch=fmt.batch is not None)
                   for result in results])  # fmt: skip
    further = tuple([
        Call(call_id="", started_at_us=started_us, operation=call.operation, name=part.name or None, provider=provider,
             model=part.model, response_model=part.model, usage=part.usage, usage_raw=part.usage_raw,
             service_tier=call.service_tier, is_batch=call.is_batch)
        for call, result in zip(calls, results, strict=True) for part in result.parsed.further
    ])  # fmt: skip
    return _joined(seen, provider, fmt, asked, calls, further)


def _headed(fmt: Format, parsed: Parsed, seen: Interaction) -> Parsed:
    """With what the response's headers tell besides."""
    return parsed if fmt.headed is None or not seen.headers else fmt.headed(parsed, seen.headers)


def _joined(
    seen: Interaction, provider: str, fmt: Format, asked: Asked, calls: tuple[Call, ...], further: tuple[Call, ...]
) -> Explained:
    first = calls[0]
    used = [call.usage for call in calls if call.usage is not _NO_USAGE]
    flags = dict.fromkeys(seen.flags)
    for call in calls:
        flags.update(dict.fromkeys(call.flags))
    if len(calls) > 1:
        flags[SEVERAL] = None
    failed = [call for call in calls if call.status != "ok"]
    return Explained(
        seen=seen, provider=provider, format=fmt, asked=asked, calls=calls, further=further,
        usage=reduce(added, used) if used else None,
        usage_raw=first.usage_raw if len(calls) == 1 else [call.usage_raw for call in calls],
        tool_calls=first.tool_calls if len(calls) == 1 else tuple([tool for c in calls for tool in c.tool_calls]),
        finish_reasons=first.finish_reasons if len(calls) == 1
        else tuple([reason for c in calls for reason in c.finish_reasons]),
        status=first.status if len(failed) == len(calls) else failed[-1].status if failed else "ok",
        error_type=failed[0].error_type if failed else None,
        error_message=failed[0].error_message if failed else None,
        response_id=first.response_id, response_model=first.response_model, service_tier=first.service_tier,
        flags=tuple(flags),
    )  # fmt: skip


def _uncounted(seen: Interaction, provider: str) -> Explained:
    """What is no model call, or nothing that can be read."""
    kind, message = failure(seen.body, seen.http_status) if seen.body or seen.http_status else (None, None)
    is_known = bool(seen.url or seen.api) and bool(seen.provider or provider != "unknown") and not seen.is_guess
    flag = () if "record_unreadable" in seen.flags else (NO_MODEL_CALL,) if is_known else (UNRECOGNISED,)
    return Explained(
        seen=seen, provider=provider, status=_status(seen.http_status, kind, is_complete=bool(seen.body)),
        error_type=kind, error_message=message, flags=(*seen.flags, *flag),
    )  # fmt: skip


def _refused(seen: Interaction, fmt: Format) -> Parsed:
    """A request that was answered with an error: what the body says of it, and its usage in case it has any."""
    parsed = fmt.parse(seen.body) if seen.body and fmt.batch is None else Parsed()
    kind, message = failure(seen.body, seen.http_status)
    return msgspec.structs.replace(
        parsed, error_type=parsed.error_type or kind, error_message=parsed.error_message or message, is_complete=False,
        flags=tuple(flag for flag in parsed.flags if flag not in ("usage_missing", "body_unreadable")),
    )  # fmt: skip


def _status(http_status: int | None, error_type: str | None, *, is_complete: bool) -> Status:
    if error_type is not None or (http_status is not None and http_status >= 400):
        return "error"
    return "ok" if is_complete else "incomplete"


def _call(seen: Interaction, provider: str, asked: Asked, result: Result, started_us: int, *, is_batch: bool) -> Call:
    parsed = result.parsed
    usage, flags = parsed.usage or _NO_USAGE, parsed.flags
    if asked.quantities:
        usage = msgspec.structs.replace(usage, quantities={**asked.quantities, **usage.quantities})
    is_complete = parsed.is_complete and "body_unreadable" not in flags
    status = _status(result.http_status, parsed.error_type, is_complete=is_complete)
    if parsed.usage is None and status != "error" and "usage_missing" not in flags and not asked.quantities:
        flags = (*flags, "usage_missing")
    if parsed.usage is not None and (broken := [fault for fault in faults(usage) if fault not in flags]):
        flags = (*flags, *broken)
    reported = None
    if parsed.cost_nanousd is not None:
        reported = Cost(status="reported", total_nanousd=parsed.cost_nanousd, price="reported by the provider")
    return Call(
        call_id="", started_at_us=started_us, operation=result.operation, provider=provider, model=asked.model,
        response_model=parsed.response_model, response_id=parsed.response_id, usage=usage, usage_raw=parsed.usage_raw,
        cost=reported, tool_calls=parsed.tool_calls, finish_reasons=parsed.finish_reasons, status=status,
        error_type=parsed.error_type, error_message=parsed.error_message, http_status=result.http_status,
        service_tier=parsed.service_tier, is_batch=is_batch or parsed.service_tier == "batch",
        base_url=None if seen.is_guess else seen.url or None, flags=flags,
    )  # fmt: skip


def moment_of(seen: Interaction) -> int | None:
    """When the response was made, in microseconds UTC: as recorded, else as the response says; `None` if neither."""
    told = seen.recorded_at or seen.headers.get("date")
    if isinstance(told, str):
        try:
            at = datetime.fromisoformat(told)
        except ValueError:
            try:
                at = parsedate_to_datetime(told)
            except (ValueError, TypeError):
                at = None
        if at is not None:
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            return max(round(at.timestamp() * 1_000_000), _EARLIEST_US)
    made = _CREATED.search(seen.body)
    return None if made is None else int(made.group(1)) * 1_000_000


def line_of(one: Explained) -> dict[str, Any]:
    """The one JSON object of a record that `explain --jsonl` prints: stable keys, unknown as null."""
    seen, cost, usage = one.seen, one.cost, one.usage
    return {
        "id": seen.id,
        "provider": seen.provider or (None if one.provider == "unknown" else one.provider),
        "api": seen.api or (None if one.format is None else one.format.name),
        "model": one.asked.model or seen.model,
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
