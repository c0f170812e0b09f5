"""Anthropic's Messages API, direct, on Vertex and through Bedrock's invoke.

`input_tokens` excludes the cache here: the true input is input + cache reads + cache writes. Output includes
thinking. In a stream `message_start` carries the input side and a placeholder output; `message_delta.usage` is
the final cumulative value of every key it has: it overwrites, it is never added. Keys it lacks keep their start.

`usage.iterations` lists what was billed: the top level counts only those of type `message`, or, where another model
refused and this one answered instead, the `fallback_message`. A `compaction` is the same model's work and is added; an
`advisor_message` and the refused message are other models' and become `Parsed.further`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.anthropic_quick import quick
from tallybook.providers.base import Asked, Format, Further, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, decode, unreadable
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.stream import EventStream, named_events
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, uses, whole, word

PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k", "service_tier", "speed", "inference_geo", "container",
              "max_tokens_to_sample")  # fmt: skip
_NAMES = frozenset(PARAMETERS)

_MODEL = re.compile(r"/models?/([^/?]+?)(?=:\w*[pP]redict|/|$)")

_SERVER_KINDS = {
    "bash_code_execution": "code_execution",
    "text_editor_code_execution": "code_execution",
}
_ANYWHERE = frozenset(("global", "not_available"))
"""Values of `inference_geo` that mean the ordinary price."""
_COUNTED_KINDS = {"web_search", "web_fetch", "code_execution"}


class _Delta(msgspec.Struct, gc=False):
    type: Any = None
    text: Any = None
    partial_json: Any = None
    thinking: Any = None
    content: Any = None
    stop_reason: Any = None


class _Message(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    content: Any = None
    stop_reason: Any = None
    usage: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    index: Any = None
    delta: _Delta | None = None
    content_block: Any = None
    message: _Message | None = None
    usage: Any = None
    error: Any = None


class _Whole(msgspec.Struct, gc=False):
    type: Any = None
    id: Any = None
    model: Any = None
    content: Any = None
    stop_reason: Any = None
    usage: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode


def _fields(kind: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    return kind(*[value.get(name) for name in kind.__struct_fields__])


def usage_of(raw: Mapping[str, Any], model: str | None = None) -> tuple[Usage, tuple[str, ...], tuple[Further, ...]]:
    """The normal form of a `usage` object, its faults, and what other models were billed inside the call.

    `model` is the one that answered; it tells apart the iterations of a call that another model began.
    """
    usage = _plain(raw)
    further: list[Further] = []
    if iterations := raw.get("iterations"):
        usage, further = _with_iterations(usage, mappings(iterations), model)
    usage, flags = settled(usage)
    if further:
        flags = (*flags, "further_models")
    place = raw.get("inference_geo")
    if place and isinstance(place, str) and place not in _ANYWHERE:
        flags = (*flags, f"inference_geo:{place}")
    return usage, flags, tuple(further)


def _with_iterations(
    usage: Usage, iterations: list[Mapping[str, Any]], model: str | None
) -> tuple[Usage, list[Further]]:
    """The usage with what else the model was billed, and what other models were.

    The top level counts the messages. Where another model refused and this one answered in its place, it counts the
    `fallback_message` alone, and the message before it is the other model's.
    """
    fell_back = any(item.get("type") == "fallback_message" for item in iterations)
    told_at_top = "fallback_message" if fell_back else "message"
    further: list[Further] = []
    for item in iterations:
        kind = word(item.get("type")) or "message"
        if kind == told_at_top:
            continue
        billed, other = _plain(item), word(item.get("model"))
        if kind == "compaction" or (kind == "message" and other in (None, model)):
            usage = _added(usage, billed)
            continue
        name = "refused" if kind == "message" else kind.removesuffix("_message")
        further.append(Further(model=other, usage=settled(billed)[0], usage_raw=item, name=name))
    return usage, further


def _plain(raw: Mapping[str, Any]) -> Usage:
    get = raw.get
    fresh = whole(get("input_tokens"))
    read = whole(get("cache_read_input_tokens"))
    written = whole(get("cache_creation_input_tokens"))
    by_time = get("cache_creation")
    written_5m, written_1h = written, None
    if by_time:
        of_5m = whole(mapping(by_time).get("ephemeral_5m_input_tokens"))
        of_1h = whole(mapping(by_time).get("ephemeral_1h_input_tokens"))
        if of_5m is not None or of_1h is not None:
            written_5m, written_1h = of_5m, of_1h
            known = (of_5m or 0) + (of_1h or 0)
            if written is None:
                written = known
            elif written > known:
                # Written for a time this file does not know: at least never lost from the total.
                written_5m = (of_5m or 0) + written - known
            else:
                written = known
    server = get("server_tool_use")
    details = get("output_tokens_details")
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=whole(get("output_tokens")),
        cache_read_tokens=read,
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=whole(mapping(details).get("thinking_tokens")) if details else None,
        requests=_requests(server) if server else {},
    )


def _requests(server: Any) -> dict[str, int]:
    found = {}
    for key, value in mapping(server).items():
        count = uses(value)
        if count:
            found[key.removesuffix("_requests")] = count
    return found


def _added(first: Usage, second: Usage) -> Usage:
    """Two billed iterations of the same model together; unknown stays unknown only where both are."""
    values: dict[str, Any] = {}
    for name in (
        "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
        "reasoning_tokens",
    ):  # fmt: skip
        one, two = getattr(first, name), getattr(second, name)
        values[name] = one if two is None else two if one is None else one + two
    return msgspec.structs.replace(first, **values)


class MessageStream(EventStream[_Event]):
    """Accumulates message events; a whole response is taken as its start, blocks and end at once."""

    _array = staticmethod(named_events)
    _decode = msgspec.json.Decoder(list[_Event]).decode

    __slots__ = ("_blocks", "_error", "_id", "_model", "_reasoning_chars", "_stop", "_text", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._blocks: dict[int, Assembly] = {}
        self._usage: dict[str, Any] | None = None
        self._id: Any = None
        self._model: Any = None
        self._stop: Any = None
        self._error: Any = None

    def _event_of(self, event: Mapping[str, Any]) -> _Event:
        return _Event(
            event.get("type"), event.get("index"), _fields(_Delta, event.get("delta")), event.get("content_block"),
            _fields(_Message, event.get("message")), event.get("usage"), event.get("error"),
        )  # fmt: skip

    def _take_all(self, events: list[_Event]) -> None:
        append = self._text.append
        take = self._take
        for event in events:
            delta = event.delta
            # The common event is taken here, all others below.
            if delta is not None and event.type == "content_block_delta" and type(delta.text) is str:
                append(delta.text)
            else:
                take(event)

    def _take(self, event: _Event) -> bool:
        kind = event.type
        if kind == "content_block_delta":
            return event.delta is not None and self._take_delta(event.delta, event.index)
        if kind == "content_block_start":
            return self._take_block(mapping(event.content_block), event.index, is_whole=False)
        if kind == "message_start":
            message = event.message
            if message is not None:
                self._id = message.id or self._id
                self._model = message.model or self._model
                self._usage = dict(mapping(message.usage)) or None
                self._take_content(message.content)
        elif kind == "message_delta":
            if event.delta is not None and event.delta.stop_reason:
                self._stop = event.delta.stop_reason
            if event.usage is not None:
                self._usage = {
                    **(self._usage or {}),
                    **{k: v for k, v in mapping(event.usage).items() if v is not None},
                }
        elif kind == "message_stop":
            self._is_done = True
        elif event.error is not None:
            self._error = event.error
        return False

    def _take_delta(self, delta: _Delta, index: Any) -> bool:
        if isinstance(delta.text, str):
            self._text.append(delta.text)
            return bool(delta.text)
        if isinstance(delta.partial_json, str):
            block = self._blocks.get(index) if isinstance(index, int) else None
            if block is not None:
                block.add(delta.partial_json)
            return bool(delta.partial_json)
        if isinstance(delta.thinking, str):
            self._reasoning_chars += len(delta.thinking)
            return bool(delta.thinking)
        return delta.type == "compaction_delta" and bool(delta.content)

    def _take_content(self, content: Any) -> None:
        for position, block in enumerate(mappings(content)):
            self._take_block(block, position, is_whole=True)

    def _take_block(self, block: Mapping[str, Any], index: Any, *, is_whole: bool) -> bool:
        kind = block.get("type")
        if not isinstance(kind, str):
            return False
        if kind == "text":
            text = word(block.get("text"))
            if text is not None:
                self._text.append(text)
            return text is not None
        if kind == "thinking":
            thinking = word(block.get("thinking"))
            self._reasoning_chars += len(thinking or "")
            return thinking is not None
        if kind in {"tool_use", "server_tool_use", "mcp_tool_use"}:
            tool = Assembly(word(block.get("name")) or "", word(block.get("id")), server_side=kind != "tool_use")
            arguments = block.get("input")
            if is_whole or arguments:
                tool.replace(arguments)
            elif arguments == {}:
                tool.default = "{}"
            key = index if isinstance(index, int) else len(self._blocks)
            self._blocks[key] = tool
            return False
        if kind.endswith("_tool_result"):
            self._take_tool_result(block)
        return False

    def _take_tool_result(self, block: Mapping[str, Any]) -> None:
        """A failed use of a server-side tool says so in its result block."""
        content = mapping(block.get("content"))
        code = word(content.get("error_code"))
        if code is not None:
            for tool in self._blocks.values():
                if tool.id is not None and tool.id == block.get("tool_use_id"):
                    tool.error = code

    def _result(self) -> Parsed:
        error_type = error_message = None
        if self._error is not None:
            error_type, error_message = failure({"error": self._error}, None)
        is_complete = self._is_done or self._stop is not None
        raw = self._usage
        flags: tuple[str, ...] = ()
        further: tuple[Further, ...] = ()
        usage = tier = None
        tools = tuple([block.tool_call() for block in self._blocks.values()]) if self._blocks else ()
        if raw:
            usage, flags, further = usage_of(raw, word(self._model))
            # Fast mode has prices of its own and no tier of its own.
            tier = "fast" if raw.get("speed") == "fast" else word(raw.get("service_tier"))
            if tools:
                usage = _with_requests(usage, tools)
            if not is_complete:
                # What stands there is a token or a few, put in before anything was written.
                usage = msgspec.structs.replace(usage, output_tokens=None)
                flags = (*flags, "output_placeholder")
        elif is_complete and error_type is None:
            flags = ("usage_missing",)
        return Parsed(
            usage=usage,
            usage_raw=raw,
            response_id=word(self._id),
            response_model=word(self._model),
            service_tier=tier,
            tool_calls=tools,
            finish_reasons=(self._stop,) if isinstance(self._stop, str) and self._stop else (),
            text="".join(self._text) if self._text else None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=error_message,
            is_complete=is_complete,
            flags=flags,
            further=further,
        )


def _with_requests(usage: Usage, tools: Any) -> Usage:
    """Uses of server-side tools that the usage object does not count, from the blocks."""
    requests = dict(usage.requests)
    for tool in tools:
        kind = _SERVER_KINDS.get(tool.name, tool.name)
        if tool.server_side and kind in _COUNTED_KINDS and kind not in usage.requests:
            requests[kind] = requests.get(kind, 0) + 1
    return usage if requests == usage.requests else msgspec.structs.replace(usage, requests=requests)


def taken_whole(whole_: _Whole) -> Parsed:
    """A decoded whole message."""
    stream = MessageStream()
    stream._id, stream._model, stream._stop = whole_.id, whole_.model, whole_.stop_reason
    usage = whole_.usage
    stream._usage = usage if isinstance(usage, dict) else dict(mapping(usage)) or None
    stream._take_content(whole_.content)
    stream._is_done = True
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole. Bytes that are no JSON give an empty `Parsed`."""
    try:
        message = _decode_whole(raw)
    except UNREADABLE:
        if looks_like_sse(raw):
            stream = MessageStream()
            stream.feed_bytes(raw)
            return stream.result()
        if raw[:1] == b"\0":
            from tallybook.providers.bedrock_invoke import parse as parse_binary  # here, because it builds on this file

            return parse_binary(raw)
        try:
            body = decode(raw)
        except UNREADABLE:
            return unreadable(raw)
        message = _fields(_Whole, body) or _Whole()
    if message.content is None and message.usage is None:
        error_type, error_message = failure(decode(raw), None)
        if error_type is not None:
            return Parsed(error_type=error_type, error_message=error_message)
    return taken_whole(message)


