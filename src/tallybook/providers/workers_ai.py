"""Cloudflare's Workers AI, at its own address: the answer stands in `result`, the model in the path.

What is inside is either a `response` text with `tool_calls` and `usage`, or a whole chat completion, which is read as
such; in a stream the same, without the `result` around it. Usage counts as OpenAI's does. The address that is like
OpenAI's (`/ai/v1/…`) is `openai_chat`'s.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from tallybook.model.call import ToolCall
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.openai_chat import ChatStream
from tallybook.providers.openai_chat import parse_mapping as parse_chat
from tallybook.providers.openai_usage import counted
from tallybook.providers.tool import arguments_text
from tallybook.providers.value import mapping, mappings, scalars, word

PARAMETERS = ("temperature", "top_p", "top_k", "max_tokens", "seed", "repetition_penalty", "frequency_penalty",
              "presence_penalty", "stream")  # fmt: skip


class RunStream(LooseStream):
    """Accumulates events, of either kind; a whole response's `result` is the only one."""

    __slots__ = ("_chat", "_text", "_tools", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._chat: ChatStream | None = None
        self._text: list[str] = []
        self._tools: list[ToolCall] = []
        self._usage: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        if self._chat is not None or "choices" in event:
            self._chat = self._chat or ChatStream()
            return self._chat.feed(event)
        self._usage = mapping(event.get("usage")) or self._usage
        text = word(event.get("response"))
        if text is not None:
            self._text.append(text)
        calls = mappings(event.get("tool_calls"))
        for call in calls:
            body = mapping(call.get("function")) or call
            self._tools.append(
                ToolCall(
                    name=word(body.get("name")) or "", id=word(call.get("id")),
                    arguments=arguments_text(body.get("arguments")),
                )
            )  # fmt: skip
        return text is not None or bool(calls)

    def _result(self) -> Parsed:
        if self._chat is not None:
            found = self._chat.result()
            return msgspec.structs.replace(found, is_complete=True) if self._is_done else found
        usage, flags, _ = counted(self._usage, None) if self._usage else (None, (), None)
        return Parsed(
            usage=usage,
            usage_raw=self._usage,
            text="".join(self._text) or None,
            tool_calls=tuple(self._tools),
            is_complete=self._is_done,
            flags=flags if usage is not None or not self._is_done else ("usage_missing",),
        )


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    inside = mapping(body.get("result")) or body
    if "choices" in inside:
        return parse_chat(inside)
    stream = RunStream()
    stream.feed(inside)
    stream._is_done = True
    found = stream.result()
    if body.get("success") is False:
        error = next(iter(mappings(body.get("errors"))), {})
        message = word(error.get("message"))
        return msgspec.structs.replace(found, error_type=str(error.get("code") or "error"), error_message=message)
    return found


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole. Bytes that are no JSON give an empty `Parsed`."""
    return read_whole(raw, parse_mapping, RunStream)


def asked(body: Payload, url: str) -> Asked:
    """What a request asks for; the model is the path's end: `…/ai/run/@cf/meta/llama-3.1-8b-instruct`."""
    model = unquote(url.partition("?")[0].partition("/ai/run/")[2].rstrip("/")) or None
    prompt = next((body[key] for key in ("messages", "prompt", "input") if key in body), None)
    return Asked(model=model, is_stream=body.get("stream") is True, prompt=prompt, parameters=scalars(body, PARAMETERS))


RUN = Format("workers_ai.run", "chat", asked, parse, RunStream)
