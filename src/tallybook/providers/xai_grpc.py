"""xAI's chat over gRPC, in the JSON form of its messages.

`completion_tokens` excludes reasoning, as in xAI's HTTP chat: output = completion + reasoning (checked against the
cost they state). The total is the sum of all three. In a stream every message has the usage so far: the last one that
has any wins. `cost_in_usd_ticks` is a text there; one tick is 1e-10 USD. An output per step: those of tools that the
host ran come before the answer.
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

PARAMETERS = ("temperature", "top_p", "max_tokens", "seed", "reasoning_effort", "n", "parallel_tool_calls",
              "frequency_penalty", "presence_penalty")  # fmt: skip
_TOOL_PREFIX = "SERVER_SIDE_TOOL_"
_CLIENT_TOOL = "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL"


def usage_of(raw: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...], int | None]:
    """The normal form of a `usage` message, its faults, and the stated cost in nano-USD."""
    asked_for, said = whole(raw.get("prompt_tokens")), whole(raw.get("completion_tokens"))
    reasoning, total = whole(raw.get("reasoning_tokens")), whole(raw.get("total_tokens"))
    if said is None and total is not None and asked_for is not None:
        said = max(total - asked_for - (reasoning or 0), 0)  # Zeros are left out of messages.
    requests: dict[str, int] = {}
    used = raw.get("server_side_tools_used")
    for name in used if isinstance(used, list) else ():
        if isinstance(name, str):
            kind = name.removeprefix(_TOOL_PREFIX).lower()
            requests[kind] = requests.get(kind, 0) + 1
    usage, flags = settled(
        Usage(
            input_tokens=asked_for,
            output_tokens=None if said is None else said + (reasoning or 0),
            cache_read_tokens=whole(raw.get("cached_prompt_text_tokens")),
            input_image_tokens=whole(raw.get("prompt_image_tokens")),
            reasoning_tokens=reasoning,
            requests=requests,
        )
    )
    ticks = whole(raw.get("cost_in_usd_ticks"))
    return usage, flags, (ticks + 5) // 10 if ticks else None


class CompletionStream(LooseStream):
    """Accumulates messages; a whole completion is the only one."""

    __slots__ = ("_error", "_finish", "_id", "_model", "_reasoning_chars", "_roles", "_text", "_tools", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._tools: dict[str, Assembly] = {}
        self._finish: dict[int, str] = {}
        self._roles: dict[int, str] = {}
        self._usage: Any = None
        self._id: str | None = None
        self._model: str | None = None
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        self._id = word(event.get("id")) or self._id
        self._model = word(event.get("model")) or self._model
        if mapping(event.get("usage")):
            self._usage = event["usage"]
        if "error" in event or ("code" in event and "message" in event):
            self._error = event.get("error") or event
        has_content = False
        for output in mappings(event.get("outputs")):
            index = whole(output.get("index")) or 0
            reason = word(output.get("finish_reason"))
            if reason is not None:
                self._finish[index] = reason
            message = mapping(output.get("message")) or mapping(output.get("delta"))
            has_content = self._take_message(message, index) or has_content
        return has_content

    def _take_message(self, message: Payload, index: int) -> bool:
        role = word(message.get("role")) or self._roles.get(index, "ROLE_ASSISTANT")
        self._roles[index] = role
        if role != "ROLE_ASSISTANT":
            return False  # What a tool of the host returned.
        text, thinking = word(message.get("content")), word(message.get("reasoning_content"))
        if text is not None:
            self._text.append(text)
        self._reasoning_chars += len(thinking or "")
        calls = mappings(message.get("tool_calls"))
        for call in calls:
            body = mapping(call.get("function"))
            id_ = word(call.get("id"))
            is_server = call.get("type") not in (_CLIENT_TOOL, None)
            key = id_ or str(len(self._tools))
            tool = self._tools.setdefault(key, Assembly(word(body.get("name")) or "", id_, server_side=is_server))
            tool.replace(body.get("arguments"))
        return text is not None or thinking is not None or bool(calls)

    def _result(self) -> Parsed:
        error_type, message = failure({"error": self._error}, None) if self._error else (None, None)
        raw = self._usage
        usage: Usage | None = None
        cost = None
        flags: tuple[str, ...] = ()
        last = self._finish.get(max(self._roles, default=0))
        if mapping(raw):
            usage, flags, cost = usage_of(raw)
        elif last is not None and error_type is None:
            flags = ("usage_missing",)
        return Parsed(
            usage=usage,
            usage_raw=raw,
            response_id=self._id,
            response_model=self._model,
            cost_nanousd=cost,
            tool_calls=tuple([tool.tool_call() for tool in self._tools.values()]),
            finish_reasons=() if last is None else (last,),
            text="".join(self._text) or None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=message,
            is_complete=last is not None,
            flags=flags,
        )


def parse_mapping(body: Payload) -> Parsed:
    """A whole completion that is decoded already."""
    stream = CompletionStream()
    stream.feed(body)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole completion; also the messages of a stream as JSON lines."""
    return read_whole(raw, parse_mapping, CompletionStream)


def asked(body: Payload, url: str) -> Asked:
    """What a completion asks for."""
    return Asked(
        model=word(body.get("model")),
        is_stream=url.endswith("GetCompletionChunk"),
        prompt=body.get("messages"),
        parameters=scalars(body, PARAMETERS),
    )


COMPLETION = Format("xai.grpc", "chat", asked, parse, CompletionStream)
