"""Spans that another ledger of ours wrote (`export --format otlp`): the same calls come of them, under their ids."""

from __future__ import annotations

from tallybook.ingest.dialects import context, genai
from tallybook.ingest.dialects.told import CALL, Told
from tallybook.ingest.otlp.record import Span
from tallybook.model.ids import is_uuid7, unix_ms_of
from tallybook.model.money import nanousd
from tallybook.providers.value import number, word

SCOPE = "tallybook"
_CALL_ID = "tallybook.call_id"
_DAY_MS = 86_400_000


def is_ours(span: Span) -> bool:
    """Whether a span is one of ours."""
    return span.scope.name == SCOPE and _CALL_ID in span.attributes


def read(span: Span) -> Told:
    """What such a span is: by the conventions, and what they have no name for by our own."""
    told = genai.read(span)
    if told.role != CALL:
        return told
    get = span.attributes.get
    identity = word(get(_CALL_ID))
    day = span.start_ns // 1_000_000 // _DAY_MS
    # An id leads to its day; one that leads elsewhere would never be found.
    if identity is not None and is_uuid7(identity) and (unix_ms_of(identity) or 0) // _DAY_MS == day:
        told.call_id = identity
    told.name = word(get("tallybook.name"))
    told.run, told.session = word(get("tallybook.run_id")), word(get("tallybook.session_id"))
    told.tier = word(get("tallybook.service_tier"))
    told.tags = context.texts(get("tallybook.tags") or ())
    cost = number(span.usage.get("gen_ai.usage.cost"))
    if get("tallybook.cost_status") == "reported" and cost is not None:
        told.cost_nanousd = nanousd(cost)
    long = get("tallybook.cache_write_1h_tokens")
    if told.counts is not None and isinstance(long, int):
        told.counts.cache_write_1h = long
        if told.counts.cache_write is not None:
            told.counts.cache_write_5m = max(told.counts.cache_write - long, 0)
            told.counts.cache_write = None
    return told
