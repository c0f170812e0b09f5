"""Amazon Bedrock's InvokeModel, whole and streamed: the body is the model vendor's own.

Anthropic's messages, Nova (Converse's names), OpenAI-shaped bodies (AI21's Jamba, Mistral, gpt-oss, Qwen …) and
Cohere are read by those formats; Titan, Llama, Mistral's older and Claude's legacy completions here. What a body
does not tell, the headers `x-amzn-bedrock-*-token-count` do, and in a stream the last chunk's
`amazon-bedrock-invocationMetrics`; their input, too, excludes the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers import anthropic_messages, bedrock_converse, cohere_chat, openai_chat
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload, Stream
from tallybook.providers.bedrock_converse import ConverseStream, model_in
from tallybook.providers.eventstream import BinaryStream, inner_json
from tallybook.providers.failure import failure
from tallybook.providers.loose import read_whole
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("max_tokens", "maxTokens", "maxTokenCount", "max_gen_len", "max_new_tokens", "temperature", "topP",
              "top_p", "top_k", "p", "k", "num_generations", "dimensions", "input_type", "top_n")  # fmt: skip

_METRICS = "amazon-bedrock-invocationMetrics"
_HEADER = "x-amzn-bedrock-"


class Native(msgspec.Struct, kw_only=True):
    """What the vendors' plain completions tell, under many names."""

    text: list[str] = []
    usage: dict[str, int] = {}
    finish: dict[int, str] = {}
    input_tokens: int | None = None
    output_tokens: int | None = None
    has_seen: bool = False

    def take(self, body: Payload) -> bool:
        """Take a whole body or one chunk of a stream; True when it carries text."""
        get = body.get
        before = len(self.text)
        for item in (body, *mappings(get("results")), *mappings(get("outputs")), *mappings(get("generations"))):
            self._take_item(item)
        count = whole(get("inputTextTokenCount", get("prompt_token_count")))
        self.input_tokens = self.input_tokens if count is None else count
        counts = [whole(item.get("tokenCount")) for item in mappings(get("results"))]
        told = whole(get("totalOutputTextTokenCount", get("generation_token_count")))
        if told is None and counts and None not in counts:
            told = sum(count or 0 for count in counts)
        self.output_tokens = self.output_tokens if told is None else told
        return len(self.text) > before

    def _take_item(self, item: Payload) -> None:
        for name in ("outputText", "generation", "completion", "text"):
            text = item.get(name)
            if isinstance(text, str):
                self.has_seen = True
                if text:
                    self.text.append(text)
        reason = word(item.get("completionReason")) or word(item.get("stop_reason")) or word(item.get("finish_reason"))
        if reason is not None:
            self.finish[len(self.finish)] = reason


def native(body: Payload) -> Parsed:
    """A whole body of a vendor without a format of its own."""
    found = Native(text=[], finish={})
    found.take(body)
    images = len(body["images"]) if isinstance(body.get("images"), list) else 0
    return _of_native(found, images, is_complete=True)


def _of_native(found: Native, images: int = 0, *, is_complete: bool) -> Parsed:
    usage: Usage | None = None
    flags: tuple[str, ...] = ()
    if found.input_tokens is not None or found.output_tokens is not None or images:
        usage, flags = settled(
            Usage(
                input_tokens=found.input_tokens,
                output_tokens=found.output_tokens,
                quantities={"images": images} if images else {},
            )
        )
    elif is_complete:
        flags = ("usage_missing",)
    raw = {"input_tokens": found.input_tokens, "output_tokens": found.output_tokens}
    return Parsed(
        usage=usage,
        usage_raw={key: value for key, value in raw.items() if value is not None} or None,
        finish_reasons=tuple(found.finish.values()),
        text="".join(found.text) or None,
        is_complete=is_complete,
        flags=flags,
    )


def parse_mapping(body: Payload) -> Parsed:
    """A whole body that is decoded already, by the vendor its shape shows."""
    if "choices" in body:
        parsed = openai_chat.parse_mapping(body)
    elif isinstance(body.get("content"), list) and ("usage" in body or body.get("type") == "message"):
        parsed = anthropic_messages.parse_mapping(body)
    elif isinstance(mapping(body.get("output")).get("message"), Mapping):
        parsed = bedrock_converse.parse_mapping(body)
    elif "chat_history" in body or "response_id" in body or "billed_units" in mapping(body.get("meta")):
        parsed = cohere_chat.parse_mapping(body)
    else:
        parsed = native(body)
    return _measured(parsed, body.get(_METRICS))


def _measured(parsed: Parsed, metrics: Any) -> Parsed:
    """With Bedrock's own counts where the vendor told none."""
    raw = mapping(metrics)
    if not raw or (parsed.usage is not None and parsed.usage.input_tokens is not None):
        return parsed
    return _counted_by_bedrock(
        parsed,
        {
            "input": whole(raw.get("inputTokenCount")),
            "output": whole(raw.get("outputTokenCount")),
            "cache-read-input": whole(raw.get("cacheReadInputTokenCount")),
            "cache-write-input": whole(raw.get("cacheWriteInputTokenCount")),
        },
        raw,
    )


