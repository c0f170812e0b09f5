"""OpenAI chat completions, as spoken by OpenAI, Azure and some thirty compatible hosts; legacy completions too.

Usage comes in a last chunk without choices (OpenAI, Azure, when asked for), in the last chunk with choices (Mistral,
DeepSeek, OpenRouter …) or inside its choice (Moonshot), in `x_groq.usage` (Groq, and again in `usage`), or cumulative
in every chunk (Perplexity): the last value wins and nothing is added. Azure's first chunk has an empty model; the
model is the last one named. The accounting rules are `openai_usage`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from tallybook.model.call import ToolCall
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.habits import timed
from tallybook.providers.lenient import UNREADABLE, decode, unreadable
from tallybook.providers.openai_quick import pieces, quick
from tallybook.providers.openai_usage import counted, retention
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.stream import EventStream
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = (
    "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "n", "seed", "frequency_penalty",
    "presence_penalty", "reasoning_effort", "verbosity", "service_tier", "parallel_tool_calls", "tool_choice", "stop",
    "logprobs", "top_logprobs", "best_of", "echo", "prompt_cache_retention", "search_context_size", "search_mode",
)  # fmt: skip
_NAMES = frozenset(PARAMETERS)

_DEPLOYMENT = re.compile(r"/deployments/([^/?]+)")


class _Message(msgspec.Struct, gc=False):
    content: Any = None
    tool_calls: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    function_call: Any = None
    audio: Any = None
    executed_tools: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: Any = 0
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: Any = None
    text: Any = None
    usage: Any = None


class _Chunk(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    service_tier: Any = None
    error: Any = None
    x_groq: Any = None
    timings: Any = None


_decode_whole = msgspec.json.Decoder(_Chunk).decode
_NOTHING_ELSE = _Message()
_MESSAGE_FIELDS = _Message.__struct_fields__


def _message(value: Any) -> _Message | None:
    return _Message(*[value.get(name) for name in _MESSAGE_FIELDS]) if isinstance(value, Mapping) else None


def _chunk(event: Mapping[str, Any]) -> _Chunk:
    """The chunk of a mapping, whatever the types in it."""
    return _Chunk(
        event.get("id"), event.get("model"),
        [
            _Choice(
                item.get("index", 0), _message(item.get("delta")), _message(item.get("message")),
                item.get("finish_reason"), item.get("text"), item.get("usage"),
            )
            for item in mappings(event.get("choices"))
        ],
        event.get("usage"), event.get("service_tier"), event.get("error"), event.get("x_groq"),
        event.get("timings"),
    )  # fmt: skip


class ChatStream(EventStream[_Chunk]):
    """Accumulates the chunks of a chat or text completion; a whole response is taken as its only chunk."""

    _decode = msgspec.json.Decoder(list[_Chunk]).decode

    __slots__ = ("_error", "_executed", "_finish", "_id", "_last_tool", "_model", "_reasoning_chars", "_text",
                 "_tier", "_timings", "_tool_at", "_tools", "_usage")  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._tools: list[Assembly] | None = None
        self._tool_at: dict[tuple[int, int], Assembly] = {}
        self._last_tool: Assembly | None = None
        self._executed: list[ToolCall] | None = None
        self._finish: dict[int, str] = {}
        self._usage: Any = None
        self._id: Any = None
        self._model: Any = None
        self._tier: Any = None
        self._timings: Any = None
        self._error: Any = None

    def _event_of(self, event: Mapping[str, Any]) -> _Chunk:
        return _chunk(event)

    def feed_bytes(self, raw: bytes) -> None:
        """Take raw bytes, best whole events; equal to `feed` of each event in them. Never raises for their content."""
        if self._id and self._frames is None and (found := pieces(raw)) is not None:
            self._text += filter(None, found.texts)
            self._model = found.model
            self._tier = found.service_tier or self._tier
            raw = found.rest
        super().feed_bytes(raw)

    def _take_all(self, events: list[_Chunk]) -> None:
        """As `_take` of each, with the common chunk, a piece of the first choice's text, taken right here."""
        append = self._text.append
        take = self._take
        model = tier = None
        for event in events:
            choices = event.choices
            if choices and event.usage is None and self._id and len(choices) == 1:
                choice = choices[0]
                delta = choice.delta
                if (
                    delta is not None
                    and choice.finish_reason is None
                    and choice.index == 0
                    and event.error is None
                    and event.x_groq is None
                ):
                    text = delta.content
                    delta.content = None
                    # One comparison in place of a look at each of the other members.
                    if delta == _NOTHING_ELSE and text and type(text) is str:
                        append(text)
                        model = event.model or model
                        tier = event.service_tier or tier
                        continue
                    delta.content = text
            if model:
                self._model, model = model, None
            if tier:
                self._tier, tier = tier, None
            take(event)
        self._model = model or self._model
        self._tier = tier or self._tier

    def _take(self, event: _Chunk) -> bool:
        if event.usage is not None:
            self._usage = event.usage
        elif event.x_groq is not None and self._usage is None:
            self._usage = mapping(event.x_groq).get("usage")
        if event.timings is not None:
            self._timings = event.timings
        if not self._id:
            self._id = event.id
        if event.model:
            self._model = event.model
        if event.service_tier:
            self._tier = event.service_tier
        if event.error is not None and self._error is None:
            self._error = event.error
        has_content = False
        for choice in event.choices or ():
            index = choice.index if type(choice.index) is int else 0
            if choice.finish_reason and isinstance(choice.finish_reason, str):
                self._finish[index] = choice.finish_reason
            if choice.usage is not None and self._usage is None:
                self._usage = choice.usage
            message = choice.message if choice.delta is None else choice.delta
            if message is not None:
                if self._take_message(message, index):
                    has_content = True
            elif choice.text and isinstance(choice.text, str):
                # Text completions. Together sends the chat's text a second time under this name.
                has_content = True
                if index == 0:
                    self._text.append(choice.text)
        return has_content

    def _take_message(self, message: _Message, index: int) -> bool:
        has_content = False
        content = message.content
        if content:
            if isinstance(content, str):
                has_content = True
                if index == 0:
                    self._text.append(content)
            else:
                has_content = self._take_parts(content, index)
        reasoning = message.reasoning_content or message.reasoning
        if reasoning and isinstance(reasoning, str):
            self._reasoning_chars += len(reasoning)
            has_content = True
        if message.refusal and isinstance(message.refusal, str):
            has_content = True
            if index == 0:
                self._text.append(message.refusal)
        if message.audio:
            audio = mapping(message.audio)
            transcript = word(audio.get("transcript"))
            has_content = has_content or transcript is not None or bool(audio.get("data"))
            if transcript is not None and index == 0:
                self._text.append(transcript)
        if message.tool_calls:
            for position, call in enumerate(mappings(message.tool_calls)):
                has_content = True
                self._take_tool(call, index, position)
        # Snowflake sends `{"name": "", "arguments": ""}` where there is no call.
        if message.function_call and any(mapping(message.function_call).values()):
            has_content = True
            self._take_tool({"index": -1, "function": message.function_call}, index, -1)
        if message.executed_tools:
            self._take_executed(message.executed_tools)
        return has_content

    def _take_parts(self, parts: Any, index: int) -> bool:
        """Content as a list of parts: text, and Mistral's and others' thinking, itself text or a list of parts."""
        has_content = False
        for part in mappings(parts):
            text = part.get("text")
            thinking = part.get("thinking")
            if isinstance(text, str):
                has_content = has_content or bool(text)
                if index == 0:
                    self._text.append(text)
            for piece in [thinking] if isinstance(thinking, str) else [p.get("text") for p in mappings(thinking)]:
                if isinstance(piece, str) and piece:
                    has_content = True
                    self._reasoning_chars += len(piece)
        return has_content

    def _take_tool(self, call: Mapping[str, Any], choice: int, position: int) -> None:
        """A tool call or a piece of one. Some hosts leave out `index`, repeat `id: ""`, or number every call 0."""
        body = mapping(call.get("function") or call.get("custom"))
        id_, name = word(call.get("id")), word(body.get("name"))
        index = whole(call.get("index"))
        if self._tools is None:
            self._tools, self._tool_at = [], {}
        key = (choice, position if index is None else index)
        tool = self._last_tool if index is None and id_ is None else self._tool_at.get(key)
        is_other = tool is not None and tool.id is not None and id_ is not None and tool.id != id_
        if tool is None or (is_other and (name is not None or index is None)):
            tool = self._tool_at[key] = Assembly()
            self._tools.append(tool)
        self._last_tool = tool
        tool.id = tool.id or id_
        tool.name = tool.name or name or ""
        arguments = body.get("arguments", body.get("input"))
        if isinstance(arguments, str):
            tool.add(arguments)
        elif arguments is not None:
            tool.replace(arguments)

    def _take_executed(self, executed: Any) -> None:
        """Groq's compound models: tools that the host ran itself."""
        if self._executed is None:
            self._executed = []
        for item in mappings(executed):
            name = word(item.get("name")) or word(item.get("type")) or "tool"
            arguments = item.get("arguments")
            self._executed.append(
                ToolCall(name=name, arguments=arguments if isinstance(arguments, str) else None, server_side=True)
            )

    def _is_search(self) -> bool:
        """OpenAI's search models search at every call, for a fee that their usage does not tell."""
        model = self._model
        return isinstance(model, str) and "-search" in model and model.startswith("gpt-")

    def _result(self) -> Parsed:
        raw = self._usage
        error_type = error_message = None
        if self._error is not None:
            error_type, error_message = failure({"error": self._error}, None)
        is_complete = self._is_done or bool(self._finish)
        flags: tuple[str, ...] = ()
        usage = cost = None
        if raw and mapping(raw):
            usage, flags, cost = counted(raw, word(self._model))
            if self._is_search():
                usage = msgspec.structs.replace(usage, requests={"web_search": 1, **usage.requests})
        if self._timings is not None:
            usage, found = timed(usage, self._timings)
            flags += found
            raw = {**mapping(raw), "timings": self._timings}
        if usage is None and is_complete and error_type is None:
            flags = ("usage_missing",)
        tier = word(self._tier)
        if tier is None and usage is not None:
            tier = word(raw.get("service_tier"))
        tools = [tool.tool_call() for tool in self._tools] if self._tools else []
        return Parsed(
            usage=usage,
            usage_raw=raw,
            response_id=word(self._id),
            response_model=word(self._model),
            service_tier=tier,
            cost_nanousd=cost,
            tool_calls=(*tools, *(self._executed or ())),
            finish_reasons=tuple(self._finish[index] for index in sorted(self._finish)),
            text="".join(self._text) if self._text else None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=error_message,
            is_complete=is_complete,
            flags=flags,
        )


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole. Bytes that are no JSON give an empty `Parsed`."""
    body: Any = None
    try:
        chunk = _decode_whole(raw)
    except UNREADABLE:
        if looks_like_sse(raw):
            stream = ChatStream()
            stream.feed_bytes(raw)
            return stream.result()
        try:
            body = decode(raw)
        except UNREADABLE:
            return unreadable(raw)
        if isinstance(body, list) and any("choices" in item for item in mappings(body)):
            stream = ChatStream()  # A stream's chunks, as some recorders keep them.
            for item in body:
                stream.feed(item)
            return stream.result()
        if not isinstance(body, Mapping):
            error_type, error_message = failure(body, None)
            return Parsed(error_type=error_type, error_message=error_message)
        chunk = _chunk(body)
    if not chunk.choices and chunk.usage is None:
        error_type, error_message = failure(decode(raw), None)
        if error_type is not None:
            return Parsed(response_id=word(chunk.id), error_type=error_type, error_message=error_message)
    return taken_whole(chunk)


def parse_mapping(body: Mapping[str, Any]) -> Parsed:
    """A whole response that is decoded already (batch results)."""
    return taken_whole(_chunk(body))


def taken_whole(chunk: _Chunk) -> Parsed:
    """A decoded whole response."""
    plain = _plainly(chunk)
    if plain is not None:
        return plain
    stream = ChatStream()
    stream._take(chunk)
    stream._is_done = True
    return stream._result()


def _plainly(chunk: _Chunk) -> Parsed | None:
    """The usual answer, one choice of plain text with its usage, by the shortest way; `None` for any other."""
    choices, raw, model = chunk.choices, chunk.usage, chunk.model
    if not choices or len(choices) != 1 or type(raw) is not dict or type(model) is not str or type(chunk.id) is not str:
        return None
    choice = choices[0]
    said = choice.message
    if said is None or choice.delta is not None or choice.index != 0 or type(choice.finish_reason) is not str:
        return None
    text = said.content
    said.content = None
    if said != _NOTHING_ELSE or type(text) is not str or not text:
        said.content = text
        return None
    if chunk.error is not None or chunk.x_groq is not None or chunk.timings is not None or "-search" in model:
        said.content = text
        return None
    usage, flags, cost = counted(raw, model)
    tier = chunk.service_tier
    return Parsed(
        usage=usage,
        usage_raw=raw,
        response_id=chunk.id or None,
        response_model=model or None,
        service_tier=tier if type(tier) is str and tier else word(raw.get("service_tier")),
        cost_nanousd=cost,
        finish_reasons=(choice.finish_reason,) if choice.finish_reason else (),
        text=text,
        flags=flags,
    )


def model_in(url: str) -> str | None:
    """The deployment in an Azure URL: the name asked for, where the body has none."""
    match = _DEPLOYMENT.search(url)
    return unquote(match.group(1)) if match else None


def asked(body: Payload, url: str) -> Asked:
    """What a chat request asks for."""
    parameters = {} if body.keys().isdisjoint(_NAMES) else scalars(body, _NAMES)
    if "reasoning" in body:
        for key, value in mapping(body.get("reasoning")).items():
            if isinstance(value, (str, int, float, bool)):
                parameters[f"reasoning_{key}"] = value
    if "response_format" in body:
        kind = word(mapping(body.get("response_format")).get("type"))
        if kind is not None:
            parameters["response_format"] = kind
    return Asked(
        model=word(body.get("model")) or model_in(url),
        is_stream=body.get("stream") is True,
        prompt=body.get("messages"),
        parameters=parameters,
        facts=retention(parameters) if "prompt_cache_retention" in parameters else (),
    )


CHAT = Format("openai.chat", "chat", asked, parse, ChatStream, quick=quick)
