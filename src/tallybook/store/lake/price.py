"""Costs in SQL: the rules of `prices.cost`, for all calls of a table at once.

The distinct keys of a batch are looked up once and laid out as cells (key by time span by input size), each with
the one rate in force there; calls are joined to their cell and integers multiplied. A contract test holds this
and the reference together to the last nano-USD.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import msgspec

from tallybook.model.usage import TOKEN_FIELDS
from tallybook.prices import cost as rules
from tallybook.prices.base import Key, Rate
from tallybook.store.lake.engine import duckdb

_FAR_US = 1 << 60
_FAR_TOKENS = 1 << 62


class Prices(Protocol):
    """Where rates come from: `prices.book.PriceBook`, or a table in tests."""

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        """All dated rates of each key; empty for an unknown model."""
        ...


class Cell(NamedTuple):
    """The rate in force for one key in [since, until) for inputs in (above, up_to]."""

    provider: str
    model: str
    service_tier: str | None
    is_batch: bool
    since_us: int
    until_us: int
    above: int
    up_to: int
    input: int | None
    output: int | None
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    input_audio: int | None
    input_image: int | None
    reasoning: int | None
    output_audio: int | None
    output_image: int | None
    request_nanousd: int
    tools: dict[str, int]
    price: str
    is_free: bool
    estimated: str | None
    lacking: tuple[str, ...]


_CELL_TYPES = (
    '[{"provider":"VARCHAR","model":"VARCHAR","service_tier":"VARCHAR","is_batch":"BOOLEAN","since_us":"BIGINT",'
    '"until_us":"BIGINT","above":"BIGINT","up_to":"BIGINT","input":"HUGEINT","output":"HUGEINT",'
    '"cache_read":"HUGEINT","cache_write_5m":"HUGEINT","cache_write_1h":"HUGEINT","input_audio":"HUGEINT",'
    '"input_image":"HUGEINT","reasoning":"HUGEINT","output_audio":"HUGEINT","output_image":"HUGEINT",'
    '"request_nanousd":"BIGINT","tools":"MAP(VARCHAR,BIGINT)","price":"VARCHAR","is_free":"BOOLEAN",'
    '"estimated":"VARCHAR","lacking":["VARCHAR"]}]'
)


def cells(key: Key, rates: Sequence[Rate]) -> list[Cell]:
    """The rates of a key without overlaps: every call falls into at most one cell."""
    times = sorted({-_FAR_US, _FAR_US, *(r.since_us for r in rates if r.since_us is not None),
                    *(r.until_us for r in rates if r.until_us is not None)})  # fmt: skip
    sizes = sorted({-_FAR_TOKENS, _FAR_TOKENS, *(r.above_input_tokens for r in rates if r.above_input_tokens)})
    found: list[Cell] = []
    for since, until in pairwise(times):
        for above, up_to in pairwise(sizes):
            rate = rules.rate_at(rates, since, up_to)
            if rate is None:
                continue
            found.append(
                Cell(
                    key.provider, key.model, key.service_tier, key.is_batch, since, until, above, up_to,
                    *rules.effective(rate), rate.request_nanousd, rate.tools_nanousd, rate.price, rate.is_free,
                    None if rate.estimated is None else _inside_json(rate.estimated), rate.lacking,
                )
            )  # fmt: skip
    return found


def _inside_json(text: str) -> str:
    """A text as it stands between the quotes of JSON."""
    return msgspec.json.encode(text).decode()[1:-1]


def load_cells(con: duckdb.DuckDBPyConnection, table: str, prices: Prices | None) -> None:
    """Make the temporary table `cells` with the rates of all keys in `table`."""
    rows: list[dict[str, Any]] = []
    if prices is not None:
        keys = [
            Key(provider, model, tier, batch)
            for provider, model, tier, batch in con.execute(
                f"SELECT DISTINCT provider, coalesce(model, ''), service_tier, is_batch FROM {table}"
                " WHERE stated_nanousd IS NULL"
            ).fetchall()
        ]
        for key, rates in prices.rates(keys).items():
            rows.extend(cell._asdict() for cell in cells(key, rates))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE cells AS SELECT unnest(from_json(?, ?), max_depth := 2)",
        [msgspec.json.encode(rows).decode(), _CELL_TYPES],
    )


def _tokens(*names: str) -> str:
    return " + ".join(f"coalesce({name}_tokens, 0)" for name in names)


def _own(*names: str) -> tuple[str, str]:
    """Tokens and pico-USD of those parts that have a price of their own."""
    tokens = " + ".join(f"CASE WHEN c.{n} IS NULL THEN 0 ELSE coalesce({n}_tokens, 0) END" for n in names)
    amount = " + ".join(f"coalesce({n}_tokens * c.{n}, 0)" for n in names)
    return tokens, amount


_REQUESTS = "map_entries(CAST(CAST(requests AS JSON) AS MAP(VARCHAR, BIGINT)))"
_TOOLS = (
    "c.request_nanousd + CASE WHEN requests IS NULL THEN 0 ELSE "
    f"coalesce(list_sum(list_transform({_REQUESTS}, lambda e: coalesce(c.tools[e.key], 0) * e.value)), 0) END"
)
_TOOLS_LACKING = (
    "CASE WHEN requests IS NULL THEN NULL ELSE nullif(list_aggregate(list_transform(list_filter("
    f"{_REQUESTS}, lambda e: e.value <> 0 AND c.tools[e.key] IS NULL), lambda e: 'no_price_for:' || e.key), "
    "'string_agg', '\",\"'), '') END"
)
_PARTS_USED = (
    "CASE p " + " ".join(f"WHEN '{n.removesuffix('_tokens')}' THEN {n}" for n in TOKEN_FIELDS) + " END"
)  # fmt: skip
_PARTS_LACKING = (
    "CASE WHEN len(c.lacking) = 0 THEN NULL ELSE nullif(list_aggregate(list_transform(list_filter(c.lacking, "
    f"lambda p: coalesce({_PARTS_USED}, 0) <> 0), lambda p: 'no_price_for:' || p), 'string_agg', '\",\"'), '') END"
)


_REFUSED = (
    "(status = 'error' AND coalesce(http_status, 0) >= 400 AND input_tokens IS NULL AND output_tokens IS NULL"
    " AND stated_nanousd IS NULL)"
)


def _amounts_sql(table: str) -> str:
    """Calls with their cell, and the pico-USD and token sums that the rules speak of."""
    in_tokens, in_amount = _own("input_audio", "input_image")
    out_tokens, out_amount = _own("reasoning", "output_audio", "output_image")
    return f"""
