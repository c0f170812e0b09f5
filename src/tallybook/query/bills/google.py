"""Google: the Cloud Billing export, from BigQuery (CSV, JSON, JSON lines) or as the console's cost table (CSV).

It tells SKUs, not models: the model is read out of the SKU's text (`Generate content output token count gemini 2.5
flash`), and with it whether input or output was counted. Only lines of services that serve models count. Amounts are
before credits; in a currency other than USD they are converted at the rate the line itself carries. BigQuery's lines
have hours in UTC, the console's table days in Pacific time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tallybook.query.bills.base import Bill, Line, Record, flattened

PACIFIC = "America/Los_Angeles"
_SERVICES = re.compile(r"gemini|vertex ai|generative language|anthropic|claude|mistral|agent platform", re.IGNORECASE)
_MODEL = re.compile(
    r"(?:gemini[ -]\d(?:\.\d)?[ -](?:pro|flash|ultra|nano|argon|carbon|[a-z]+)(?:[ -](?:lite|image|8b|tts|live))*"
    r"|gemini[ -]embedding|claude[ -](?:\d(?:[.-]\d)?[ -])?(?:opus|sonnet|haiku|fable)(?:[ -]\d(?:[.-]\d)?)?"
    r"|text[ -]embedding[ -]\d+|imagen[ -]\d)",
    re.IGNORECASE,
)
_COST = ("unrounded_cost", "cost", "cost_usd", "unrounded_cost_usd")


def _service(record: Record) -> str | None:
    return record.text("service.description", "service_description", "service")


def _sku(record: Record) -> str | None:
    return record.text("sku.description", "sku_description", "sku")


def is_table(header: Sequence[str]) -> bool:
    """Whether a CSV is one of these."""
    names = set(header)
    return bool(names & {"sku.description", "sku_description"}) and bool(names & set(_COST))


def is_page(page: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a line of such an export."""
    return isinstance(page.get("sku"), Mapping) and "cost" in page


def from_table(header: Sequence[str], records: Iterable[Record]) -> Bill:
    """The bill of a CSV."""
    is_console = "usage_start_date" in header
    return _bill(records, f"Google Cloud {'cost table' if is_console else 'billing export'}, CSV", is_console)


def from_pages(pages: Sequence[Mapping[str, Any]], file: str) -> Bill:
    """The bill of the export's objects."""
    records = [Record(file, f"[{index}]", flattened(page)) for index, page in enumerate(pages)]
    return _bill(records, "Google Cloud billing export, JSON", is_console=False)


def _bill(records: Iterable[Record], form: str, is_console: bool) -> Bill:
    zone = PACIFIC if is_console else "UTC"
    lines = []
    others = 0
    for record in records:
        sku = _sku(record)
        if sku is None:
            continue  # The console's table ends with sums.
        service = _service(record) or ""
        if _SERVICES.search(service) or _MODEL.search(sku):
            lines.append(_line(record, sku, zone))
        else:
            others += 1
    remarks = (f"{others:,} lines are of other services and were left out",) if others else ()
    return Bill("google", form, lines, zone, remarks)


def _line(record: Record, sku: str, zone: str) -> Line:
    start, end = record.span(("usage_start_time", "usage_start_date"), ("usage_end_time",), zone)
    cost = record.money(*_COST)
    currency = (record.text("currency", "cost_currency") or "USD").upper()
    if currency != "USD" and cost is not None:
        rate = record.text("currency_conversion_rate")
        if rate is None:
            raise record.wrong(
                "currency", f"{currency} without a conversion rate", "export from BigQuery, which has one"
            )
        number = record.money("currency_conversion_rate")
        if not number:
            raise record.wrong("currency_conversion_rate", f"{rate!r} is no rate")
        cost = round(cost * 1_000_000_000 / number)
    found = _MODEL.search(sku)
    amount = _tokens(record, sku)
    words = sku.lower()
    is_output = "output" in words or "response" in words or "thinking" in words
    cached = "cach" in words
    return Line(
        start,
        end,
        model=None if found is None else re.sub(r"[ ]+", "-", found.group().lower()),
        project=record.text("project.id", "project_id", "project.name", "project_name"),
        input_tokens=None if is_output else amount,
        output_tokens=amount if is_output else None,
        cache_read_tokens=amount if cached and "storage" not in words and not is_output else None,
        cost_nanousd=cost,
        is_batch="batch" in words,
        item=None if found is not None and amount is not None else sku,
    )


def _tokens(record: Record, sku: str) -> int | None:
    """Tokens of a line; `None` when it counts something else."""
    unit = (record.text("usage.unit", "usage_unit") or "").lower()
    words = sku.lower()
    if "token" not in words or "storage" in words or "hour" in unit:
        return None
    text = record.text("usage.amount", "usage_amount")
    if text is None or unit not in ("", "count", "tokens", "1", "requests", "request"):
        return None
    column = "usage.amount" if "usage.amount" in record.fields else "usage_amount"
    return round(float(record._number(column, text)))
