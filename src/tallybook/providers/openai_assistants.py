"""OpenAI's assistants: a run of a thread, which may be several model calls, with one usage when it ends.

Usage is null until then; polling shows the same run again and again, told apart by its id. Steps repeat parts of the
run's usage and are not read. In a stream the event's name tells nothing that the object's own kind does not.
"""

from __future__ import annotations

from typing import Any

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.openai_usage import counted
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, word

PARAMETERS = ("temperature", "top_p", "max_completion_tokens", "max_prompt_tokens", "reasoning_effort",
              "parallel_tool_calls", "tool_choice")  # fmt: skip
_OPEN = frozenset(("queued", "in_progress", "requires_action", "cancelling"))
_SERVER_TOOLS = {"code_interpreter": "code_execution", "file_search": "file_search"}


class RunStream(LooseStream):
    """Accumulates a run's events; a whole run is its only event."""

    __slots__ = ("_error", "_run", "_text", "_used")

    def __init__(self) -> None:
        super().__init__()
        self._run: Payload = {}
        self._text: list[str] = []
        self._used: dict[str, str] = {}
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        kind = event.get("object")
        if kind == "thread.run":
            self._run = event
        elif kind == "thread.message.delta":
            for part in mappings(mapping(event.get("delta")).get("content")):
                text = word(mapping(part.get("text")).get("value"))
                if text is not None:
                    self._text.append(text)
            return True
        elif kind == "thread.run.step":
            for call in mappings(mapping(event.get("step_details")).get("tool_calls")):
                self._used[word(call.get("id")) or str(len(self._used))] = str(call.get("type"))
        elif kind == "thread.run.step.delta":
            return True
        elif "error" in event:
            self._error = event.get("error")
        return False

    def _result(self) -> Parsed:
        run = self._run
        status = word(run.get("status"))
        raw = mapping(run.get("usage"))
        usage: Usage | None = None
        flags: tuple[str, ...] = ()
        is_complete = status is not None and status not in _OPEN
        error = run.get("last_error") or self._error
        error_type, message = failure({"error": error}, None) if error else (None, None)
        if raw:
            usage, flags, _ = counted(raw)
        elif is_complete and error_type is None and status != "cancelled":
            flags = ("usage_missing",)
        tools = [_function(call) for call in _asked_of_caller(run)]
        tools += [
            Assembly(_SERVER_TOOLS[kind], id_, server_side=True)
            for id_, kind in self._used.items()
            if kind in _SERVER_TOOLS
        ]
        finish = word(mapping(run.get("incomplete_details")).get("reason")) or status
        return Parsed(
            usage=usage,
            usage_raw=raw or None,
            response_id=word(run.get("id")),
            response_model=word(run.get("model")),
            tool_calls=tuple(tool.tool_call() for tool in tools),
            finish_reasons=(finish,) if finish is not None and status not in ("queued", "in_progress") else (),
            text="".join(self._text) or None,
            error_type=error_type,
            error_message=message,
            is_complete=is_complete,
            flags=flags,
        )


def _asked_of_caller(run: Payload) -> list[Payload]:
    action = mapping(mapping(run.get("required_action")).get("submit_tool_outputs"))
    return list(mappings(action.get("tool_calls")))


def _function(call: Payload) -> Assembly:
    body = mapping(call.get("function"))
    tool = Assembly(word(body.get("name")) or "", word(call.get("id")))
    tool.replace(body.get("arguments"))
    return tool


def parse_mapping(body: Payload) -> Parsed:
    """A whole run that is decoded already."""
    stream = RunStream()
    stream.feed(body)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole run; also a stream that was read whole."""
    return read_whole(raw, parse_mapping, RunStream)


def asked(body: Payload, url: str) -> Asked:
    """What a run is asked; without a model of its own it has the assistant's, which the answer tells."""
    del url
    thread = mapping(body.get("thread"))
    return Asked(
        model=word(body.get("model")),
        is_stream=body.get("stream") is True,
        prompt=thread.get("messages") or body.get("additional_messages"),
        parameters=scalars(body, PARAMETERS),
    )


RUN = Format("openai.runs", "chat", asked, parse, RunStream)
