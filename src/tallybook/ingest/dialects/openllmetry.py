"""OpenLLMetry (Traceloop): GenAI attributes on calls, `traceloop.*` on workflows, tasks, agents and tools.

Its calls carry `gen_ai.*` like the official ones, older versions with `llm.*` beside, and are read by `genai`. Two
habits of its own, measured on recorded answers: Gemini's output is told without thoughts (the total tells), and the
sums of Anthropic's streams are wrong where the stream reports its usage twice, which can be flagged but not repaired.
"""

from __future__ import annotations

from tallybook.ingest.dialects import genai
from tallybook.ingest.dialects.told import CALL, Told
from tallybook.ingest.otlp.record import Span
from tallybook.providers.value import word

KINDS = {"workflow": "workflow", "task": "chain", "agent": "agent", "tool": "tool"}


def is_step(span: Span) -> bool:
    """Whether a span is one of Traceloop's own around the calls."""
    return "traceloop.span.kind" in span.attributes


def read_step(span: Span) -> Told:
    """A workflow, task, agent or tool."""
    attributes = span.attributes
    told = genai.read(span)
    if told.role == CALL and "gen_ai.operation.name" in attributes:
        return told
    told.role = KINDS.get(str(attributes["traceloop.span.kind"]).lower(), "chain")
    told.name = word(attributes.get("traceloop.entity.name"))
    if told.role == "agent" and told.agent is None:
        told.agent = told.name
    return told
