"""Reports as plain data for JSON: stable keys, units in names, unknown as null.

The rule for keys: `…_at_us` becomes `…_at` (ISO 8601, UTC), other `…_us` become `…_ms`, `…_nanousd` stands as it is
beside `…_usd` (a number), and `cost_nano` becomes `cost`, in the report's `currency`. A group is one flat object:
what it is grouped by, then its figures.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.model.call import Call, Cost, Run
from tallybook.model.codec import time_of, to_dict
from tallybook.query.span import Span
from tallybook.query.totals import Coverage, Group, Head, Totals

OBJECTS = ("settings", "variable_values", "broker_values", "metadata")
"""Objects of a run that the application hands in."""


def iso(unix_us: int | None) -> str | None:
    """A moment as ISO 8601 in UTC, to the millisecond."""
    if unix_us is None:
        return None
    return time_of(unix_us).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SIMPLE = frozenset((int, str, float, bool))


def plain(value: Any) -> Any:
    """`value` as dictionaries, lists, text, numbers and None."""
    if value is None or type(value) in _SIMPLE:
        return value
    if isinstance(value, Group):
        return _group(value)
    if isinstance(value, Head):
        return _head(value)
    if isinstance(value, Coverage):
        models = [{"model": model, "calls": calls} for model, calls in value.unpriced]
        return {**_fields(value, skip=("unpriced",)), "unpriced_models": models}
    if isinstance(value, Call):
        return call(value)
    if isinstance(value, Run):
        return _run(value)
    if isinstance(value, Span):
        return _span(value)
    if isinstance(value, msgspec.Struct):
        return _fields(value)
    if isinstance(value, dict):
        out: dict[str, Any] = {}
        for name, item in value.items():
            _put(out, name, item)
        return out
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def report(name: str, value: msgspec.Struct) -> dict[str, Any]:
    """A report as one object: its name, its head's keys, its parts."""
    out: dict[str, Any] = {"report": name}
    for field in value.__struct_fields__:
        item = getattr(value, field)
        if isinstance(item, Head):
            out.update(_head(item))
        else:
            _put(out, field, item)
    return out


def call(value: Call) -> dict[str, Any]:
    """A call with the journal's keys and its cost by part."""
    data = to_dict(value)
    cost = value.cost or Cost()
    data["cost_usd"] = None if cost.total_nanousd is None else cost.total_nanousd / 1e9
    data["cost_nanousd"] = cost.total_nanousd
    parts = {}
    for field in ("input", "cache_read", "cache_write", "output", "tools"):
        amount = getattr(cost, f"{field}_nanousd")
        if amount is not None:
            parts[f"{field}_nanousd"] = amount
    data["cost"] = {"status": cost.status, "price": cost.price, "reasons": list(cost.reasons), **parts}
    return data


def _run(run: Run) -> dict[str, Any]:
    data = _fields(run, skip=("call_count", "error_count", "unpriced_count", "cost_nanousd", *OBJECTS))
    data.update({name: getattr(run, name) for name in OBJECTS})  # The application's own keys stay as they are.
    priced = run.call_count - run.unpriced_count
    data["calls"], data["errors"] = run.call_count, run.error_count
    _put(data, "cost_nanousd", run.cost_nanousd if priced or not run.call_count else None)
    data["priced_calls"], data["unpriced_calls"] = priced, run.unpriced_count
    return data


def _group(group: Group) -> dict[str, Any]:
    out = dict(group.by)
    out.update(_fields(group.totals))
    for name, item in group.more.items():
        _put(out, name, item)
    if group.share_of_calls is not None:
        out["share_of_calls"] = round(group.share_of_calls, 4)
        out["share_of_cost"] = None if group.share_of_cost is None else round(group.share_of_cost, 4)
    if group.previous is not None:
        out["previous"] = _fields(group.previous)
    if group.parts:
        out["breakdown"] = [_group(part) for part in group.parts]
    return out


def _head(head: Head) -> dict[str, Any]:
    return {
        "span": _span(head.span),
        "compared_with": None if head.compared is None else _span(head.compared),
        "filters": head.filters,
        "currency": head.currency,
        "coverage": plain(head.coverage),
        "warnings": head.warnings,
    }


def _span(span: Span) -> dict[str, Any]:
    return {"label": span.label, "since": iso(span.since_us), "until": iso(span.until_us), "timezone": span.zone}


def _fields(value: msgspec.Struct, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in value.__struct_fields__:
        if name not in skip:
            _put(out, name, getattr(value, name))
    return out


def _put(out: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, Totals | Group | Head):
        out[name] = plain(value)
    elif name.endswith("cost_nano"):
        out[name[: -len("_nano")]] = None if value is None else value / 1e9
    elif name.endswith("_at_us"):
        out[name[:-3]] = iso(value)
    elif name.endswith("_us"):
        out[f"{name[:-3]}_ms"] = None if value is None else value / 1000
    elif name.endswith("_nanousd"):
        out[f"{name[: -len('_nanousd')]}_usd"] = None if value is None else value / 1e9
        out[name] = value
    else:
        out[name] = plain(value)
