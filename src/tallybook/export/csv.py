"""CSV: rows of reports, and calls one a line.

Amounts are exact decimals of USD, times ISO 8601 in UTC, unknown is an empty cell. Text that a spreadsheet would
run as a formula gets a `'` before it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TextIO

import msgspec

from tallybook.model.call import Call
from tallybook.model.money import usd
from tallybook.query.plain import iso

_FORMULA = "=+-@\t\r"

COLUMNS = (
    "call_id", "started_at", "provider", "model", "response_model", "operation", "name", "status", "duration_ms",
    "ttft_ms", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "input_audio_tokens", "input_image_tokens", "output_audio_tokens",
    "output_image_tokens", "cost_usd", "cost_status", "project", "environment", "user_id", "session_id", "run_id",
    "parent_id", "agent_name", "tags", "metadata", "tool_calls", "finish_reasons", "error_type", "error_message",
    "http_status", "service_tier", "is_stream", "is_batch", "retries", "source", "git_branch", "response_id",
    "prompt_hash", "response_hash", "flags",
)  # fmt: skip
"""Columns of exported calls, in order. New ones are added at the end."""


def safe(value: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{value}" if value[:1] in _FORMULA and value else value


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    kind = type(value)
    if kind is str:
        return safe(value)
    if kind is int or kind is float:
        return value
    if kind is bool:
        return "true" if value else "false"
    return safe(msgspec.json.encode(value).decode()) if value else ""


def write(rows: Iterable[Mapping[str, Any]], out: TextIO, columns: Sequence[str] = ()) -> None:
    """A header from the first row's keys, then the rows. For no row the header `columns`, nothing without them."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(row.keys())
        writer.writerow([_cell(value) for value in row.values()])
    if writer is None and columns:
        csv.writer(out, lineterminator="\n").writerow(columns)


def _ms(duration_us: int | None) -> float | None:
    return None if duration_us is None else duration_us / 1000


def _cost(call: Call) -> str | None:
    total = None if call.cost is None else call.cost.total_nanousd
    return None if total is None else format(usd(total), "f")


_SPECIAL: dict[str, Callable[[Call], Any]] = {
    "started_at": lambda call: iso(call.started_at_us),
    "duration_ms": lambda call: _ms(call.duration_us),
    "ttft_ms": lambda call: _ms(call.ttft_us),
    "cost_usd": _cost,
    "cost_status": lambda call: "unpriced" if call.cost is None else call.cost.status,
    "tags": lambda call: " ".join(call.tags),
    "tool_calls": lambda call: " ".join(tool.name for tool in call.tool_calls),
    "finish_reasons": lambda call: " ".join(call.finish_reasons),
    "flags": lambda call: " ".join(call.flags),
}


def _getter(name: str) -> Callable[[Call], Any]:
    if name in _SPECIAL:
        return _SPECIAL[name]
    return attrgetter(name if name in Call.__struct_fields__ else f"usage.{name}")


_GETTERS = [_getter(name) for name in COLUMNS]


def cells(call: Call) -> dict[str, Any]:
    """One call by `COLUMNS`."""
    return {name: get(call) for name, get in zip(COLUMNS, _GETTERS, strict=True)}


def calls(batches: Iterable[list[Call]], out: TextIO) -> Iterator[int]:
    """Write calls, the header also when there is none. Yields the number written after each batch."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for batch in batches:
        writer.writerows([_cell(get(call)) for get in _GETTERS] for call in batch)
        yield len(batch)
