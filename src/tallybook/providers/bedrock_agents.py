"""Bedrock's agents (InvokeAgent, InvokeInlineAgent) and its retrieval with generation.

An agent makes several model calls by itself. Their usage stands only in the trace, under
`modelInvocationOutput.metadata.usage` of whatever kind of trace it is, and the model in the `modelInvocationInput`
before it; without `enableTrace` nothing is told and the usage is unknown. Retrieval with generation never tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tallybook.providers.base import Asked, Format, Parsed, Payload, Result
from tallybook.providers.bedrock_converse import headed, usage_of
from tallybook.providers.eventstream import BinaryStream, inner_bytes
from tallybook.providers.failure import failure
from tallybook.providers.loose import read_whole
from tallybook.providers.session import summed
from tallybook.providers.value import mapping, mappings, word

_DEPTH = 8
"""Levels of a trace that are searched; those known have five."""


class AgentStream(BinaryStream):
    """Accumulates an agent's events: the model calls that its trace tells, and its answer's text."""

    __slots__ = ("_error", "_model", "_text", "calls")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._model: str | None = None
        self._error: Any = None
        self.calls: list[Parsed] = []
        """The model calls, in their order."""

    def _take_mapping(self, event: Payload) -> bool:
        has_content = False
        for kind, value in event.items():
            body = mapping(value)
            if kind == "chunk":
                text = (inner_bytes(body) or b"").decode("utf-8", "replace")
                self._text.append(text)
                self._is_done = True
                has_content = bool(text)
            elif kind == "output":
                text = word(body.get("text")) or ""
                self._text.append(text)
                has_content = bool(text)
            elif kind == "trace":
                for name, part in _parts(body, _DEPTH):
                    self._take_part(name, part)
            elif kind == "returnControl":
                self._is_done = True
            elif kind == "error" or kind.endswith("Exception"):
                self._error = value if kind == "error" else {"type": kind, "message": body.get("message")}
        return has_content

    def _take_part(self, name: str, part: Payload) -> None:
        if name == "modelInvocationInput":
            self._model = word(part.get("foundationModel")) or self._model
            return
        metadata = mapping(part.get("metadata"))
        raw = mapping(metadata.get("usage"))
        if raw:
            usage, flags = usage_of(raw)
            self.calls.append(
                Parsed(
                    usage=usage,
                    usage_raw=raw,
                    response_id=word(metadata.get("clientRequestId")),
                    response_model=self._model,
                    flags=flags,
                )
            )

    def _result(self) -> Parsed:
        parsed = summed(self.calls)
        error_type, error_message = failure({"error": self._error}, None) if self._error else (None, None)
        flags = parsed.flags
        if parsed.usage is None and error_type is None:
            flags = (*flags, "usage_missing")
        if self.is_damaged:
            flags = (*flags, "stream_damaged")
        return msgspec.structs.replace(
            parsed,
            text="".join(self._text) or None,
            error_type=error_type,
            error_message=error_message,
            is_complete=self._is_done or bool(self._text),
            flags=flags,
        )


def _parts(value: Any, depth: int) -> Iterator[tuple[str, Payload]]:
    """Model invocations anywhere in a trace, in its order."""
    if depth == 0:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("modelInvocationInput", "modelInvocationOutput"):
                yield name, mapping(inner)
            else:
                yield from _parts(inner, depth - 1)
    elif isinstance(value, list):
        for inner in mappings(value):
            yield from _parts(inner, depth - 1)


def _whole(body: Payload) -> Parsed:
    text = word(mapping(body.get("output")).get("text"))
    return Parsed(text=text, response_id=None, flags=("usage_missing",))


def parse(raw: bytes) -> Parsed:
    """All of an agent's events, or a whole answer of retrieval with generation."""
    return read_whole(raw, _whole, AgentStream)


def results(raw: bytes) -> Iterator[Result]:
    """The model calls that the trace tells, one by one."""
    if raw[:1] == b"\0":
        stream = AgentStream()
        stream.feed_bytes(raw)
        yield from [Result(call.response_id, call) for call in stream.calls]


def asked(body: Payload, url: str) -> Asked:
    """What an agent is asked; its model is the agent's own setting, except in retrieval with generation."""
    del url
    configuration = mapping(body.get("retrieveAndGenerateConfiguration"))
    base = mapping(configuration.get("knowledgeBaseConfiguration") or configuration.get("externalSourcesConfiguration"))
    model = word(body.get("foundationModel")) or word(base.get("modelArn"))
    prompt = body.get("inputText", mapping(body.get("input")).get("text"))
    return Asked(model=model, is_stream=True, prompt=prompt)


AGENT = Format("bedrock.agent", "chat", asked, parse, AgentStream, results, headed)