def _counted_by_bedrock(parsed: Parsed, counts: Mapping[str, int | None], raw: Any) -> Parsed:
    fresh, output = counts["input"], counts["output"]
    read, written = counts["cache-read-input"], counts["cache-write-input"]
    if fresh is None and output is None:
        return parsed
    usage, flags = settled(
        msgspec.structs.replace(
            parsed.usage or Usage(),
            input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written,
        )
    )
    kept = tuple(flag for flag in parsed.flags if flag != "usage_missing")
    return msgspec.structs.replace(parsed, usage=usage, usage_raw=parsed.usage_raw or raw, flags=kept + flags)


class InvokeStream(BinaryStream):
    """Accumulates the chunks of any vendor: the first one shows whose they are."""

    __slots__ = ("_error", "_inner", "_metrics", "_native")

    def __init__(self) -> None:
        super().__init__()
        self._inner: Stream | None = None
        self._native = Native(text=[], finish={})
        self._metrics: Any = None
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        if "chunk" in event:
            event = mapping(inner_json(event["chunk"]))
        elif "bytes" in event:
            event = mapping(inner_json(event))
        if _METRICS in event:
            self._metrics = event[_METRICS]
            self._is_done = True
        if self._inner is None:
            self._inner = _stream_for(event)
        if self._inner is not None:
            return self._inner.feed(event)
        for kind, value in event.items():
            if kind == "error" or kind.endswith("Exception"):
                self._error = value if kind == "error" else {"type": kind, "message": mapping(value).get("message")}
        return self._native.take(event)

    def _result(self) -> Parsed:
        if self._inner is not None:
            parsed = self._inner.result()
            if self._is_done and not parsed.is_complete:
                parsed = msgspec.structs.replace(parsed, is_complete=True)
        else:
            parsed = _of_native(self._native, is_complete=self._is_done or bool(self._native.finish))
        parsed = _measured(parsed, self._metrics)
        if self._error is not None and parsed.error_type is None:
            error_type, message = failure({"error": self._error}, None)
            parsed = msgspec.structs.replace(parsed, error_type=error_type, error_message=message)
        if self.is_damaged:
            parsed = msgspec.structs.replace(parsed, flags=(*parsed.flags, "stream_damaged"))
        return parsed


def _stream_for(event: Payload) -> Stream | None:
    kind = event.get("type")
    if isinstance(kind, str) and kind.startswith(("message_", "content_block_", "ping")):
        return anthropic_messages.MessageStream()
    if "choices" in event:
        return openai_chat.ChatStream()
    if "event_type" in event:
        return cohere_chat.ChatStream()
    return ConverseStream() if any(name in event for name in ("messageStart", "contentBlockDelta")) else None


def parse(raw: bytes) -> Parsed:
    """A whole response; also a binary stream that was read whole."""
    return read_whole(raw, parse_mapping, InvokeStream)


def headed(parsed: Parsed, headers: Mapping[str, str]) -> Parsed:
    """With the counts and the request id that the headers tell, where the body told none."""
    counts = {
        name: whole(headers.get(f"{_HEADER}{name}-token-count"))
        for name in ("input", "output", "cache-read-input", "cache-write-input")
    }
    usage = parsed.usage
    if usage is None or usage.input_tokens is None:
        told = {name: count for name, count in counts.items() if count is not None}
        parsed = _counted_by_bedrock(parsed, counts, told or None)
    elif counts["input"] is not None and parsed.error_type is None:
        if usage.output_tokens is None:  # Nova leaves it out when a guardrail stepped in.
            usage = msgspec.structs.replace(usage, output_tokens=counts["output"])
            parsed = msgspec.structs.replace(parsed, usage=usage)
        # Some vendors' headers count the input with what the cache gave, some without.
        cached = sum(counts[name] or 0 for name in ("cache-read-input", "cache-write-input"))
        is_same_output = counts["output"] in (None, usage.output_tokens)
        if usage.input_tokens not in (counts["input"], counts["input"] + cached) or not is_same_output:
            parsed = msgspec.structs.replace(parsed, flags=(*parsed.flags, "headers_differ"))
    return bedrock_converse.headed(parsed, headers)


def asked(body: Payload, url: str) -> Asked:
    """What an invoke request asks for; the model stands in the URL."""
    is_stream = "-response-stream" in url
    if "anthropic_version" in body or "messages" in body:
        found = anthropic_messages.asked(body, url)
        return msgspec.structs.replace(found, model=model_in(url) or found.model, is_stream=is_stream)
    parameters = scalars(body, PARAMETERS)
    for name in ("textGenerationConfig", "inferenceConfig", "embeddingConfig"):
        parameters.update(scalars(mapping(body.get(name)), PARAMETERS))
    prompt = next((body[key] for key in ("prompt", "inputText", "message", "texts", "query") if key in body), None)
    return Asked(model=model_in(url), is_stream=is_stream, prompt=prompt, parameters=parameters)


INVOKE = Format("bedrock.invoke", "chat", asked, parse, InvokeStream, headed=headed)
EMBEDDINGS = Format("bedrock.embeddings", "embeddings", asked, parse, headed=headed)
RERANK = Format("bedrock.rerank", "rerank", asked, parse, headed=headed)
IMAGES = Format("bedrock.images", "image_generation", asked, parse, headed=headed)
