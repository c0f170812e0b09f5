"""OTLP requests to arrivals: decode, say what it means, count each call once.

The one door for OTLP over HTTP and gRPC; it knows neither. Metrics are acknowledged and counted, not kept: what they
tell of tokens and durations the spans and events tell, too, and nothing may be counted twice.
"""

from __future__ import annotations

from typing import NamedTuple

from tallybook.ingest.arrival import Arrival, Content
from tallybook.ingest.dialects import logs as log_meaning
from tallybook.ingest.dialects import spans as span_meaning
from tallybook.ingest.otlp import json, wire
from tallybook.ingest.twin import Twins


class Taken(NamedTuple):
    """What a request came to."""

    arrival: Arrival
    ignored: int = 0
    """Items that have nothing to do with models, or repeat what is told elsewhere."""


def traces(
    body: bytes, twins: Twins, *, is_json: bool = False, project: str | None = None, with_content: bool = False
) -> Taken:
    """An `ExportTraceServiceRequest`. `project` is what the request's headers or key say it is of; `with_content` when
    prompts or responses are to be kept. Raises InputError for a body that is none.
    """
    spans = json.spans(body) if is_json else wire.spans(body)
    meaning = span_meaning.read(spans, project=project, with_content=with_content)
    counted = twins.settle(meaning.calls)
    contents = _once(meaning.contents, counted.renamed) if meaning.contents else ()
    arrival = Arrival(tuple(counted.calls), (*meaning.steps, *counted.steps), contents, tuple(meaning.refused))
    return Taken(arrival, meaning.ignored)


def _once(contents: list[Content], renamed: dict[str, str]) -> tuple[Content, ...]:
    """The contents under the ids of their calls as recorded; of twins that both tell it, the fuller one."""
    found: dict[str, Content] = {}
    for content in contents:
        name = content.call_id
        for _ in range(len(renamed)):
            if name not in renamed:
                break
            name = renamed[name]
        known = found.get(name)
        if known is None:
            found[name] = content._replace(call_id=name)
        else:
            prompt = content.prompt if known.prompt is None else known.prompt
            response = content.response if known.response is None else known.response
            found[name] = known._replace(prompt=prompt, response=response)
    return tuple(found.values())


def logs(body: bytes, *, is_json: bool = False, project: str | None = None, with_content: bool = False) -> Taken:
    """An `ExportLogsServiceRequest`, as `traces`."""
    records = json.logs(body) if is_json else wire.logs(body)
    heard = log_meaning.read(records, project=project, with_content=with_content)
    arrival = Arrival(tuple(heard.calls), tuple(heard.steps), tuple(heard.contents), tuple(heard.refused))
    return Taken(arrival, heard.ignored)


def metrics(body: bytes, *, is_json: bool = False) -> Taken:
    """An `ExportMetricsServiceRequest`: its points count as ignored. Raises InputError for a body that is none."""
    return Taken(Arrival(), json.points(body) if is_json else wire.points(body))
