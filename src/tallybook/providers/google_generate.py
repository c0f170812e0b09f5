"""Google's generateContent and streamGenerateContent, on the Gemini API and on Vertex.

`promptTokenCount` includes cached content and excludes the prompt that tools brought in; `candidatesTokenCount`
excludes thoughts and is absent when nothing visible was produced. So input = prompt + toolUsePrompt and
output = candidates + thoughts. In a stream every chunk has the whole usage so far: the last one wins, all keys
together (counts may fall as well as rise). Without `alt=sse` a stream is one JSON array.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.google_arguments import Arguments
from tallybook.providers.lenient import UNREADABLE, decode, unreadable
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.stream import EventStream, crlf_events
from tallybook.providers.tool import arguments_text
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("temperature", "topP", "topK", "maxOutputTokens", "candidateCount", "seed", "presencePenalty",
              "frequencyPenalty", "responseMimeType", "mediaResolution", "serviceTier",
              "top_p", "top_k", "max_output_tokens", "candidate_count", "response_mime_type")  # fmt: skip

_MODALITIES = {1: "TEXT", 2: "IMAGE", 3: "VIDEO", 4: "AUDIO", 5: "DOCUMENT"}
_TRAFFIC = {1: "ON_DEMAND", 2: "PROVISIONED_THROUGHPUT"}
_FINISH = {
    1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER", 6: "BLOCKLIST", 7: "PROHIBITED_CONTENT",
    8: "SPII", 9: "MALFORMED_FUNCTION_CALL", 10: "MODEL_ARMOR",
}  # fmt: skip
"""Recordings of the protocol buffers interface carry numbers where JSON has names."""


class _Content(msgspec.Struct, gc=False):
    parts: Any = None


class _Candidate(msgspec.Struct, gc=False, rename="camel"):
    content: _Content | None = None
    index: Any = 0
    finish_reason: Any = None
    grounding_metadata: Any = None
    url_context_metadata: Any = None


class _Chunk(msgspec.Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: Any = None
    model_version: Any = None
    response_id: Any = None
    prompt_feedback: Any = None
    error: Any = None


_decode_whole = msgspec.json.Decoder(_Chunk).decode


def _chunk(event: Mapping[str, Any]) -> _Chunk:
    """The chunk of a mapping, whatever the types in it."""
    candidates = []
    for item in mappings(event.get("candidates")):
        content = item.get("content")
        candidates.append(
            _Candidate(
                _Content(content.get("parts")) if isinstance(content, Mapping) else None,
                item.get("index", 0), item.get("finishReason"), item.get("groundingMetadata"),
                item.get("urlContextMetadata"),
            )
        )  # fmt: skip
    return _Chunk(
        candidates, event.get("usageMetadata"), event.get("modelVersion"), event.get("responseId"),
        event.get("promptFeedback"), event.get("error"),
    )  # fmt: skip


def usage_of(raw: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...]]:
    """The normal form of a `usageMetadata` and its faults."""
    get = raw.get
    prompt = whole(get("promptTokenCount"))
    by_tools = whole(get("toolUsePromptTokenCount"))
    candidates = whole(get("candidatesTokenCount"))
    thoughts = whole(get("thoughtsTokenCount"))
    total = whole(get("totalTokenCount"))
    input_tokens = None if prompt is None else prompt + (by_tools or 0)
    flags: tuple[str, ...] = ()
    if candidates is not None:
        output_tokens: int | None = candidates + (thoughts or 0)
        if total is not None and input_tokens is not None and total != input_tokens + candidates + (thoughts or 0):
            flags = ("total_differs",)
    elif total is not None and input_tokens is not None:
        output_tokens = max(total - input_tokens, thoughts or 0)
    else:
        output_tokens = thoughts
    inside = modalities(get("promptTokensDetails"), get("toolUsePromptTokensDetails"))
    outside = modalities(get("candidatesTokensDetails"), None)
    cached = get("cacheTokensDetails")
    usage, found = settled(
        Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=whole(get("cachedContentTokenCount")),
            input_audio_tokens=inside.get("AUDIO"),
            input_image_tokens=inside.get("IMAGE"),
            reasoning_tokens=thoughts,
            output_audio_tokens=outside.get("AUDIO"),
            output_image_tokens=outside.get("IMAGE"),
            quantities=cached_apart(modalities(cached, None)) if cached else {},
        )
    )
    return usage, flags + found


def cached_apart(by_modality: Mapping[str, int]) -> dict[str, int]:
    """How much of the cached input was no text: it may have a price of its own."""
    return {
        f"cache_read_{name.lower()}_tokens": count
        for name, count in by_modality.items()
        if name in ("AUDIO", "IMAGE") and count > 0
    }


def modalities(first: Any, second: Any) -> dict[str, int]:
    """Tokens by modality's name over one or two lists of details."""
    found: dict[str, int] = {}
    for details in (first, second):
        for item in mappings(details):
            kind = item.get("modality")
            count = whole(item.get("tokenCount"))
            name = _MODALITIES.get(kind, "") if isinstance(kind, int) else kind
            if count is not None and isinstance(name, str):
                found[name] = found.get(name, 0) + count
    return found


