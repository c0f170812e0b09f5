"""An arrival on its way into the ledger: costs that only the sender knows, figures of the server, the journal."""

from __future__ import annotations

from tallybook.ingest.arrival import Arrival
from tallybook.ingest.dialects.reckoned import with_reckoned
from tallybook.server.context import Context


async def arrive(arrival: Arrival, source: str, context: Context) -> Arrival:
    """Record an arrival; when this returns it survives power loss. The arrival as it was recorded.

    Raises Overloaded, StorageError.
    """
    arrival = arrival._replace(calls=with_reckoned(arrival.calls, context.prices.knows))
    if arrival.calls or arrival.steps:
        await context.record(arrival)
    for kind, records in (("call", arrival.calls), ("step", arrival.steps)):
        if records:
            context.gauge.count("tallybook_records_accepted_total", source, kind, by=len(records))
    for one in arrival.refused:
        context.gauge.count("tallybook_records_refused_total", source, one.code)
    return arrival
