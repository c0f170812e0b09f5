"""CSV: rows of reports, and calls one a line.

Amounts are exact decimals of USD, times ISO 8601 in UTC, unknown is an empty cell. Text that a spreadsheet would
run as a formula gets a `'` before it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

import msgspec

from tallybook.model.call import Call
from tallybook.model.money import usd
from tallybook.query.plain import iso

_FORMULA = ("=", "+", "-", "@", "\t", "\r")

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


def safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return msgspec.json.encode(value).decode() if value else ""
    return safe(value)


def write(rows: Iterable[Mapping[str, Any]], out: TextIO) -> None:
    """A header from the first row's keys, then the rows. Nothing at all for no row."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(row.keys())
        writer.writerow([_cell(value) for value in row.values()])


def cells(call: Call) -> dict[str, Any]:
    """One call by `COLUMNS`."""
    cost = call.cost
    special: dict[str, Any] = {
        "started_at": iso(call.started_at_us),
        "duration_ms": None if call.duration_us is None else call.duration_us / 1000,
        "ttft_ms": None if call.ttft_us is None else call.ttft_us / 1000,
        "cost_usd": None if cost is None or cost.total_nanousd is None else format(usd(cost.total_nanousd), "f"),
        "cost_status": "unpriced" if cost is None else cost.status,
        "tags": " ".join(call.tags),
        "tool_calls": " ".join(tool.name for tool in call.tool_calls),
        "finish_reasons": " ".join(call.finish_reasons),
        "flags": " ".join(call.flags),
    }
    found = {}
    for name in COLUMNS:
        if name in special:
            found[name] = special[name]
        elif name in Call.__struct_fields__:
            found[name] = getattr(call, name)
        else:
            found[name] = getattr(call.usage, name)
    return found


def calls(batches: Iterable[list[Call]], out: TextIO) -> Iterator[int]:
    """Write calls, the header also when there is none. Yields the number written after each batch."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for batch in batches:
        writer.writerows([_cell(value) for value in cells(call).values()] for call in batch)
        yield len(batch)
