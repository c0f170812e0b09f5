"""`/api/v1/sql`: one read-only SELECT, in a process of its own with a clock, a memory and a length to its answer."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.server import body
from tallybook.server.context import Context
from tallybook.server.error import HttpError, json
from tallybook.server.given import Given
from tallybook.server.identity import identity_of
from tallybook.server.route import Param, Route
from tallybook.store.lake.apart import Outcome, Task

SECONDS = 15.0
"""A statement may take so long. Beyond: ended, 408."""
ROWS = 1_000
ROWS_MAX = 10_000
BYTES_MAX = 10_000_000
"""Rows and bytes of an answer. Beyond: cut, which the answer tells."""
AT_ONCE = 2
"""Statements that run at once. Beyond: 503."""
_STREAM_BYTES = 2 * BYTES_MAX
_running: list[str] = []


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A SELECT over `calls`, `tool_calls`, `runs`, `prompts`, `steps`."""

    sql: str
    limit: int = ROWS


class SqlAnswer(msgspec.Struct, frozen=True):
    """Rows under columns; `is_cut` tells that there are more."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool


async def get_sql(request: Request, context: Context) -> Response:
    """A statement in the address."""
    given = Given(request, _PARAMS)
    return await _answer(request, context, given.one("sql") or "", given.count("limit", ROWS, ROWS_MAX))


async def post_sql(request: Request, context: Context) -> Response:
    """A statement in the body."""
    asked: Statement = body.decoded(await body.read(request), Statement)
    if not 1 <= asked.limit <= ROWS_MAX:
        raise HttpError(400, "invalid", f"limit is from 1 to {ROWS_MAX:,}", field="limit")
    return await _answer(request, context, asked.sql, asked.limit)


async def _answer(request: Request, context: Context, text: str, limit: int) -> Response:
    if identity_of(request).project is not None:
        raise HttpError(403, "forbidden", "SQL reads all projects; a key of one project may not",
                        hint="use /api/v1/query, or a key without a project")  # fmt: skip
    if len(_running) >= AT_ONCE:
        raise HttpError(503, "busy", f"{AT_ONCE} statements are running", hint="ask again in a moment",
                        headers={"retry-after": "2"})  # fmt: skip
    settings = context.settings
    prices = None if settings.prices_file is None else str(settings.prices_file)
    task = Task(folder=str(settings.folder.resolve()), text=text, rows_max=limit, bytes_max=BYTES_MAX,
                prices_file=prices)  # fmt: skip
    _running.append(text)
    try:
        found = await outcome(task)
    finally:
        _running.remove(text)
    if found.error is not None:
        raise HttpError(400, "invalid", found.error, hint=found.hint, field="sql")
    return json(SqlAnswer(found.columns, found.rows, found.is_cut), headers={"cache-control": "no-store"})


async def outcome(task: Task, seconds: float = SECONDS) -> Outcome:
    """What a process of its own says to a task. Raises HttpError when it takes too long or dies."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "tallybook.store.lake.apart", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={}, cwd="/", limit=_STREAM_BYTES,
    )  # fmt: skip
    try:
        told, _ = await asyncio.wait_for(process.communicate(msgspec.json.encode(task)), seconds)
    except TimeoutError:
        raise HttpError(408, "too_long", f"the statement took more than {seconds:g} seconds", field="sql",
                        hint="ask for less: a span of time, fewer columns, an aggregate") from None  # fmt: skip
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return msgspec.json.decode(told, type=Outcome)
    except msgspec.DecodeError:
        raise HttpError(400, "too_much", "the statement needed more memory or time than it may have", field="sql",
                        hint="ask for less: a span of time, fewer columns, an aggregate") from None  # fmt: skip


_PARAMS = (
    Param("sql", "One SELECT.", example="SELECT model, count(*) FROM calls GROUP BY 1"),
    Param("limit", f"Rows at most, up to {ROWS_MAX}; {ROWS} unless said otherwise.", "integer"),
)
_ABOUT = (
    f"Read-only, over all projects, {SECONDS:g} seconds at most. Times are UTC; `cost_nanousd` is a billionth of a US "
    "dollar, null where unknown. `DESCRIBE calls` tells the columns."
)
ROUTES = (
    Route("GET", "/api/v1/sql", get_sql, "read", "One SELECT over the ledger", "Query", params=_PARAMS,
          answer=SqlAnswer, about=_ABOUT, may_fail=(400, 408)),
    Route("POST", "/api/v1/sql", post_sql, "read", "The same with the statement in the body", "Query", body=Statement,
          answer=SqlAnswer, about=_ABOUT, may_fail=(400, 408, 413)),
)  # fmt: skip
