"""Google's Interactions API, whole and streamed.

`total_input_tokens` includes cached content, `total_output_tokens` excludes thoughts, and what tools brought into the
prompt is `total_tool_use_tokens` beside both: so input = input + tool use and output = output + thoughts. In a stream
the last event carries the whole interaction's usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("temperature", "top_p", "max_output_tokens", "seed", "thinking_level", "thinking_summaries",
              "tool_choice")  # fmt: skip
_OPEN = frozenset(("in_progress", "queued"))
_SERVER_TOOLS = {
    "google_search_call": "web_search",
    "code_execution_call": "code_execution",
    "url_context_call": "web_fetch",
    "file_search_call": "file_search",
    "google_maps_call": "google_maps",
    "mcp_server_tool_call": "mcp",
}
_BILLED = frozenset(("web_search", "code_execution", "file_search", "google_maps"))


def usage_of(raw: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...]]:
    """The normal form of an interaction's `usage`, and its faults."""
    get = raw.get
    asked_for, said = whole(get("total_input_tokens")), whole(get("total_output_tokens"))
    thoughts, by_tools = whole(get("total_thought_tokens")), whole(get("total_tool_use_tokens"))
    total = whole(get("total_tokens"))
    inside = _modalities(get("input_tokens_by_modality"), get("tool_use_tokens_by_modality"))
    outside = _modalities(get("output_tokens_by_modality"))
    cached = _modalities(get("cached_tokens_by_modality"))
    input_tokens = None if asked_for is None else asked_for + (by_tools or 0)
    output_tokens = thoughts if said is None else said + (thoughts or 0)
    if said is None and total is not None and input_tokens is not None:
        output_tokens = max(total - input_tokens, thoughts or 0)
    flags: tuple[str, ...] = ()
    if total is not None and input_tokens is not None and total != input_tokens + (output_tokens or 0):
        flags = ("total_differs",)
    usage, found = settled(
        Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=whole(get("total_cached_tokens")),
            input_audio_tokens=inside.get("audio"),
            input_image_tokens=inside.get("image"),
            reasoning_tokens=thoughts,
            output_audio_tokens=outside.get("audio"),
            output_image_tokens=outside.get("image"),
            quantities={
                f"cache_read_{kind}_tokens": count
                for kind, count in cached.items()
                if kind in ("audio", "image") and count > 0
            },
        )
    )
    return usage, flags + found


