"""Amazon Bedrock's Converse and ConverseStream, one format for all vendors' models.

`inputTokens` excludes the cache: the true input is input + cache reads + cache writes. Reads and writes come in two
spellings of the same number (`cacheReadInputTokens`, `cacheReadInputTokenCount`), which are never added.
`cacheDetails` tells writes by their time to live. Output includes reasoning. The body names no model and no id: the
model stands in the URL, the id in the header `x-amzn-requestid`. In a stream `metadata` with the usage comes after
`messageStop`. `usage` objects under `trace.guardrail` are policy units, not tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.eventstream import BinaryStream
from tallybook.providers.failure import failure
from tallybook.providers.loose import read_whole
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("maxTokens", "temperature", "topP", "topK")
_MODEL = re.compile(r"/model/(.+?)/(?:converse|invoke|count-tokens|async-invoke)(?:-stream|-with-[a-z-]+)?/?$")


def usage_of(raw: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...]]:
    """The normal form of a `usage` object in Converse's names, and its faults."""
    get = raw.get
    fresh = whole(get("inputTokens"))
    read = _either(raw, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = _either(raw, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    written_5m, written_1h = written, None
    by_time = {word(item.get("ttl")): whole(item.get("inputTokens")) or 0 for item in mappings(get("cacheDetails"))}
    if by_time and written is not None and by_time.get("1h"):
        written_1h = min(by_time["1h"], written)
        written_5m = written - written_1h
    output = whole(get("outputTokens"))
    total = whole(get("totalTokens"))
    flags: tuple[str, ...] = ()
    if total is not None and fresh is not None and output is not None:
        sums = (fresh + output + (read or 0) + (written or 0), fresh + output)
        flags = () if total in sums else ("total_differs",)
    usage, found = settled(
        Usage(
            input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written_5m,
            cache_write_1h_tokens=written_1h,
            requests=_requests(get("serverToolUsage")),
        )
    )
    return usage, flags + found


def _either(raw: Mapping[str, Any], name: str, other: str) -> int | None:
    value = whole(raw.get(name))
    return whole(raw.get(other)) if value is None else value


def _requests(used: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in mapping(used).items():
        uses = whole(value)
        if uses:
            name = re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower()
            found[name.removesuffix("_requests").removesuffix("_invocations")] = uses
    return found


class ConverseStream(BinaryStream):
    """Accumulates Converse's events; a whole response is taken as its message, stop reason and metadata at once."""

    __slots__ = ("_blocks", "_error", "_model", "_reasoning_chars", "_stop", "_text", "_tier", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._blocks: dict[int, Assembly] = {}
        self._usage: Any = None
        self._stop: Any = None
        self._tier: Any = None
        self._model: Any = None
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        has_content = False
        for kind, value in event.items():
            body = mapping(value)
            if kind == "contentBlockDelta":
                has_content = self._take_delta(mapping(body.get("delta")), body.get("contentBlockIndex"))
            elif kind == "contentBlockStart":
                start = mapping(body.get("start"))
                if "toolUse" in start:
                    self._take_tool(mapping(start["toolUse"]), body.get("contentBlockIndex"))
            elif kind == "messageStop":
                self._stop = body.get("stopReason")
                self._is_done = True
            elif kind == "metadata":
                self.take_metadata(body)
            elif kind == "error" or kind.endswith("Exception"):
                self._error = value if kind == "error" else {"type": kind, "message": body.get("message")}
        return has_content

    def take_metadata(self, body: Payload) -> None:
        """The last event of a stream, or the whole response, whose members have the same names."""
        if mapping(body.get("usage")):
            self._usage = body["usage"]
        self._tier = word(mapping(body.get("serviceTier")).get("type")) or self._tier
        router = mapping(mapping(body.get("trace")).get("promptRouter"))
        self._model = word(router.get("invokedModelId")) or self._model

    def _take_delta(self, delta: Payload, index: Any) -> bool:
        text = delta.get("text")
        if isinstance(text, str):
            self._text.append(text)
            return bool(text)
        if "toolUse" in delta:
            piece = mapping(delta["toolUse"]).get("input")
            tool = self._blocks.get(index) if isinstance(index, int) else None
            if tool is not None:
                tool.add(piece)
            return bool(piece)
        if "reasoningContent" in delta:
            return self._take_reasoning(delta["reasoningContent"])
        return False

    def _take_reasoning(self, content: Any) -> bool:
        """`{"text"}` in a stream, `{"reasoningText": {"text"}}` in a whole message."""
        body = mapping(content)
        text = word(body.get("text")) or word(mapping(body.get("reasoningText")).get("text"))
        self._reasoning_chars += len(text or "")
        return text is not None

    def _take_tool(self, body: Payload, index: Any) -> Assembly:
        is_server = body.get("type") == "server_tool_use"
        tool = Assembly(word(body.get("name")) or "", word(body.get("toolUseId")), server_side=is_server)
        self._blocks[index if isinstance(index, int) else len(self._blocks)] = tool
        return tool

    def take_content(self, content: Any) -> None:
        """The content blocks of a whole message."""
        for position, block in enumerate(mappings(content)):
            text = word(block.get("text"))
            if text is not None:
                self._text.append(text)
            elif "toolUse" in block:
                body = mapping(block["toolUse"])
                self._take_tool(body, position).replace(body.get("input"))
            elif "reasoningContent" in block:
                self._take_reasoning(block["reasoningContent"])
            elif "citationsContent" in block:
                for part in mappings(mapping(block["citationsContent"]).get("content")):
                    self._text.append(word(part.get("text")) or "")

    def take_stop(self, reason: Any) -> None:
        """The end of a whole message."""
        self._stop = reason
        self._is_done = True

    def _result(self) -> Parsed:
        error_type, error_message = failure({"error": self._error}, None) if self._error else (None, None)
        raw = self._usage
        flags: tuple[str, ...] = ()
        usage = None
        if mapping(raw):
            usage, flags = usage_of(raw)
        elif self._is_done and error_type is None:
            flags = ("usage_missing",)
        if self.is_damaged:
            flags = (*flags, "stream_damaged")
        return Parsed(
            usage=usage,
            usage_raw=raw,
            response_model=self._model,
            service_tier=self._tier,
            tool_calls=tuple([block.tool_call() for block in self._blocks.values()]),
            finish_reasons=(self._stop,) if isinstance(self._stop, str) and self._stop else (),
            text="".join(self._text) if self._text else None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=error_message,
            is_complete=self._is_done,
            flags=flags,
        )


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    stream = ConverseStream()
    stream.take_content(mapping(mapping(body.get("output")).get("message")).get("content"))
    stream.take_metadata(body)
    stream.take_stop(body.get("stopReason"))
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole, binary or as JSON lines."""
    return read_whole(raw, _whole_or_event, ConverseStream)


def _whole_or_event(body: Payload) -> Parsed:
    if "output" in body or "usage" in body or "stopReason" in body:
        return parse_mapping(body)
    stream = ConverseStream()
    stream.feed(body)
    return stream.result()


def model_in(url: str) -> str | None:
    """The model in a Bedrock URL, decoded: `/model/us.amazon.nova-lite-v1%3A0/converse`; may be an ARN."""
    match = _MODEL.search(url.partition("?")[0])
    return unquote(match.group(1)) if match else None


def headed(parsed: Parsed, headers: Mapping[str, str]) -> Parsed:
    """With AWS's request id, the only id there is."""
    if parsed.response_id is not None or "x-amzn-requestid" not in headers:
        return parsed
    return msgspec.structs.replace(parsed, response_id=headers["x-amzn-requestid"] or None)


def asked(body: Payload, url: str) -> Asked:
    """What a Converse request asks for; the model stands in the URL only."""
    parameters = scalars(mapping(body.get("inferenceConfig")), PARAMETERS)
    parameters.update(scalars(mapping(body.get("performanceConfig")), ("latency",)))
    tier = word(mapping(body.get("serviceTier")).get("type"))
    if tier is not None:
        parameters["service_tier"] = tier
    messages = body.get("messages")
    system = body.get("system")
    return Asked(
        model=model_in(url) or word(body.get("modelId")),
        is_stream="/converse-stream" in url,
        prompt={"system": system, "messages": messages} if system else messages,
        parameters=parameters,
    )


CONVERSE = Format("bedrock.converse", "chat", asked, parse, ConverseStream, headed=headed)
