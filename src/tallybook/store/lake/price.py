"""Costs in SQL: the rules of `prices.cost`, for all calls of a table at once.

The distinct keys of a batch are looked up once and laid out as cells (key by time span by hours by input size), each
with the one rate in force there; calls are joined to their cell and integers multiplied. A contract test holds this
and the reference together to the last nano-USD.

A price book says which of a key's rarer parts its prices depend on (`needs`); only those are told apart. What no call
of a batch has (`load_cells` says so) does not stand in its statement at all: planning the whole takes as long as
pricing some ten thousand calls.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple, Protocol

import msgspec

from tallybook.model.usage import TOKEN_FIELDS
from tallybook.prices import cost as rules
from tallybook.prices import facts
from tallybook.prices.base import DAY_MINUTES, Key, Rate
from tallybook.store.lake.engine import duckdb

_FAR_US = 1 << 60
_FAR_TOKENS = 1 << 62


class Prices(Protocol):
    """Where rates come from: `prices.book.PriceBook`, or a table in tests."""

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        """All dated rates of each key; empty for an unknown model."""
        ...


_MODEL = "coalesce(model, '') AS key_model"
_FACTS = "CASE WHEN contains(flags, ':') THEN flags END AS key_facts"
_RARE = {
    "base_url": "base_url AS key_base_url",
    "deployment": "CASE WHEN requested_model <> coalesce(model, '') THEN requested_model END AS key_deployment",
    "project": "project AS key_project",
}
"""Parts of a key that most prices do not depend on, and how they follow from the columns of a call."""


class Cell(NamedTuple):
    """The rate in force for one key in [since, until), in certain hours, for inputs in (above, up_to]."""

    provider: str
    model: str
    service_tier: str | None
    is_batch: bool
    facts: str | None
    """Flags that state a fact, as the JSON text in the table."""
    base_url: str | None
    deployment: str | None
    project: str | None
    since_us: int
    until_us: int
    from_minute: int
    to_minute: int
    days: str
    holidays: tuple[int, ...]
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
    cache_read_audio: int
    cache_read_image: int
    request_nanousd: int
    tools: dict[str, int]
    tools_once: tuple[str, ...]
    units: dict[str, int]
    units_instead: bool
    price: str
    is_free: bool
    estimated: str | None
    lacking: tuple[str, ...]
    lack_mask: int


_CELL_TYPES = (
    '[{"provider":"VARCHAR","model":"VARCHAR","service_tier":"VARCHAR","is_batch":"BOOLEAN","facts":"VARCHAR",'
    '"base_url":"VARCHAR","deployment":"VARCHAR","project":"VARCHAR","since_us":"BIGINT","until_us":"BIGINT",'
    '"from_minute":"INTEGER","to_minute":"INTEGER","days":"VARCHAR","holidays":["INTEGER"],"above":"BIGINT","up_to":"BIGINT","input":"HUGEINT","output":"HUGEINT",'
    '"cache_read":"HUGEINT","cache_write_5m":"HUGEINT","cache_write_1h":"HUGEINT","input_audio":"HUGEINT",'
    '"input_image":"HUGEINT","reasoning":"HUGEINT","output_audio":"HUGEINT","output_image":"HUGEINT",'
    '"cache_read_audio":"HUGEINT","cache_read_image":"HUGEINT","request_nanousd":"BIGINT",'
    '"tools":"MAP(VARCHAR,BIGINT)","tools_once":["VARCHAR"],"units":"MAP(VARCHAR,HUGEINT)","units_instead":"BOOLEAN","price":"VARCHAR","is_free":"BOOLEAN",'
    '"estimated":"VARCHAR","lacking":["VARCHAR"],"lack_mask":"INTEGER"}]'
)


def cells(key: Key, rates: Sequence[Rate], told: str | None = None) -> list[Cell]:
    """The rates of a key without overlaps: every call falls into at most one cell. `told`: its facts as JSON text."""
    times = sorted({-_FAR_US, _FAR_US, *(r.since_us for r in rates if r.since_us is not None),
                    *(r.until_us for r in rates if r.until_us is not None)})  # fmt: skip
    sizes = sorted({-_FAR_TOKENS, _FAR_TOKENS, *(r.above_input_tokens for r in rates if r.above_input_tokens)})
    minutes = sorted({0, DAY_MINUTES, *(r.from_minute for r in rates), *(r.to_minute for r in rates)})
    kinds = ("work", "rest") if any(r.days for r in rates) else ("",)
    holidays = tuple(sorted({day for r in rates for day in r.holidays}))
    name = (key.provider, key.model, key.service_tier, key.is_batch, told, key.base_url, key.deployment, key.project)
    found: list[Cell] = []
    for since, until in pairwise(times):
        current = [r for r in rates if (r.since_us is None or r.since_us <= since) and (r.until_us or until) >= until]
        for (start, end), kind, (above, up_to) in product(pairwise(minutes), kinds, pairwise(sizes)):
            rate = _in_force(current, start, kind, up_to)
            if rate is None:
                continue
            values: tuple[Any, ...] = (
                *name, since, until, start, end, kind, holidays if kind else (), above, up_to, *rules.effective(rate),
                rate.request_nanousd, rate.tools_nanousd, rate.tools_once, rate.units_attousd, rate.units_instead,
                rate.price, rate.is_free, '","'.join(map(_inside_json, rate.doubts)) or None, rate.lacking,
                sum({_MASKS.get(part, 0) for part in rate.lacking}),
            )  # fmt: skip
            found.append(Cell(*values))
    return found


def _in_force(rates: Sequence[Rate], minute: int, kind: str, size: int) -> Rate | None:
    """As `rules.rate_at`, of rates in force in the same time span."""
    found: Rate | None = None
    for rate in rates:
        if not rate.from_minute <= minute < rate.to_minute or rate.days not in ("", kind):
            continue
        if rate.above_input_tokens and size <= rate.above_input_tokens:
            continue
        if found is None or rate.above_input_tokens > found.above_input_tokens:
            found = rate
    return found


def _inside_json(text: str) -> str:
    """A text as it stands between the quotes of JSON."""
    return msgspec.json.encode(text).decode()[1:-1]


_RARELY = ("requests", "quantities", "flags", *TOKEN_FIELDS[2:])
HOURS = "hours"
LACKING = "lacking"
_RATES = (
    "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "input_audio", "input_image", "reasoning",
    "output_audio", "output_image", "cache_read_audio", "cache_read_image",
)  # fmt: skip
_AMOUNT_MAX = 1 << 60
"""Pico-USD up to which a batch is worked out in 64 bits: in 128 it takes twice as long."""


def _looked_at(con: duckdb.DuckDBPyConnection, table: str) -> tuple[set[str], int | None]:
    """Columns that are unknown of every call, and the most tokens that one can have; `None` where that is not told."""
    most = ", ".join(f"max({name})" for name in TOKEN_FIELDS)
    least = f"least({', '.join(f'min({name})' for name in TOKEN_FIELDS)})"
    counts = ", ".join(f"count({name})" for name in _RARELY)
    row = con.execute(f"SELECT {least}, {most}, {counts} FROM {table}").fetchone() or ()
    size = 1 + len(TOKEN_FIELDS)
    absent = {name for name, count in zip(_RARELY, row[size:], strict=True) if not count}
    # Parts of the input also stand among the quantities.
    is_told = "quantities" in absent and (row[0] is None or row[0] >= 0)
    return absent, sum(tokens or 0 for tokens in row[1:size]) if is_told else None


def load_cells(con: duckdb.DuckDBPyConnection, table: str, prices: Prices | None) -> frozenset[str]:
    """Make the temporary table `cells` with the rates of all keys in `table`.

    What is returned is for `priced_sql`: columns that are unknown of every call, `HOURS` when no rate is of certain
    hours, and `LACKING` when none lacks a part.
    """
    rows: list[dict[str, Any]] = []
    absent, tokens = _looked_at(con, table)
    if prices is not None:
        told: dict[Key, list[str | None]] = {}
        needs = needed(prices)
        rare = ", ".join(sql if name in needs else f"NULL AS {name}" for name, sql in _RARE.items())
        for provider, model, tier, batch, flags, base_url, deployment, project in con.execute(
            f"SELECT DISTINCT provider, {_MODEL}, service_tier, is_batch, {_FACTS}, {rare} FROM {table}"
            " WHERE stated_nanousd IS NULL"
        ).fetchall():
            known = facts.flagged(msgspec.json.decode(flags)) if flags else ()
            key = Key(provider, model, tier, batch, known, base_url, deployment, project)
            told.setdefault(key, []).append(flags)
        found = prices.rates(list(told))
        for key, texts in told.items():
            rows.extend(cell._asdict() for text in texts for cell in cells(key, found[key], text))
    is_small = tokens is not None and all(
        (tokens + 1) * (row[rate] or 0) < _AMOUNT_MAX for row in rows for rate in _RATES
    )
    types = _CELL_TYPES.replace('":"HUGEINT"', '":"BIGINT"') if is_small else _CELL_TYPES
    con.execute(
        "CREATE OR REPLACE TEMP TABLE cells AS SELECT unnest(from_json(?, ?), max_depth := 2)",
        [msgspec.json.encode(rows).decode(), types],
    )
    if not any(row["days"] or row["to_minute"] - row["from_minute"] < DAY_MINUTES for row in rows):
        absent.add(HOURS)
    if not any(row["lacking"] for row in rows):
        absent.add(LACKING)
    return frozenset(absent)


def needed(prices: Prices | None) -> frozenset[str]:
    """Which rare parts of a key the prices depend on; all where they do not say."""
    return frozenset() if prices is None else frozenset(getattr(prices, "needs", _RARE))


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms) or "0"


def _own(names: Sequence[str]) -> tuple[str, str]:
    """Tokens and pico-USD of those parts that have a price of their own."""
    tokens = _sum(f"CASE WHEN c.{n} IS NULL THEN 0 ELSE coalesce({n}_tokens, 0) END" for n in names)
    amount = _sum(f"coalesce({n}_tokens * c.{n}, 0)" for n in names)
    return tokens, amount


_REQUESTS = "map_entries(CAST(CAST(requests AS JSON) AS MAP(VARCHAR, BIGINT)))"
_QUANTITIES = "map_entries(CAST(CAST(quantities AS JSON) AS MAP(VARCHAR, BIGINT)))"
_UNTOLD = "(input_tokens IS NULL AND output_tokens IS NULL)"
_UNITS = (
    f"CASE WHEN quantities IS NULL OR (c.units_instead AND NOT {_UNTOLD}) THEN 0 ELSE (coalesce(list_sum("
    f"list_transform({_QUANTITIES}, lambda e: coalesce(c.units[e.key], 0) * e.value)), 0) + 500000000) // 1000000000"
    " END"
)
_TOOLS = (
    "c.request_nanousd + CASE WHEN requests IS NULL THEN 0 ELSE "
    f"coalesce(list_sum(list_transform({_REQUESTS}, lambda e: coalesce(c.tools[e.key], 0) * "
    "CASE WHEN list_contains(c.tools_once, e.key) THEN least(e.value, 1) ELSE e.value END)), 0) END"
)
_UNITS_TOLD = (
    "CASE WHEN quantities IS NULL THEN '' ELSE coalesce(list_aggregate(list_transform(list_filter("
    f"{_QUANTITIES}, lambda e: e.value <> 0), lambda e: 'no_price_for:' || e.key), 'string_agg', '\",\"'), '') END"
)
_UNITS_PRICED = (
    "CASE WHEN quantities IS NULL THEN false ELSE len(list_filter("
    f"{_QUANTITIES}, lambda e: e.value <> 0 AND c.units[e.key] IS NOT NULL)) > 0 END"
)
_UNITS_LACKING = (
    f"CASE WHEN quantities IS NULL OR c.units_instead THEN NULL ELSE nullif(list_aggregate(list_transform(list_filter("
    f"[{', '.join(repr(unit) for unit in rules.BILLED_UNITS)}], lambda u: coalesce(CAST(CAST(quantities AS JSON)->>u "
    "AS BIGINT), 0) <> 0 AND c.units[u] IS NULL), lambda u: 'no_price_for:' || u), 'string_agg', '\",\"'), '') END"
)
_UNKNOWN = (
    "CASE WHEN contains(flags, '\"unknown:') THEN nullif(list_aggregate(list_filter(CAST(CAST(flags AS JSON) AS "
    "VARCHAR[]), lambda f: starts_with(f, 'unknown:')), 'string_agg', '\",\"'), '') END"
)
_SPLIT = "CASE WHEN quantities IS NULL THEN 0 ELSE coalesce(CAST(CAST(quantities AS JSON)->>'{}' AS BIGINT), 0) END"
_TOOLS_LACKING = (
    "CASE WHEN requests IS NULL THEN NULL ELSE nullif(list_aggregate(list_transform(list_filter("
    f"{_REQUESTS}, lambda e: e.value <> 0 AND c.tools[e.key] IS NULL), lambda e: 'no_price_for:' || e.key), "
    "'string_agg', '\",\"'), '') END"
)
_MASKS = {name.removesuffix("_tokens"): 1 << place for place, name in enumerate(TOKEN_FIELDS)}
"""A bit for each token part: whether anything is lacking is told from two numbers, for nearly all calls."""
_PARTS_USED = (
    "CASE p " + " ".join(f"WHEN '{n.removesuffix('_tokens')}' THEN {n}" for n in TOKEN_FIELDS) + " END"
)  # fmt: skip
_PARTS_LACKING = (
    "CASE WHEN c.lack_mask & ({}) = 0 THEN NULL ELSE nullif(list_aggregate(list_transform(list_filter("
    f"c.lacking, lambda p: coalesce({_PARTS_USED}, 0) <> 0), lambda p: 'no_price_for:' || p), 'string_agg', "
    "'\",\"'), '') END"
)


_REFUSED = (
    "(status = 'error' AND coalesce(http_status, 0) >= 400 AND input_tokens IS NULL AND output_tokens IS NULL"
    " AND stated_nanousd IS NULL)"
)


def _used_mask(parts: Iterable[str]) -> str:
    """The bits of the token parts that a call has."""
    return " | ".join(f"CASE WHEN {part}_tokens <> 0 THEN {_MASKS[part]} ELSE 0 END" for part in parts) or "0"


_HOURS = """
    AND at_minute >= c.from_minute AND at_minute < c.to_minute AND CASE c.days WHEN '' THEN true
        ELSE (c.days = 'work') = (isodow(started_at) < 6 AND NOT list_contains(c.holidays, at_us // 86400000000)) END"""


def _lacks_sql(parts: Sequence[str], absent: Collection[str]) -> str:
    """What is used and has no price, or is priced and was not told, as the inside of a JSON list."""
    unknown = [
        f"CASE WHEN {side}_tokens IS NULL AND c.{side} <> 0 AND NOT instead THEN '{side}_tokens_unknown' END"
        for side in ("input", "output")
    ]
    by_parts = "" if LACKING in absent else _PARTS_LACKING.format(_used_mask(parts))
    whole = [
        by_parts,
        "" if "requests" in absent else _TOOLS_LACKING,
        "" if "quantities" in absent else _UNITS_LACKING,
        *unknown,
        "" if "flags" in absent else _UNKNOWN,
    ]
    none = ["input_tokens IS NOT NULL AND output_tokens IS NOT NULL"]
    none += [f"{name} IS NULL" for name in ("requests", "quantities", "flags") if name not in absent]
    if by_parts:
        none.append(f"c.lack_mask & ({_used_mask(parts)}) = 0")
    return f"CASE WHEN {' AND '.join(none)} THEN '' ELSE concat_ws('\",\"', {', '.join(filter(None, whole))}) END"


def _amounts_sql(table: str, needs: Iterable[str], absent: Collection[str]) -> str:
    """Calls with their cell, and the pico-USD and token sums that the rules speak of."""
    parts = [name.removesuffix("_tokens") for name in TOKEN_FIELDS[2:] if name not in absent]
    out_tokens, out_amount = _own([part for part in ("reasoning", "output_audio", "output_image") if part in parts])
    has_units, has_facts = "quantities" not in absent, "flags" not in absent
    told = _FACTS if has_facts else "NULL AS key_facts"
    keys = ", ".join((_MODEL, told, *(_RARE[name] for name in sorted(needs))))
    rare = "".join(f" AND c.{name} IS NOT DISTINCT FROM t.key_{name}" for name in sorted(needs))
    fresh = {
        part: f"greatest(coalesce(input_{part}_tokens, 0) - cached_{part}, 0)"
        for part in ("audio", "image") if f"input_{part}" in parts
    }  # fmt: skip
    written = [part for part in ("cache_write_5m", "cache_write_1h") if part in parts]
    cached = [part for part in ("cache_read", *written) if part in parts]
    split = _SPLIT.format if has_units else lambda name: "0"
    read = "coalesce(cache_read_tokens, 0)" if "cache_read" in parts else "0"
    by_modality = " + cached_audio * c.cache_read_audio + cached_image * c.cache_read_image" if has_units else ""
    tools = "c.request_nanousd" if "requests" in absent else _TOOLS
    more = " AND c.facts IS NOT DISTINCT FROM key_facts" if has_facts else ""
    more += "" if HOURS in absent else _HOURS
    return f"""
SELECT t.*, {_REFUSED} AS refused, CASE WHEN refused THEN NULL ELSE c.price END AS price_text,
    coalesce(c.is_free, false) OR refused AS is_free, c.request_nanousd, c.estimated, c.input AS base_in,
    c.output AS base_out, c.provider IS NOT NULL AS found,
    {split(rules.CACHED_AUDIO)} AS cached_audio, {split(rules.CACHED_IMAGE)} AS cached_image,
    {read} - cached_audio - cached_image AS read_rest,
    {_sum(f"coalesce({part}_tokens, 0)" for part in cached)} AS cached_tokens,
    {_sum(f"CASE WHEN c.input_{part} IS NULL THEN 0 ELSE {sql} END" for part, sql in fresh.items())} AS in_apart,
    {out_tokens} AS out_apart,
    coalesce(input_tokens, 0) - cached_tokens - in_apart AS in_rest, coalesce(output_tokens, 0) - out_apart AS out_rest,
    {_sum(f"coalesce({sql} * c.input_{part}, 0)" for part, sql in fresh.items())}
        + greatest(in_rest, 0) * coalesce(c.input, 0) AS fresh,
    greatest(read_rest * c.cache_read{by_modality}, 0) AS read_amount,
    {_sum(f"coalesce({part}_tokens, 0) * c.{part}" for part in written)} AS write_amount,
    {out_amount} + greatest(out_rest, 0) * coalesce(c.output, 0) AS out_amount,
    {tools} + {_UNITS if has_units else "0"} AS tools_amount, {_UNITS_TOLD if has_units else "''"} AS units_told,
    {_UNITS_PRICED if has_units else "false"} AS units_priced,
    coalesce(c.units_instead, false) AND {_UNTOLD} AS instead,
    {_lacks_sql(parts, absent)} AS lacks
FROM (SELECT *, epoch_us(started_at) AS at_us, at_us // 60000000 % 1440 AS at_minute, {keys} FROM {table}) t
LEFT JOIN cells c ON c.provider = t.provider AND c.model = key_model
    AND c.service_tier IS NOT DISTINCT FROM t.service_tier AND c.is_batch = t.is_batch
    AND at_us >= c.since_us AND at_us < c.until_us
    AND coalesce(t.input_tokens, 0) > c.above AND coalesce(t.input_tokens, 0) <= c.up_to{rare}{more}
"""


_UNPRICED = """CASE
    WHEN stated_nanousd IS NOT NULL OR is_free THEN NULL
    WHEN input_tokens IS NULL AND output_tokens IS NULL AND coalesce(request_nanousd, 0) = 0 AND units_told = ''
        THEN 'usage_missing'
    WHEN input_tokens IS NULL AND output_tokens IS NULL AND request_nanousd = 0 AND NOT units_priced THEN units_told
    WHEN NOT found THEN 'unknown_model'
    WHEN base_in IS NOT NULL AND base_out IS NOT NULL THEN NULL
    ELSE nullif(concat_ws('","', CASE WHEN base_in IS NULL AND input_tokens <> 0 THEN 'no_price_for:input' END,
        CASE WHEN base_out IS NULL AND output_tokens <> 0 THEN 'no_price_for:output' END), '') END"""

_DOUBTS = """CASE WHEN in_rest < 0 OR out_rest < 0 OR estimated IS NOT NULL OR flags IS NOT NULL
        OR (in_apart <> 0 AND cached_tokens <> 0) OR read_rest < 0
    THEN concat_ws('","', CASE WHEN in_rest < 0 OR read_rest < 0 THEN 'parts_exceed_input' END,
        CASE WHEN in_apart <> 0 AND cached_tokens <> 0 AND cached_audio = 0 AND cached_image = 0
            THEN 'cache_by_modality_unknown' END,
        CASE WHEN out_rest < 0 THEN 'parts_exceed_output' END,
        CASE WHEN contains(flags, '"usage_estimated"') THEN 'usage_estimated' END, estimated)
    ELSE '' END"""


def _nano(amount: str) -> str:
    return f"(({amount} + 500) // 1000)"


def priced_sql(table: str, columns: str = "*", needs: Iterable[str] = (), absent: Collection[str] = ()) -> str:
    """SELECT of `table` with the columns of the cost; `table` has `PRICE_INPUTS` and `stated_nanousd`.

    `needs` are those of the prices that the table `cells` was made from, `absent` what making it returned.
    """
    keys = ", ".join(("key_model", "key_facts", *(f"key_{name}" for name in sorted(needs))))
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
        "CASE WHEN NOT refused AND unpriced IS NULL AND (certain OR (lacks = '' AND doubts = '')) THEN '' ELSE "
        "concat_ws('\",\"', CASE WHEN refused THEN 'not_billed' END, unpriced, nullif(CASE WHEN certain THEN '' "
        "ELSE lacks END, ''), nullif(CASE WHEN certain THEN '' ELSE doubts END, '')) END"
    )
    return f"""
SELECT {columns} FROM (SELECT * EXCLUDE (price_text, is_free, request_nanousd, estimated, base_in, base_out, found,
        cached_tokens, in_apart, out_apart, in_rest, out_rest, fresh, read_amount, write_amount, out_amount,
        tools_amount, lacks, refused, cached_audio, cached_image, read_rest, units_told, units_priced, instead, at_us,
        at_minute, {keys}, sum_in, sum_read, sum_write, sum_all, unpriced, doubts, certain, stated_nanousd,
        reasons),
    TRY_CAST(CASE WHEN stated_nanousd IS NOT NULL THEN stated_nanousd WHEN unpriced IS NOT NULL THEN NULL
        WHEN is_free THEN 0 ELSE sum_all + tools_amount END AS BIGINT) AS cost_nanousd,
    {parts},
    CASE WHEN stated_nanousd IS NOT NULL THEN CASE WHEN contains(flags, '"cost_estimated"') THEN 'estimated'
        ELSE 'reported' END WHEN is_free THEN 'free' WHEN unpriced IS NOT NULL
        THEN 'unpriced' WHEN lacks <> '' THEN 'partial' WHEN doubts <> '' THEN 'estimated' ELSE 'priced' END
        AS cost_status,
    CASE WHEN stated_nanousd IS NULL AND (unpriced IS NULL OR starts_with(unpriced, 'no_price_for:'))
        THEN price_text END AS price,
    CASE WHEN reasons <> '' THEN '["' || reasons || '"]' END AS cost_reasons
FROM (SELECT *, {_nano("fresh")} AS sum_in, {_nano("fresh + read_amount")} AS sum_read,
    {_nano("fresh + read_amount + write_amount")} AS sum_write,
    {_nano("fresh + read_amount + write_amount + out_amount")} AS sum_all,
    {_UNPRICED} AS unpriced, {_DOUBTS} AS doubts,
    stated_nanousd IS NOT NULL OR coalesce(is_free, false) OR unpriced IS NOT NULL AS certain,
    {reasons} AS reasons
FROM ({_amounts_sql(table, needs, absent)})))
"""
