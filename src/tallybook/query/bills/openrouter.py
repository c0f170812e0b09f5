"""OpenRouter: the activity export, one line a generation or one a day and model (CSV), and the answer of `/activity`.

Amounts are what was charged in credits; with one's own provider keys that is OpenRouter's fee alone, and the
provider's charge stands beside it (`byok_usage_inference`): it is added, since the ledger's cost is the call's whole
cost. Tokens of single generations may be normalised ones, not the model's own. Days are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tallybook.query.bills.base import Bill, Line, Record, flattened


def is_table(header: Sequence[str]) -> bool:
    """Whether a CSV is one of these."""
    names = set(header)
    return (
        {"cost_total", "tokens_prompt"} <= names
        or {"slug", "usage", "prompt_tokens"} <= names
        or {"date", "model_permaslug", "usage"} <= names
    )


def is_page(page: Mapping[str, Any]) -> bool:
    """Whether a JSON document is one of these."""
    items = page.get("data") or ()
    return any(isinstance(item, Mapping) and "usage" in item and "model_permaslug" in item for item in items)


def from_table(header: Sequence[str], records: Iterable[Record]) -> Bill:
    """The bill of a CSV."""
    single = "cost_total" in header
    return Bill(
        "openrouter",
        f"OpenRouter {'generations' if single else 'activity'}, CSV",
        [_line(record) for record in records],
    )


def from_pages(pages: Sequence[Mapping[str, Any]], file: str) -> Bill:
    """The bill of the endpoint's answer."""
    lines = []
    for page in pages:
        for index, item in enumerate(page.get("data") or ()):
            lines.append(_line(Record(file, f"data[{index}]", flattened(item))))
    return Bill("openrouter", "OpenRouter activity, JSON", lines)


def _line(record: Record) -> Line:
    single = record.text("generation_id") is not None or "cost_total" in record.fields
    date = record.text("date")
    if date is not None and not single:  # A day and model, though the day may be written with a midnight.
        record = record._replace(fields={**record.fields, "date": date[:10]})
    start, end = record.span(("created_at", "date"))
    charged = record.money("cost_total", "usage")
    own = record.money("byok_usage_inference", "byok_usage")
    return Line(
        start,
        end,
        model=record.text("model", "slug", "model_permaslug"),
        key=record.text("api_key_name", "api_key_id", "key_name"),
        project=record.text("app_name"),
        input_tokens=record.whole("tokens_prompt", "prompt_tokens"),
        output_tokens=record.whole("tokens_completion", "completion_tokens"),
        cache_read_tokens=record.whole("tokens_cached"),
        requests=1 if single else record.whole("requests"),
        cost_nanousd=None if charged is None and own is None else (charged or 0) + (own or 0),
    )
