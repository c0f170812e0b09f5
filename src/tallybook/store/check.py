"""What a question or filter may name, and the errors that say what it should have been.

Both stores check here first, so that they accept the same questions and refuse them in the same words.
It knows names and types, not how a store computes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tallybook.model.errors import InputError
from tallybook.model.question import (
    DIMENSIONS,
    FAILURE_DIMENSIONS,
    FAILURE_MEASURES,
    MEASURES,
    TOOL_DIMENSIONS,
    TOOL_MEASURES,
    Filter,
    Grain,
    Op,
    Question,
)
from tallybook.model.usage import TOKEN_FIELDS

METADATA = "metadata."
BOOL_FIELDS = frozenset({"is_stream", "is_batch", "server_side"})
INT_FIELDS = frozenset(
    {"duration_us", "ttft_us", "cost_nanousd", "total_tokens", "http_status", "hour_of_day", "day_of_week"}
) | frozenset(TOKEN_FIELDS)
CALL_FIELDS = (
    *DIMENSIONS, "call_id", "response_id", "parent_id", "duration_us", "ttft_us", "cost_nanousd", "total_tokens",
    "http_status", "error_message", "operation_or_name", *TOKEN_FIELDS,
)  # fmt: skip
"""Fields that a filter on calls may name, besides `metadata.<key>`."""

_LISTS: tuple[Op, ...] = ("in", "not_in")


def _unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    from difflib import get_close_matches  # here, because only a mistake needs it

    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
    return InputError(f"unknown {kind} {name!r}; {hint}", field=name, hint=hint)


def _value(field: str, op: Op, value: Any) -> Any:
    """One filter value as the type of its field. Raises InputError."""
    if value is None:
        return None
    if field in BOOL_FIELDS:
        text = str(value).lower()
        if text not in ("true", "false", "1", "0"):
            raise InputError(f"{field} is true or false, not {value!r}", field=field)
        return text in ("true", "1")
    if field in INT_FIELDS and op != "contains":
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{field} is a whole number, not {value!r}", field=field) from error
    if field.startswith(METADATA) and op in ("gte", "lt") and isinstance(value, int | float):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def checked_filter(given: Filter, known: Sequence[str] = CALL_FIELDS) -> Filter:
    """The filter with its value as the field's type. Raises InputError naming the field or the value."""
    field = given.field
    if not (field.startswith(METADATA) and len(field) > len(METADATA)) and field not in known:
        raise _unknown("field", field, known)
    if given.op not in get_args(Op):
        raise _unknown("operator", given.op, get_args(Op))
    if given.op in ("exists", "missing"):
        return Filter(field, given.op)
    if given.op in _LISTS:
        if isinstance(given.value, str) or not isinstance(given.value, Iterable):
            raise InputError(f"{given.op} on {field} needs a list of values, not {given.value!r}", field=field)
        return Filter(field, given.op, tuple(_value(field, given.op, one) for one in given.value))
    if given.value is None:
        if given.op == "eq":
            return Filter(field, "missing")
        if given.op == "ne":
            return Filter(field, "exists")
        raise InputError(f"{given.op} on {field} needs a value", field=field)
    return Filter(field, given.op, _value(field, given.op, given.value))


def checked_filters(filters: Sequence[Filter], known: Sequence[str] = CALL_FIELDS) -> tuple[Filter, ...]:
    """All filters checked and with typed values."""
    return tuple(checked_filter(one, known) for one in filters)


def zone_of(name: str) -> ZoneInfo:
    """The zone by its IANA name. Raises InputError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"unknown time zone {name!r}", field="zone", hint="use an IANA name such as Europe/Berlin"
        ) from error


def checked_question(question: Question) -> Question:
    """The question with typed filter values and its full order. Raises InputError naming what is unknown."""
    is_tools = question.source == "tool_calls"
    if question.source not in ("calls", "tool_calls"):
        raise _unknown("source", question.source, ("calls", "tool_calls"))
    dimensions = (*TOOL_DIMENSIONS, *FAILURE_DIMENSIONS) if is_tools else DIMENSIONS
    measures = TOOL_MEASURES if is_tools else MEASURES
    for name in question.dimensions:
        if is_tools and name.startswith(METADATA):
            raise _unknown("dimension", name, dimensions)
        if not (name.startswith(METADATA) and len(name) > len(METADATA)) and name not in dimensions:
            raise _unknown("dimension", name, dimensions)
    for name in question.measures:
        if name not in measures:
            raise _unknown("measure", name, measures)
    if not question.measures:
        raise InputError("a question needs at least one measure", field="measures")
    if question.grain is not None and question.grain not in get_args(Grain):
        raise _unknown("grain", question.grain, get_args(Grain))
    zone_of(question.zone)
    if question.limit is not None and question.limit < 0:
        raise InputError("limit must not be negative", field="limit")
    columns = columns_of(question)
    for name, direction in question.order:
        if name not in columns:
            raise _unknown("column to order by", name, columns)
        if direction not in ("asc", "desc"):
            raise InputError(f"order is asc or desc, not {direction!r}", field="order")
    known = dimensions if is_tools else CALL_FIELDS
    if is_tools:
        _check_failures(question)
    for one in question.filters:
        if is_tools and one.field.startswith(METADATA):
            raise _unknown("field", one.field, known)
    filters = checked_filters(question.filters, known)
    return Question(
        measures=question.measures, dimensions=question.dimensions, filters=filters, since_us=question.since_us,
        until_us=question.until_us, grain=question.grain, zone=question.zone, order=_order(question),
        limit=question.limit, source=question.source,
    )  # fmt: skip


def _check_failures(question: Question) -> None:
    """What is asked by the text of failures is about failures. Raises InputError."""
    by_error = "error" in question.dimensions or any(one.field == "error" for one in question.filters)
    for name in question.measures if by_error else ():
        if name not in FAILURE_MEASURES:
            raise InputError(
                f"{name!r} is not known by the error of a tool use", field=name,
                hint=f"measures beside error: {', '.join(FAILURE_MEASURES)}",
            )  # fmt: skip


def columns_of(question: Question) -> tuple[str, ...]:
    """The answer's columns: `time` if asked, dimensions, measures."""
    return (*(("time",) if question.grain else ()), *question.dimensions, *question.measures)


def _order(question: Question) -> tuple[tuple[str, Any], ...]:
    """The asked order, made total: what it leaves equal goes by time and dimensions."""
    keys: list[tuple[str, Any]] = list(question.order)
    if not keys:
        keys = [("time", "asc")] if question.grain else []
        keys.append((question.measures[0], "desc"))
    rest = [*(["time"] if question.grain else []), *question.dimensions]
    named = {name for name, _ in keys}
    return (*keys, *((name, "asc") for name in rest if name not in named))
