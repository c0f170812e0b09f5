"""OpenAI's realtime events over a socket or data channel; also Azure's and xAI's, which speak the same.

A session is several calls: each `response.done` carries the usage of one answer (`cached_tokens` inside the input,
audio a part of either side), and each `conversation.item.input_audio_transcription.completed` the usage of a second
model that wrote down what was said, in tokens or seconds. xAI sends usage beside the response and tells audio in
seconds too. A recorded session is JSON lines, each an event or `{"direction": "sent"|"received", "data": event}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tallybook.providers.base import Asked, Format, Parsed, Payload, Result
from tallybook.providers.failure import failure
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.openai_audio import usage_of as transcription_usage
from tallybook.providers.openai_usage import counted
from tallybook.providers.session import summed
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, milliseconds, scalars, whole, word

PARAMETERS = ("max_output_tokens", "max_response_output_tokens", "temperature", "tool_choice", "voice", "speed")

_TEXT = ("response.output_text.delta", "response.text.delta", "response.output_audio_transcript.delta",
         "response.audio_transcript.delta")  # fmt: skip
_WRITTEN = "conversation.item.input_audio_transcription.completed"


class RealtimeStream(LooseStream):
    """Accumulates a session; `calls` holds the answers that are done."""

    __slots__ = ("_error", "_model", "_open", "_text", "_transcriber", "calls")

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Result] = []
        """Answers and transcriptions so far, in their order."""
        self._model: str | None = None
        self._transcriber: str | None = None
        self._open = False
        self._text: list[str] = []
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        if "direction" in event:
            if event.get("direction") == "sent":
                return False
            event = mapping(event.get("data"))
        kind = event.get("type")
        if not isinstance(kind, str):
            return False
        if kind.endswith(".delta"):
            if kind in _TEXT and isinstance(event.get("delta"), str):
                self._text.append(event["delta"])
            return bool(event.get("delta")) and kind.startswith("response.")
        if kind in ("session.created", "session.updated"):
            self._take_session(mapping(event.get("session")))
        elif kind == "response.created":
            self._open = True
            self._text.clear()
        elif kind == "response.done":
            self._take_done(event)
        elif kind == _WRITTEN:
            self._take_transcription(event)
        elif kind == "error":
            self._error = event.get("error") or event
        return False

    def _take_session(self, session: Payload) -> None:
        self._model = word(session.get("model")) or self._model
        inside = mapping(mapping(session.get("audio")).get("input"))
        by = mapping(inside.get("transcription") or session.get("input_audio_transcription"))
        self._transcriber = word(by.get("model")) or self._transcriber

    def _take_done(self, event: Payload) -> None:
        response = mapping(event.get("response"))
        raw = mapping(response.get("usage")) or mapping(event.get("usage"))
        usage, flags, cost = counted(raw) if raw else (None, (), None)
        if usage is not None and (quantities := _quantities(raw)):
            usage = msgspec.structs.replace(usage, quantities={**usage.quantities, **quantities})
        status = word(response.get("status"))
        details = mapping(response.get("status_details"))
        error_type, message = failure({"error": details.get("error")}, None) if details.get("error") else (None, None)
        if usage is None and error_type is None and status != "cancelled":
            flags = ("usage_missing",)
        finish = word(details.get("reason")) or status
        parsed = Parsed(
            usage=usage,
            usage_raw=raw or None,
            response_id=word(response.get("id")),
            response_model=word(response.get("model")) or self._model,
            cost_nanousd=cost,
            tool_calls=tuple([_tool(item).tool_call() for item in mappings(response.get("output")) if _is_call(item)]),
            finish_reasons=() if finish is None else (finish,),
            text="".join(self._text) or None,
            error_type=error_type or ("failed" if status == "failed" else None),
            error_message=message,
            flags=flags,
        )
        self._open = False
        self._text.clear()
        self.calls.append(Result(parsed.response_id, parsed, operation="realtime"))

    def _take_transcription(self, event: Payload) -> None:
        raw = mapping(event.get("usage"))
        usage, flags, cost = transcription_usage(raw) if raw else (None, ("usage_missing",), None)
        id_ = word(event.get("item_id"))
        parsed = Parsed(
            usage=usage,
            usage_raw=raw or None,
            response_id=id_,
            response_model=self._transcriber,
            cost_nanousd=cost,
            text=word(event.get("transcript")),
            flags=flags,
        )
        self.calls.append(Result(id_, parsed, operation="transcription"))

    def _result(self) -> Parsed:
        error_type, message = failure({"error": self._error}, None) if self._error else (None, None)
        parsed = summed(call.parsed for call in self.calls)
        return msgspec.structs.replace(
            parsed,
            response_model=parsed.response_model or self._model,
            text=parsed.text or "".join(self._text) or None,
            error_type=parsed.error_type or (None if self.calls else error_type),
            error_message=parsed.error_message or (None if self.calls else message),
            is_complete=not self._open and bool(self.calls),
        )


def _quantities(raw: Payload) -> dict[str, int]:
    """Cached input that is no text, which has prices of its own, and xAI's seconds."""
    cached = mapping(mapping(raw.get("input_token_details")).get("cached_tokens_details"))
    found = {
        f"cache_read_{kind}_tokens": count
        for kind in ("audio", "image")
        if (count := whole(cached.get(f"{kind}_tokens"))) and count > 0
    }
    sound_ms = milliseconds(raw.get("billable_audio_seconds"))
    if sound_ms:
        found["audio_ms"] = sound_ms
    return found


def _is_call(item: Payload) -> bool:
    return item.get("type") in ("function_call", "mcp_call")


def _tool(item: Payload) -> Assembly:
    tool = Assembly(
        word(item.get("name")) or "",
        word(item.get("call_id")) or word(item.get("id")),
        server_side=item.get("type") == "mcp_call",
    )
    tool.replace(item.get("arguments"))
    return tool


def _whole(event: Payload) -> Parsed:
    stream = RealtimeStream()
    stream.feed(event)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole session: the sum of its answers, transcriptions by another model in `further`."""
    return read_whole(raw, _whole, RealtimeStream)


def results(raw: bytes) -> Iterator[Result]:
    """The answers and transcriptions of a whole session, one by one."""
    stream = RealtimeStream()
    stream.feed_bytes(raw)
    stream.result()
    yield from stream.calls


def asked(body: Payload, url: str) -> Asked:
    """What the first event of a session asks for; the model may stand in the URL's query."""
    session = mapping(body.get("session"))
    query = url.partition("model=")[2].partition("&")[0] if "model=" in url else ""
    return Asked(
        model=word(session.get("model")) or word(body.get("model")) or query or None,
        is_stream=True,
        prompt=session.get("instructions"),
        parameters=scalars(session, PARAMETERS),
    )


REALTIME = Format("openai.realtime", "realtime", asked, parse, RealtimeStream, results)
