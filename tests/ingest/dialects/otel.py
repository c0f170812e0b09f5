"""Short ways from attributes to what they come to."""

from __future__ import annotations

from typing import Any

from tests.ingest.otlp import made

from tallybook.ingest.arrival import Arrival
from tallybook.ingest.telemetry import Taken, logs, traces
from tallybook.ingest.twin import Twins
from tallybook.model.call import Call, Step


def taken(*spans: dict[str, Any], resource: dict[str, Any] | None = None, **options: Any) -> Taken:
    """What one payload of spans comes to."""
    return traces(made.traces(*spans, resource=resource), Twins(None), **options)


def arrived(*spans: dict[str, Any], **options: Any) -> Arrival:
    return taken(*spans, **options).arrival


def call_of(attributes: dict[str, Any], **about: Any) -> Call:
    """The only call of one span."""
    (call,) = arrived(made.span(attributes, **about)).calls
    return call


def step_of(attributes: dict[str, Any], **about: Any) -> Step:
    """The only step of one span, which is no call."""
    found = arrived(made.span(attributes, **about))
    assert not found.calls
    (step,) = found.steps
    return step


def logged(*records: tuple[str, dict[str, Any], Any], scope: str = "events", **options: Any) -> Taken:
    """What one payload of log records comes to."""
    return logs(made.logs(*records, scope=scope), **options)


def figures(call: Call) -> dict[str, int]:
    """The token counts that are known, without their endings."""
    use = call.usage
    return {
        name.removesuffix("_tokens"): value
        for name in use.__struct_fields__
        if name.endswith("_tokens") and (value := getattr(use, name)) is not None
    }