SELECT t.*, {_REFUSED} AS refused, CASE WHEN refused THEN NULL ELSE c.price END AS price_text,
    coalesce(c.is_free, false) OR refused AS is_free, c.request_nanousd, c.estimated, c.input AS base_in,
    c.output AS base_out, c.provider IS NOT NULL AS found,
    {_tokens("cache_read", "cache_write_5m", "cache_write_1h")} AS cached_tokens,
    {in_tokens} AS in_apart, {out_tokens} AS out_apart,
    coalesce(input_tokens, 0) - cached_tokens - in_apart AS in_rest, coalesce(output_tokens, 0) - out_apart AS out_rest,
    {in_amount} + greatest(in_rest, 0) * coalesce(c.input, 0) AS fresh,
    coalesce(cache_read_tokens, 0) * c.cache_read AS read_amount,
    coalesce(cache_write_5m_tokens, 0) * c.cache_write_5m + coalesce(cache_write_1h_tokens, 0) * c.cache_write_1h
        AS write_amount,
    {out_amount} + greatest(out_rest, 0) * coalesce(c.output, 0) AS out_amount,
    {_TOOLS} AS tools_amount,
    concat_ws('","', {_PARTS_LACKING}, {_TOOLS_LACKING},
        CASE WHEN input_tokens IS NULL AND c.input <> 0 THEN 'input_tokens_unknown' END,
        CASE WHEN output_tokens IS NULL AND c.output <> 0 THEN 'output_tokens_unknown' END) AS lacks
FROM {table} t LEFT JOIN cells c ON c.provider = t.provider AND c.model = coalesce(t.model, '')
    AND c.service_tier IS NOT DISTINCT FROM t.service_tier AND c.is_batch = t.is_batch
    AND epoch_us(t.started_at) >= c.since_us AND epoch_us(t.started_at) < c.until_us
    AND coalesce(t.input_tokens, 0) > c.above AND coalesce(t.input_tokens, 0) <= c.up_to