class GenerateStream(EventStream[_Chunk]):
    """Accumulates chunks; a whole response is its only chunk."""

    _array = staticmethod(crlf_events)
    _decode = msgspec.json.Decoder(list[_Chunk]).decode

    __slots__ = ("_blocked", "_code", "_error", "_fetched", "_finish", "_id", "_maps", "_model", "_open", "_queries",
                 "_reasoning_chars", "_retrieved", "_text", "_tools", "_usage")  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._tools: list[ToolCall] = []
        self._finish: dict[int, str] = {}
        self._usage: Any = None
        self._id: Any = None
        self._model: Any = None
        self._error: Any = None
        self._blocked: str | None = None
        self._queries: set[str] = set()
        self._fetched: set[str] = set()
        self._maps = False
        self._retrieved = False
        self._code = 0
        self._open: Arguments | None = None

    def _event_of(self, event: Mapping[str, Any]) -> _Chunk:
        return _chunk(event)

    def _take(self, event: _Chunk) -> bool:
        if event.usage_metadata is not None and (self._usage is None or _is_count(event.usage_metadata)):
            self._usage = event.usage_metadata
        if event.model_version:
            self._model = event.model_version
        if event.response_id and not self._id:
            self._id = event.response_id
        if event.error is not None and self._error is None:
            self._error = event.error
        if event.prompt_feedback is not None:
            self._blocked = word(mapping(event.prompt_feedback).get("blockReason")) or self._blocked
        has_content = False
        for candidate in event.candidates or ():
            index = candidate.index if type(candidate.index) is int else 0
            if candidate.finish_reason is not None:
                reason = candidate.finish_reason
                self._finish[index] = _FINISH.get(reason, str(reason)) if type(reason) is int else str(reason)
            if candidate.grounding_metadata is not None:
                self._take_grounding(mapping(candidate.grounding_metadata))
            if candidate.url_context_metadata is not None:
                for item in mappings(mapping(candidate.url_context_metadata).get("urlMetadata")):
                    self._fetched.add(str(item.get("retrievedUrl")))
            if candidate.content is not None:
                for part in mappings(candidate.content.parts):
                    if self._take_part(part, index):
                        has_content = True
        return has_content

    def _take_part(self, part: Mapping[str, Any], index: int) -> bool:
        text = part.get("text")
        if isinstance(text, str):
            if part.get("thought") is True:
                self._reasoning_chars += len(text)
            elif index == 0 and text:
                self._text.append(text)
            return bool(text)
        call = part.get("functionCall")
        if isinstance(call, Mapping):
            self._take_call(call)
            return True
        code = part.get("executableCode")
        if isinstance(code, Mapping):
            self._code += 1
            self._tools.append(ToolCall(name="code_execution", arguments=arguments_text(code), server_side=True))
            return True
        return "inlineData" in part

    def _take_call(self, call: Mapping[str, Any]) -> None:
        """A function call, whole or the next part of the one that said it would continue."""
        parts = call.get("partialArgs")
        if self._open is not None and not word(call.get("name")):
            self._open.add(parts)
            self._tools[-1] = msgspec.structs.replace(self._tools[-1], arguments=arguments_text(self._open.value))
        else:
            self._open = None
            arguments = arguments_text(call.get("args"))
            if call.get("willContinue") is True or parts is not None:
                self._open = Arguments()
                self._open.add(parts)
                arguments = arguments or arguments_text(self._open.value)
            self._tools.append(
                ToolCall(name=word(call.get("name")) or "", id=word(call.get("id")), arguments=arguments)
            )
        if call.get("willContinue") is not True:
            self._open = None

    def _take_grounding(self, grounding: Mapping[str, Any]) -> None:
        queries = grounding.get("webSearchQueries")
        if isinstance(queries, (list, tuple)):
            self._queries.update(query for query in queries if isinstance(query, str) and query)
        if any("maps" in chunk for chunk in mappings(grounding.get("groundingChunks"))):
            self._maps = True
        if any("retrievedContext" in chunk for chunk in mappings(grounding.get("groundingChunks"))):
            self._retrieved = True

    def _requests(self) -> dict[str, int]:
        """Billed tool uses. Up to Gemini 2.5 a grounded prompt is billed once, since Gemini 3 each search query."""
        found: dict[str, int] = {}
        if self._queries:
            model = word(self._model) or ""
            found["web_search"] = 1 if model.startswith(("gemini-1", "gemini-2")) else len(self._queries)
        if self._maps:
            found["google_maps"] = 1
        if self._fetched:
            found["web_fetch"] = len(self._fetched)
        if self._code:
            found["code_execution"] = self._code
        return found

    def _result(self) -> Parsed:
        error_type = error_message = None
        if self._error is not None:
            error_type, error_message = failure({"error": self._error}, None)
        is_complete = self._is_done or bool(self._finish) or self._blocked is not None
        raw = self._usage
        flags: tuple[str, ...] = ()
        usage = tier = None
        if raw and mapping(raw):
            tier = _tier(raw)
        if raw and _is_count(raw):
            usage, flags = usage_of(raw)
            requests = self._requests()
            if requests:
                usage = msgspec.structs.replace(usage, requests=requests)
        elif is_complete and error_type is None:
            flags = ("usage_missing",)
        searches = [ToolCall(name="web_search", arguments=arguments_text({"query": query}), server_side=True)
                    for query in sorted(self._queries)]  # fmt: skip
        searches += [ToolCall(name="web_fetch", arguments=arguments_text({"url": url}), server_side=True)
                     for url in sorted(self._fetched)]  # fmt: skip
        if self._maps:
            searches.append(ToolCall(name="google_maps", server_side=True))
        if self._retrieved:  # Free but for its tokens: told as a tool, not as a billed request.
            searches.append(ToolCall(name="file_search", server_side=True))
        finish = tuple(self._finish[index] for index in sorted(self._finish))
        if not finish and self._blocked is not None:
            finish = (self._blocked,)
        return Parsed(
            usage=usage,
            usage_raw=raw,
            response_id=word(self._id),
            response_model=word(self._model),
            service_tier=tier,
            tool_calls=(*self._tools, *searches),
            finish_reasons=finish,
            text="".join(self._text) if self._text else None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=error_message,
            is_complete=is_complete,
            flags=flags,
        )


