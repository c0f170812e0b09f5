"""What was told of an observation and its trace, as a record: generations and embeddings are calls, all else is steps.

Who a call was for (user, session, tags) stands in its trace, which may be told before or after it. The run is the
trace. The sender's own reckoning of the cost is kept as `langfuse_cost_usd` in the metadata; who has prices decides
whether it is needed.
"""

from __future__ import annotations

from typing import Any

from tallybook.ingest.arrival import Content
from tallybook.ingest.dialects import langfuse_usage
from tallybook.ingest.dialects.fitted import fitted
from tallybook.ingest.dialects.langfuse import Thing
from tallybook.ingest.dialects.moment import between_us
from tallybook.model.call import Call, Status, Step, ToolCall
from tallybook.model.limits import ERROR_MESSAGE_CHARS
from tallybook.model.usage import Usage
from tallybook.providers.detect import detect_provider
from tallybook.store.feedback import OBSERVATION

SOURCE = "langfuse"
COST = "langfuse_cost_usd"
OBSERVATION_ID = OBSERVATION
START_UNKNOWN = "start_unknown"
"""Flag of a call whose start was never told: the moment of its first event stands in."""

_CALLS = {"GENERATION": "chat", "EMBEDDING": "embeddings"}
_KINDS = {
    "SPAN": "chain", "EVENT": "event", "AGENT": "agent", "TOOL": "tool", "CHAIN": "chain", "RETRIEVER": "retrieval",
    "EVALUATOR": "evaluator", "GUARDRAIL": "guardrail",
}  # fmt: skip
_NO_TRACE = Thing()


def is_call(thing: Thing) -> bool:
    """Whether an observation is a call to a model; what tells a model or usage is one, whatever it is called."""
    kind = thing.get("type")
    return kind in _CALLS or (kind is None and (thing.get("model") is not None or _has_usage(thing)))


def is_whole(thing: Thing) -> bool:
    """Whether enough was told of an observation to record it: its start, and that it came to an end."""
    if thing.get("startTime") is None:
        return False
    if thing.get("endTime") is not None or thing.get("type") == "EVENT":
        return True
    if not is_call(thing):
        return False
    return _has_usage(thing) or thing.get("output") is not None or thing.get("level") == "ERROR"


def _has_usage(thing: Thing) -> bool:
    return thing.get("usage") is not None or thing.get("usageDetails") is not None


def started_us(thing: Thing) -> int:
    """When an observation began; the moment of its first event where that was not told."""
    told = thing.get("startTime")
    return int(told if told is not None else thing.get("at") or 0)


def call_of(ident: str, thing: Thing, trace: Thing | None, *, call_id: str, project: str | None) -> Call:
    """The call of an observation. Its id is handed in, for it must not change when the start is corrected."""
    trace = trace or _NO_TRACE
    began_us = started_us(thing)
    used = langfuse_usage.told(thing.get("usage"), thing.get("usageDetails"), thing.get("model"))
    asked, answered = thing.get("asked"), thing.get("model")
    status = _status(thing)
    flags = used.flags
    if used.usage == Usage() and status == "ok" and "usage_missing" not in flags:
        flags = (*flags, "usage_missing")
    if thing.get("startTime") is None:
        flags = (*flags, START_UNKNOWN)
    prompt, answer = thing.text("input"), thing.text("output")
    parameters = {
        key: value
        for key, value in (thing.get("modelParameters") or {}).items()
        if isinstance(key, str) and isinstance(value, str | int | float | bool)
    }
    return fitted(Call(
        call_id=call_id,
        started_at_us=began_us,
        operation=_CALLS.get(thing.get("type") or "", "chat"),
        name=thing.get("name"),
        provider=detect_provider(answered or asked, None),
        model=asked,
        response_model=answered,
        run_id=thing.get("traceId"),
        parent_id=thing.get("parentObservationId"),
        duration_us=between_us(began_us, thing.get("endTime")),
        ttft_us=between_us(began_us, thing.get("completionStartTime")),
        usage=used.usage,
        usage_raw=used.raw,
        tool_calls=tuple([ToolCall(name=n, id=i, arguments=a) for n, i, a in answer.tools]) if answer else (),
        status=status,
        error_type="error" if status == "error" else None,
        error_message=_message(thing) if status == "error" else None,
        project=project,
        environment=_environment(thing, trace),
        user_id=trace.get("userId"),
        session_id=trace.get("sessionId"),
        tags=tuple(trace.tags),
        metadata=_metadata(ident, thing, trace),
        is_stream=thing.get("completionStartTime") is not None,
        source=SOURCE,
        prompt_hash=None if prompt is None else prompt.hash,
        prompt_chars=None if prompt is None else prompt.chars,
        response_hash=None if answer is None else answer.hash,
        response_chars=None if answer is None else answer.chars,
        parameters=parameters,
        flags=flags,
    ))  # fmt: skip


def content_of(thing: Thing, call_id: str) -> Content | None:
    """The texts of a call, as far as they are still there."""
    prompt, answer = thing.text("input"), thing.text("output")
    sent = None if prompt is None else prompt.whole
    got = None if answer is None else answer.whole
    return Content(call_id, started_us(thing), sent, got) if sent is not None or got is not None else None


def step_of(ident: str, thing: Thing) -> Step:
    """The step of an observation that is no call. Its id is the sender's, by which its children name it."""
    began_us = started_us(thing)
    status = _status(thing)
    return Step(
        step_id=ident,
        started_at_us=began_us,
        kind=_KINDS.get(thing.get("type") or "", "chain"),
        name=thing.get("name") or "",
        run_id=thing.get("traceId"),
        parent_id=thing.get("parentObservationId"),
        duration_us=between_us(began_us, thing.get("endTime")),
        status=status,
        error_message=_message(thing) if status == "error" else None,
        metadata=thing.metadata(),
    )


def run_step_of(ident: str, trace: Thing) -> Step | None:
    """The step that names a trace's run; `None` while no name was told."""
    name, at_us = trace.get("name"), trace.get("timestamp")
    if name is None or at_us is None:
        return None
    return Step(step_id=ident, started_at_us=at_us, kind="run", name=name, run_id=ident)


def _status(thing: Thing) -> Status:
    if thing.get("level") == "ERROR":
        return "error"
    return "ok" if is_whole(thing) or thing.get("endTime") is not None else "incomplete"


def _message(thing: Thing) -> str | None:
    told = thing.get("statusMessage")
    return None if told is None else str(told)[:ERROR_MESSAGE_CHARS]


def _environment(thing: Thing, trace: Thing) -> str | None:
    """Langfuse's `default` stands for none told."""
    told = [found for one in (thing, trace) if (found := one.get("environment")) not in (None, "default")]
    return told[0] if told else None


def _metadata(ident: str, thing: Thing, trace: Thing) -> dict[str, Any]:
    found = thing.metadata()
    for name, key in (("promptName", "prompt_name"), ("promptVersion", "prompt_version"), ("version", "version")):
        if (value := thing.get(name)) is not None:
            found.setdefault(key, value)
    release = thing.get("release") or trace.get("release")
    if release is not None:
        found.setdefault("release", release)
    found[OBSERVATION_ID] = ident
    cost = langfuse_usage.cost_usd(thing.get("usage"), thing.get("costDetails"))
    if cost is not None:
        found[COST] = cost
    return found