"""


_UNPRICED = """CASE
    WHEN stated_nanousd IS NOT NULL OR is_free THEN NULL
    WHEN input_tokens IS NULL AND output_tokens IS NULL AND coalesce(request_nanousd, 0) = 0 THEN 'usage_missing'
    WHEN NOT found THEN 'unknown_model'
    ELSE nullif(concat_ws('","', CASE WHEN base_in IS NULL AND input_tokens <> 0 THEN 'no_price_for:input' END,
        CASE WHEN base_out IS NULL AND output_tokens <> 0 THEN 'no_price_for:output' END), '') END"""

_DOUBTS = """CASE WHEN in_rest < 0 OR out_rest < 0 OR estimated IS NOT NULL OR flags IS NOT NULL
        OR (in_apart <> 0 AND cached_tokens <> 0)
    THEN concat_ws('","', CASE WHEN in_rest < 0 THEN 'parts_exceed_input' END,
        CASE WHEN in_apart <> 0 AND cached_tokens <> 0 THEN 'cache_by_modality_unknown' END,
        CASE WHEN out_rest < 0 THEN 'parts_exceed_output' END,
        CASE WHEN contains(flags, '"usage_estimated"') THEN 'usage_estimated' END, estimated)
    ELSE '' END"""


def _nano(amount: str) -> str:
    return f"(({amount} + 500) // 1000)"


def priced_sql(table: str, columns: str = "*") -> str:
    """SELECT of `table` with the columns of the cost; `table` has `PRICE_INPUTS` and `stated_nanousd`."""
    part = "CASE WHEN stated_nanousd IS NOT NULL OR unpriced IS NOT NULL THEN NULL WHEN is_free THEN 0 ELSE {} END"
    cut = {
        "input_cost_nanousd": "sum_in",
        "cache_read_cost_nanousd": "sum_read - sum_in",
        "cache_write_cost_nanousd": "sum_write - sum_read",
        "output_cost_nanousd": "sum_all - sum_write",
        "tools_cost_nanousd": "tools_amount",
    }
    parts = ",\n    ".join(f"TRY_CAST({part.format(sql)} AS BIGINT) AS {name}" for name, sql in cut.items())
    reasons = (
        "concat_ws('\",\"', CASE WHEN refused THEN 'not_billed' END, unpriced, "
        "nullif(CASE WHEN certain THEN '' ELSE lacks END, ''), nullif(CASE WHEN certain THEN '' ELSE doubts END, ''))"
    )
    return f"""
SELECT {columns} FROM (SELECT * EXCLUDE (price_text, is_free, request_nanousd, estimated, base_in, base_out, found,
        cached_tokens, in_apart, out_apart, in_rest, out_rest, fresh, read_amount, write_amount, out_amount,
        tools_amount, lacks, refused, sum_in, sum_read, sum_write, sum_all, unpriced, doubts, certain, stated_nanousd,
        reasons),
    TRY_CAST(CASE WHEN stated_nanousd IS NOT NULL THEN stated_nanousd WHEN unpriced IS NOT NULL THEN NULL
        WHEN is_free THEN 0 ELSE sum_all + tools_amount END AS BIGINT) AS cost_nanousd,
    {parts},
    CASE WHEN stated_nanousd IS NOT NULL THEN 'reported' WHEN is_free THEN 'free' WHEN unpriced IS NOT NULL
        THEN 'unpriced' WHEN lacks <> '' THEN 'partial' WHEN doubts <> '' THEN 'estimated' ELSE 'priced' END
        AS cost_status,
    CASE WHEN stated_nanousd IS NULL AND (unpriced IS NULL OR starts_with(unpriced, 'no_price_for'))
        THEN price_text END AS price,
    CASE WHEN reasons <> '' THEN '["' || reasons || '"]' END AS cost_reasons
FROM (SELECT *, {_nano("fresh")} AS sum_in, {_nano("fresh + read_amount")} AS sum_read,
    {_nano("fresh + read_amount + write_amount")} AS sum_write,
    {_nano("fresh + read_amount + write_amount + out_amount")} AS sum_all,
    {_UNPRICED} AS unpriced, {_DOUBTS} AS doubts,
    stated_nanousd IS NOT NULL OR coalesce(is_free, false) OR unpriced IS NOT NULL AS certain,
    {reasons} AS reasons
FROM ({_amounts_sql(table)})))
"""
