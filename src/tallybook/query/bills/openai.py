"""OpenAI: the usage and cost exports of the dashboard (CSV) and the answers of `/v1/organization/usage/…` and `/costs`.

The CSV holds the endpoint's fields as columns: `start_time`, `end_time`, `project_id`, `api_key_id`, `model`, `batch`,
`num_model_requests`, `input_tokens` (cached included), `output_tokens` …, or `amount_value` and `line_item`. A day
without usage has only the first four columns. Days are UTC. Costs come later than usage, by up to a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tallybook.query.bills.base import Bill, Line, Record, buckets, flattened, pages_left

_USAGE = {"num_model_requests", "input_tokens", "output_tokens", "n_context_tokens_total"}
_COST = {"amount_value", "amount.value"}
_EMPTY = {"start_time", "end_time", "start_time_iso", "end_time_iso"}
_OBJECT = "organization."
_ITEMS = {
    "vector_stores": "vector stores",
    "code_interpreter_sessions": "code interpreter",
    "web_search_calls": "web search",
    "file_search_calls": "file search",
}


def is_table(header: Sequence[str]) -> bool:
    """Whether a CSV is one of these."""
    names = set(header)
    return {"start_time", "end_time"} <= names and bool(names & (_USAGE | _COST) or names <= _EMPTY)


def is_page(page: Mapping[str, Any]) -> bool:
    """Whether a JSON document is one of these."""
    for bucket in page.get("data") or ():
        if isinstance(bucket, Mapping) and bucket.get("object") == "bucket" and "start_time" in bucket:
            return True
    return False


def from_table(header: Sequence[str], records: Iterable[Record]) -> Bill:
    """The bill of a CSV."""
    is_cost = bool(_COST & set(header))
    lines = [_line(record) for record in records]
    return Bill("openai", f"OpenAI {'costs' if is_cost else 'usage'}, CSV", lines)


def from_pages(pages: Sequence[Mapping[str, Any]], file: str) -> Bill:
    """The bill of one or several pages."""
    lines = []
    is_cost = False
    for where, bucket, result in buckets(pages, file):
        fields = {**flattened(result), "start_time": bucket.get("start_time"), "end_time": bucket.get("end_time")}
        is_cost |= "amount.value" in fields
        lines.append(_line(Record(file, where, fields)))
    return Bill("openai", f"OpenAI {'costs' if is_cost else 'usage'}, JSON", lines, remarks=pages_left(pages))


def _line(record: Record) -> Line:
    start, end = record.span(("start_time", "start_time_iso"), ("end_time", "end_time_iso"))
    currency = record.text("amount_currency", "amount.currency") or "usd"
    if currency.lower() != "usd":
        raise record.wrong("amount_currency", f"{currency!r} is not usd", "OpenAI's cost export is in USD")
    model, item = _item(record.text("line_item"))
    kind = (record.text("object") or "").removeprefix(_OBJECT).removeprefix("usage.").removesuffix(".result")
    return Line(
        start,
        end,
        model=record.text("model", "snapshot_id") or model,
        key=record.text("api_key_id", "api_key_name"),
        project=record.text("project_id", "project_name"),
        input_tokens=record.whole("input_tokens", "n_context_tokens_total"),
        output_tokens=record.whole("output_tokens", "n_generated_tokens_total"),
        cache_read_tokens=record.whole("input_cached_tokens"),
        cache_write_tokens=record.whole("input_cache_write_tokens"),
        requests=record.whole("num_model_requests", "n_requests"),
        cost_nanousd=record.money("amount_value", "amount.value"),
        is_batch=record.flag("batch"),
        item=_ITEMS.get(kind, item),
    )


def _item(text: str | None) -> tuple[str | None, str | None]:
    """(model, other thing) of a cost's line item: `gpt-4o-2024-08-06, input`, `Web search tool calls`."""
    if text is None:
        return None, None
    head, comma, _ = text.partition(",")
    is_model = bool(comma) and " " not in head.strip()
    return (head.strip(), None) if is_model else (None, text)
