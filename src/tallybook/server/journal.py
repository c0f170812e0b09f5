"""`POST /api/v1/journal`: another machine's journal, as its shipper sends it (`ship/wire.py`, docs/ship.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from starlette.requests import Request
from starlette.responses import Response

from tallybook.journal.ledger import ledger_of
from tallybook.server import body, received
from tallybook.server.context import Context
from tallybook.server.error import HttpError, json
from tallybook.server.identity import identity_of
from tallybook.server.received import Keeps, Taken
from tallybook.server.route import Route
from tallybook.ship import wire
from tallybook.ship.wire import Answer, Part


async def post_journal(request: Request, context: Context) -> Response:
    """Take parts of a journal in; the answer says how far each segment is durable."""
    identity = identity_of(request)
    ledger = request.headers.get(wire.LEDGER_HEADER, "")
    if ledger and ledger == await asyncio.to_thread(ledger_of, context.settings.folder):
        raise HttpError(
            409, "same_ledger", "this server keeps the very folder that it was sent",
            hint="leave TALLYBOOK_URL out where the program writes into the server's folder",
        )  # fmt: skip
    parts = wire.decode(await body.read(request))
    keeps = Keeps(context.settings.prompts, context.settings.responses, identity.project)

    async def sort(left: Sequence[Part], fresh: Collection[str]) -> Taken:
        if any(part.kind == "telemetry" and part.segment in fresh for part in left):
            return await context.read(
                lambda store: received.sort(left, fresh, lambda calls: received.recorded(store, calls), keeps)
            )
        return await asyncio.to_thread(received.sort, left, fresh, lambda calls: (), keeps)

    taken = await context.received.take(f"{identity.key_id or ''}/{ledger[:100]}", parts, sort, context.record_lines)
    _count(taken, context)
    return json(taken.answer)


def _count(taken: Taken, context: Context) -> None:
    told = (
        ("tallybook_records_accepted_total", ("ship", "call"), taken.answer.calls),
        ("tallybook_records_accepted_total", ("ship", "step"), taken.steps),
        ("tallybook_records_repeated_total", ("ship",), taken.answer.repeated),
        ("tallybook_records_refused_total", ("ship", "invalid"), len(taken.answer.refused)),
        ("tallybook_records_ignored_total", ("ship", "texts_not_kept"), taken.ignored),
    )
    for name, labels, count in told:
        if count:
            context.gauge.count(name, *labels, by=count)


ROUTES = (
    Route(
        "POST", wire.PATH, post_journal, "ingest", "Take another machine's journal", "Recording", bytes, Answer,
        about="Parts of journal segments: a line of JSON (`kind`, `segment`, `start`, `bytes`), then those bytes, and "
        "so on. What was sent before is taken once. Applications send it by themselves where TALLYBOOK_URL is set.",
        body_type=wire.MEDIA_TYPE, is_hot=True, may_fail=(400, 409, 413, 415),
    ),
)  # fmt: skip
