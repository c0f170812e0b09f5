"""Mistral's conversations (agents): outputs in place of choices, and connectors that the host runs.

`connector_tokens` are what connectors brought into the prompt; they stand beside `prompt_tokens`, and the total tells
whether they are inside it. A stream's last event carries the usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("temperature", "top_p", "max_tokens", "random_seed", "tool_choice")


def usage_of(raw: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...]]:
    """The normal form of a conversation's `usage`, and its faults."""
    asked_for, said = whole(raw.get("prompt_tokens")), whole(raw.get("completion_tokens"))
    by_tools, total = whole(raw.get("connector_tokens")), whole(raw.get("total_tokens"))
    if by_tools and None not in (asked_for, said, total) and total == (asked_for or 0) + (said or 0) + by_tools:
        asked_for = (asked_for or 0) + by_tools
    requests = {str(name): uses for name, value in mapping(raw.get("connectors")).items() if (uses := whole(value))}
    return settled(Usage(input_tokens=asked_for, output_tokens=said, requests=requests))


class ConversationStream(LooseStream):
    """Accumulates a conversation's events; a whole answer is its outputs and usage at once."""

    __slots__ = ("_error", "_id", "_model", "_reasoning_chars", "_text", "_tools", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._tools: dict[str, Assembly] = {}
        self._usage: Any = None
        self._id: str | None = None
        self._model: str | None = None
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        kind = word(event.get("type")) or ""
        if kind == "message.output.delta":
            self._model = word(event.get("model")) or self._model
            return self._take_content(event.get("content"))
        if kind in ("function.call.delta", "function.call"):
            self._take_call(event, is_server=False)
            return True
        if kind == "tool.execution.started":
            self._take_call(event, is_server=True)
        elif kind == "conversation.response.started":
            self._id = word(event.get("conversation_id")) or self._id
        elif kind == "conversation.response.done":
            self._is_done = True
            self._usage = event.get("usage")
        elif kind == "conversation.response.error" or "error" in event:
            self._error = event.get("error") or event
        return False

    def _take_content(self, content: Any) -> bool:
        pieces = [content] if isinstance(content, str) else [part.get("text") for part in mappings(content)]
        if isinstance(content, Mapping):
            pieces = [content.get("text")]
        found = [piece for piece in pieces if isinstance(piece, str) and piece]
        self._text += found
        return bool(found)

    def _take_call(self, item: Payload, *, is_server: bool) -> None:
        id_ = word(item.get("tool_call_id")) or word(item.get("id")) or str(len(self._tools))
        tool = self._tools.get(id_)
        if tool is None:
            tool = self._tools[id_] = Assembly(word(item.get("name")) or "", id_, server_side=is_server)
        tool.add(item.get("arguments"))

    def take_whole(self, body: Payload) -> None:
        """A whole answer."""
        self._is_done = True
        self._id = word(body.get("conversation_id"))
        self._usage = body.get("usage")
        for item in mappings(body.get("outputs")):
            kind = item.get("type")
            self._model = word(item.get("model")) or self._model
            if kind == "message.output":
                self._take_content(item.get("content"))
            elif kind in ("function.call", "tool.execution"):
                self._take_call(item, is_server=kind == "tool.execution")

    def _result(self) -> Parsed:
        error_type, message = failure({"error": self._error}, None) if self._error else (None, None)
        raw = mapping(self._usage)
        usage: Usage | None = None
        flags: tuple[str, ...] = ()
        if raw:
            usage, flags = usage_of(raw)
        elif self._is_done and error_type is None:
            flags = ("usage_missing",)
        return Parsed(
            usage=usage,
            usage_raw=raw or None,
            response_model=self._model,
            tool_calls=tuple([tool.tool_call() for tool in self._tools.values()]),
            text="".join(self._text) or None,
            error_type=error_type,
            error_message=message,
            is_complete=self._is_done,
            flags=flags,
        )


def parse_mapping(body: Payload) -> Parsed:
    """A whole answer that is decoded already."""
    stream = ConversationStream()
    stream.take_whole(body)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole answer; also a stream that was read whole."""
    return read_whole(raw, parse_mapping, ConversationStream)


def asked(body: Payload, url: str) -> Asked:
    """What a conversation is asked; an agent's model is its own setting, which the answer tells."""
    del url
    return Asked(
        model=word(body.get("model")) or word(body.get("agent_id")),
        is_stream=body.get("stream") is True,
        prompt=body.get("inputs"),
        parameters=scalars(mapping(body.get("completion_args")), PARAMETERS),
    )


CONVERSATIONS = Format("mistral.conversations", "chat", asked, parse, ConversationStream)
