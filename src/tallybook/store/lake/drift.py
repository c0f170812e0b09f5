"""Sealed calls whose stored cost is not what the prices known now would give, found in SQL, some days at a time.

Only what differs in amount or status is told: another version of the price list that gives the same is no difference.
Lines that are not sealed have no stored cost, and a cost that was stated, in the line or by an amendment, stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from tallybook.model.call import Cost
from tallybook.model.question import Filter
from tallybook.store.base import Drift
from tallybook.store.lake.find import UTC_ONLY, columns_of_filters
from tallybook.store.lake.price import Prices, load_cells, needed, priced_sql
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import where_sql
from tallybook.store.lake.schema import COST_COLUMNS, PRICE_INPUTS

ROWS = 200_000
"""Calls priced by one statement: planning it costs as much as pricing tens of thousands. Days are not parted."""
_PAST = "past_calls"
_COSTS = tuple(name for name, _ in COST_COLUMNS)
_ABOUT = ("call_id", "provider", "model", "run_id", "session_id")


def drifted(
    reader: Reader, prices: Prices | None, filters: Sequence[Filter], since_us: int | None, until_us: int | None
) -> Iterator[list[Drift]]:
    """By day or several; see `CallStore.drifted`."""
    if prices is None:
        return

    def portions(view: View) -> list[list[str]]:
        rows: dict[str, int] = {}
        for file in view.manifest.of("calls", since_us, until_us):
            rows[file.day] = rows.get(file.day, 0) + file.rows
        found: list[list[str]] = [[]]
        size = 0
        for day in sorted(rows):
            if found[-1] and size + rows[day] > ROWS:
                found.append([])
                size = 0
            found[-1].append(day)
            size += rows[day]
        return found

    for days in reader.answer(portions):
        found = reader.answer(partial(_of_days, reader, prices, filters, since_us, until_us, frozenset(days)))
        if found:
            yield found


def _of_days(
    reader: Reader,
    prices: Prices,
    filters: Sequence[Filter],
    since_us: int | None,
    until_us: int | None,
    days: frozenset[str],
    view: View,
) -> list[Drift]:
    files = [file for file in view.manifest.of("calls", since_us, until_us) if file.day in days]
    if not files:  # Removed since the days were listed.
        return []
    columns, keys = columns_of_filters(filters)
    params: list[Any] = []
    where = where_sql(filters, since_us, until_us, UTC_ONLY, params)
    names = {*PRICE_INPUTS, *_COSTS, *_ABOUT}
    relation = reader.calls(view, {*names, *columns}, keys, files=files, with_hot=False)
    was = ", ".join(f"{name} AS was_{name}" for name in _COSTS)
    wanted = ", ".join(dict.fromkeys((*PRICE_INPUTS, *_ABOUT)))
    reader.con.execute(
        f"CREATE OR REPLACE TEMP TABLE {_PAST} AS SELECT {wanted}, {was}, NULL::BIGINT AS stated_nanousd "
        f"FROM ({relation}) WHERE {where} AND cost_status <> 'reported'",
        params,
    )
    absent = load_cells(reader.con, _PAST, prices)
    inputs = ", ".join((*PRICE_INPUTS, "stated_nanousd", "rowid AS place"))
    costs = ", ".join(_COSTS)
    priced = priced_sql(f"(SELECT {inputs} FROM {_PAST})", f"{costs}, place", needed(prices), absent)
    rows = reader.con.execute(
        f"SELECT {', '.join(f'p.{name}' for name in _ABOUT)}, epoch_us(p.started_at), "
        f"{', '.join(f'p.was_{name}' for name in _COSTS)}, {', '.join(f'n.{name}' for name in _COSTS)} "
        f"FROM ({priced}) n JOIN {_PAST} p ON p.rowid = n.place "
        "WHERE n.cost_nanousd IS DISTINCT FROM p.was_cost_nanousd OR n.cost_status <> p.was_cost_status "
        "ORDER BY p.started_at, p.call_id"
    ).fetchall()
    reader.con.execute(f"DROP TABLE {_PAST}")
    return [_drift(row) for row in rows]


def _drift(row: tuple[Any, ...]) -> Drift:
    call_id, provider, model, run_id, session_id, started_at_us = row[:6]
    size = len(_COSTS)
    return Drift(
        call_id, started_at_us, provider, model, session_id if run_id is None else run_id, _cost(row[6 : 6 + size]),
        _cost(row[6 + size :]),
    )  # fmt: skip


def _cost(row: tuple[Any, ...]) -> Cost:
    total, fresh, read, write, output, tools, status, price, reasons = row
    return Cost(
        status=status, total_nanousd=total, input_nanousd=fresh, cache_read_nanousd=read, cache_write_nanousd=write,
        output_nanousd=output, tools_nanousd=tools, price=price,
        reasons=() if reasons is None else tuple(msgspec.json.decode(reasons)),
    )  # fmt: skip