def _modalities(*lists: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in (item for details in lists for item in mappings(details)):
        kind, count = word(item.get("modality")), whole(item.get("tokens"))
        if kind is not None and count is not None:
            found[kind.lower()] = found.get(kind.lower(), 0) + count
    return found


class InteractionStream(LooseStream):
    """Accumulates an interaction's events; a whole one is its steps and its end at once."""

    __slots__ = ("_error", "_id", "_last", "_model", "_reasoning_chars", "_text", "_tools")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._tools: dict[int, Assembly] = {}
        self._last: Payload = {}
        self._model: str | None = None
        self._id: str | None = None
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        kind = word(event.get("event_type")) or word(event.get("type")) or ""
        if "interaction" in event:
            self.take_head(mapping(event["interaction"]), is_last=kind in _LAST)
        elif kind.endswith(".delta"):
            return self._take_delta(mapping(event.get("delta")), event.get("index"))
        elif kind.endswith(".start"):
            self.take_step(mapping(event.get("step") or event.get("content")), event.get("index"))
        elif kind == "error" or "error" in event:
            self._error = event.get("error") or event
        return False

    def take_head(self, body: Payload, *, is_last: bool) -> None:
        """Id, model, status and usage; those of the last event count."""
        self._id = word(body.get("id")) or self._id
        self._model = word(body.get("model")) or word(body.get("agent")) or self._model
        if is_last:
            self._last = body
            self._is_done = True
        elif not self._last:
            self._last = {key: value for key, value in body.items() if key != "usage"}

    def take_step(self, step: Payload, index: Any) -> None:
        """A step, whole or as it begins: a thought, the model's output, or a tool's call."""
        kind = word(step.get("type")) or ""
        if kind in ("model_output", "text"):
            parts = mappings(step.get("content")) or [step]
            self._text += [text for part in parts if (text := word(part.get("text"))) is not None]
        elif kind == "thought":
            for part in mappings(step.get("summary")):
                self._reasoning_chars += len(word(part.get("text")) or "")
        elif kind == "function_call" or kind in _SERVER_TOOLS:
            name = word(step.get("name")) or _SERVER_TOOLS.get(kind, "")
            tool = Assembly(name, word(step.get("id")), server_side=kind in _SERVER_TOOLS)
            if step.get("arguments"):
                tool.replace(step.get("arguments"))
            elif step.get("arguments") is not None:
                tool.default = "{}"
            self._tools[index if isinstance(index, int) else len(self._tools)] = tool

    def _take_delta(self, delta: Payload, index: Any) -> bool:
        kind = word(delta.get("type")) or ""
        text = word(delta.get("text"))
        if kind == "text" and text is not None:
            self._text.append(text)
            return True
        if kind.startswith("thought"):
            summary = word(mapping(delta.get("content")).get("text")) or text
            self._reasoning_chars += len(summary or "")
            return summary is not None
        if kind in ("arguments_delta", "function_call"):
            tool = self._tools.get(index) if isinstance(index, int) else None
            piece = delta.get("arguments", delta.get("partial_arguments"))
            if tool is not None and isinstance(piece, str):
                tool.add(piece)
            elif tool is not None and piece is not None:
                tool.replace(piece)
            elif tool is None and kind == "function_call":
                self.take_step(delta, index)
            return bool(piece)
        return kind in ("image", "audio", "video")

    def _result(self) -> Parsed:
        last = self._last
        status = word(last.get("status"))
        is_complete = self._is_done and status not in _OPEN
        error = last.get("error") or self._error
        error_type, message = failure({"error": error}, None) if error else (None, None)
        raw = mapping(last.get("usage"))
        usage: Usage | None = None
        flags: tuple[str, ...] = ()
        tools = tuple([tool.tool_call() for tool in self._tools.values()])
        if raw:
            usage, flags = usage_of(raw)
            requests: dict[str, int] = {}
            for tool in tools:
                if tool.server_side and tool.name in _BILLED:
                    requests[tool.name] = requests.get(tool.name, 0) + 1
            usage = msgspec.structs.replace(usage, requests=requests)
        elif is_complete and error_type is None and status != "cancelled":
            flags = ("usage_missing",)
        return Parsed(
            usage=usage,
            usage_raw=raw or None,
            response_id=self._id,
            response_model=self._model,
            service_tier=word(last.get("service_tier")),
            tool_calls=tools,
            finish_reasons=(status,) if status is not None and is_complete else (),
            text="".join(self._text) or None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=message,
            is_complete=is_complete,
            flags=flags,
        )


_LAST = frozenset(("interaction.completed", "interaction.complete", "interaction.failed", "interaction.cancelled"))


def parse_mapping(body: Payload) -> Parsed:
    """A whole interaction that is decoded already."""
    stream = InteractionStream()
    if "event_type" in body:
        stream.feed(body)
        return stream.result()
    for index, step in enumerate(mappings(body.get("steps") or body.get("outputs"))):
        stream.take_step(step, index)
    stream.take_head(body, is_last=True)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole interaction; also a stream that was read whole."""
    return read_whole(raw, parse_mapping, InteractionStream)


def asked(body: Payload, url: str) -> Asked:
    """What an interaction asks for."""
    del url
    system = body.get("system_instruction")
    prompt = body.get("input")
    return Asked(
        model=word(body.get("model")) or word(body.get("agent")),
        is_stream=body.get("stream") is True,
        prompt=prompt if system is None else {"system": system, "input": prompt},
        parameters=scalars(mapping(body.get("generation_config")), PARAMETERS),
    )


INTERACTIONS = Format("google.interactions", "chat", asked, parse, InteractionStream)
