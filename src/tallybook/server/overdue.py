"""What waited for more to be told of it, and should be in the ledger by now. Runs on the upkeep's thread."""

from __future__ import annotations

import threading

from tallybook.ingest import langfuse
from tallybook.ingest.arrival import Arrival
from tallybook.ingest.dialects.langfuse_call import SOURCE
from tallybook.ingest.dialects.reckoned import with_reckoned
from tallybook.ingest.intake import Overloaded
from tallybook.prices.pricer import Pricer
from tallybook.server.context import Context
from tallybook.store.base import StateStore

LOOK_S = 15.0
"""How often is looked."""
_DURABLE_S = 10.0
_TURNS = 200
"""Of `langfuse.OVERDUE` things each. Beyond: at the next look."""


def record_overdue(context: Context, state: StateStore, pricer: Pricer, now_us: int) -> int:
    """Record what is due before a moment; how many things. What the journal does not take now stays due."""
    settings = context.settings
    keeps_texts = settings.prompts != "none" or settings.responses != "none"
    count = 0
    for _ in range(_TURNS):
        found = langfuse.overdue(state, now_us, keeps_texts=keeps_texts)
        if not found:
            break
        for _, taken in found:
            arrival = taken.arrival._replace(calls=with_reckoned(taken.arrival.calls, pricer.knows))
            if not _is_durable(context, arrival):
                return count
            langfuse.recorded(state, taken, now_us)
            context.gauge.count("tallybook_records_accepted_total", SOURCE, "late", by=len(taken.due))
            count += len(taken.due)
    return count


def _is_durable(context: Context, arrival: Arrival) -> bool:
    """Write an arrival and wait for it."""
    written = threading.Event()
    failed: list[BaseException] = []

    def settle(error: BaseException | None) -> None:
        if error is not None:
            failed.append(error)
        written.set()

    try:
        context.intake.submit(arrival, settle)
    except Overloaded:
        return False
    return written.wait(_DURABLE_S) and not failed