def parse_mapping(body: Mapping[str, Any]) -> Parsed:
    """A whole response that is decoded already (batch results, transcripts)."""
    return taken_whole(_fields(_Whole, body))


def asked(body: Payload, url: str) -> Asked:
    """What a message request asks for. On Vertex and Bedrock the model stands in the URL."""
    parameters = scalars(body, _NAMES)
    if "thinking" in body:
        thinking = mapping(body["thinking"])
        parameters.update(
            {f"thinking_{key}": value for key, value in scalars(thinking, ("type", "budget_tokens")).items()}
        )
    if "output_config" in body:
        parameters.update(scalars(mapping(body["output_config"]), ("effort",)))
    if "tool_choice" in body:
        choice = word(mapping(body["tool_choice"]).get("type"))
        if choice is not None:
            parameters["tool_choice"] = choice
    messages = body.get("messages")
    system = body.get("system")
    return Asked(
        model=word(body.get("model")) or model_in(url),
        is_stream=body.get("stream") is True or (":streamRawPredict" in url or "-response-stream" in url),
        prompt=messages if system is None else {"system": system, "messages": messages},
        parameters=parameters,
    )


def model_in(url: str) -> str | None:
    """The model in a Vertex URL (`…/models/claude-x@20250514:rawPredict`) or Bedrock's (`/model/…/invoke`)."""
    match = _MODEL.search(url)
    return unquote(match.group(1)) if match else None


MESSAGES = Format("anthropic.messages", "chat", asked, parse, MessageStream, quick=quick)