def _is_count(raw: Any) -> bool:
    """Whether a `usageMetadata` counts anything: parts of streamed function calls come with only the tier in it."""
    get = mapping(raw).get
    return any(get(key) is not None for key in ("promptTokenCount", "totalTokenCount", "candidatesTokenCount"))


def _tier(raw: Mapping[str, Any]) -> str | None:
    """`serviceTier` (Gemini API) or `trafficType` (Vertex), as sent."""
    tier = raw.get("serviceTier", raw.get("trafficType"))
    return _TRAFFIC.get(tier) if isinstance(tier, int) else word(tier)


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream (events or JSON array) that was read whole. No JSON gives an empty `Parsed`."""
    try:
        chunk = _decode_whole(raw)
    except UNREADABLE:
        if looks_like_sse(raw) or raw.lstrip()[:1] == b"[":
            stream = GenerateStream()
            stream.feed_bytes(raw)
            return stream.result()
        try:
            body = decode(raw)
        except UNREADABLE:
            return unreadable(raw)
        chunk = _chunk(mapping(body))
    return parse_chunk(chunk)


def parse_mapping(body: Mapping[str, Any]) -> Parsed:
    """A whole response that is decoded already (batch results)."""
    return parse_chunk(_chunk(body))


def parse_chunk(chunk: _Chunk) -> Parsed:
    """A decoded whole response."""
    stream = GenerateStream()
    stream._take(chunk)
    stream._is_done = True
    return stream.result()


def model_in(url: str) -> str | None:
    """The model in a path or URL: `models/gemini-2.5-flash:generateContent`, `…/publishers/google/models/…`."""
    path = url.partition("?")[0]
    _, found, rest = path.rpartition("models/")
    if not found:
        return None
    return unquote(rest.partition(":")[0].partition("/")[0]) or None


def asked(body: Payload, url: str) -> Asked:
    """What a generate request asks for; the model stands in the URL only."""
    config = mapping(body.get("generationConfig", body.get("generation_config")))
    parameters = scalars(config, PARAMETERS)
    thinking = mapping(config.get("thinkingConfig", config.get("thinking_config")))
    parameters.update(scalars(thinking, ("thinkingBudget", "thinkingLevel", "includeThoughts", "thinking_budget")))
    parameters.update(scalars(body, ("serviceTier", "cachedContent")))
    contents = body.get("contents")
    system = body.get("systemInstruction", body.get("system_instruction"))
    return Asked(
        model=model_in(url) or word(body.get("model")),
        is_stream=":streamGenerateContent" in url,
        prompt=contents if system is None else {"system": system, "contents": contents},
        parameters=parameters,
    )


GENERATE = Format("google.generate", "generate_content", asked, parse, GenerateStream)
