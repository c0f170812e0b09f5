"""Anthropic: the Console's usage and cost exports (CSV), and the answers of `usage_report/messages` and `cost_report`.

Input is told in parts that exclude each other (not cached, written for 5 minutes or an hour, read): their sum is the
total. The cost report's amounts are cents, as decimal text; the CSV's are USD. Models are snapshots in the usage export
and names for people (`Claude Haiku 4.5`) in the cost export. Days are UTC. Priority-tier costs are in neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tallybook.query.bills.base import Bill, Line, Record, buckets, flattened, pages_left

_INPUT = (
    "usage_input_tokens_no_cache", "usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write_1h",
    "usage_input_tokens_cache_write", "usage_input_tokens_cache_read",
    "uncached_input_tokens", "cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens",
    "cache_creation_5m_input_tokens", "cache_creation_1h_input_tokens", "cache_read_input_tokens",
)  # fmt: skip
_READ = tuple(name for name in _INPUT if "cache_read" in name)
_WRITE = tuple(name for name in _INPUT if "cache_write" in name or "creation" in name)


def is_table(header: Sequence[str]) -> bool:
    """Whether a CSV is one of these."""
    names = set(header)
    return "usage_date_utc" in names and bool(names & {"usage_input_tokens_no_cache", "cost_usd"})


def is_page(page: Mapping[str, Any]) -> bool:
    """Whether a JSON document is one of these."""
    return any(isinstance(bucket, Mapping) and "starting_at" in bucket for bucket in page.get("data") or ())


def from_table(header: Sequence[str], records: Iterable[Record]) -> Bill:
    """The bill of a CSV."""
    is_cost = "cost_usd" in header
    lines = [_line(record, record.money("cost_usd")) for record in records]
    return Bill("anthropic", f"Anthropic {'cost' if is_cost else 'usage'}, CSV", lines)


def from_pages(pages: Sequence[Mapping[str, Any]], file: str) -> Bill:
    """The bill of one or several pages."""
    lines = []
    is_cost = False
    for where, bucket, result in buckets(pages, file):
        fields = {**flattened(result), "starting_at": bucket.get("starting_at"), "ending_at": bucket.get("ending_at")}
        record = Record(file, where, fields)
        is_cost |= "amount" in fields
        currency = record.text("currency") or "USD"
        if currency.upper() != "USD":
            raise record.wrong("currency", f"{currency!r} is not USD", "Anthropic's cost report is in USD")
        lines.append(_line(record, record.money("amount", per_unit=100)))
    return Bill(
        "anthropic", f"Anthropic {'cost' if is_cost else 'usage'} report, JSON", lines, remarks=pages_left(pages)
    )


def _line(record: Record, cost_nanousd: int | None) -> Line:
    start, end = record.span(("usage_date_utc", "starting_at"), ("ending_at",))
    kind = record.text("cost_type") or ""
    tokens = kind in ("", "token", "tokens")
    return Line(
        start,
        end,
        model=record.text("model_version", "model"),
        key=record.text("api_key", "api_key_id"),
        project=record.text("workspace", "workspace_id"),
        input_tokens=record.sum(*_INPUT),
        output_tokens=record.whole("usage_output_tokens", "output_tokens"),
        cache_read_tokens=record.sum(*_READ),
        cache_write_tokens=record.sum(*_WRITE),
        requests=record.whole("requests"),
        cost_nanousd=cost_nanousd,
        is_batch="batch" in (record.text("usage_type", "service_tier") or "").lower(),
        item=None if tokens else kind.replace("_", " "),
    )
