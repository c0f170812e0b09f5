"""OpenAI's Responses API (POST, GET for polling, /responses/compact), also as spoken by other hosts.

Cached input is inside the input and reasoning inside the output. `usage` is null while a response is queued or in
progress; polling repeats the same id and usage. Tools that the provider runs are output items by type; tokens of
the image tool stand outside `usage`, in `tool_usage.image_gen`, and become `Parsed.further`. A stream ends with
exactly one of response.completed, .incomplete, .failed, which holds the whole response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Further, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, decode, unreadable
from tallybook.providers.openai_chat import model_in
from tallybook.providers.openai_responses_quick import quick
from tallybook.providers.openai_usage import counted, retention
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.stream import EventStream, named_events
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, uses, whole, word

PARAMETERS = (
    "temperature", "top_p", "max_output_tokens", "max_tool_calls", "parallel_tool_calls", "service_tier", "store",
    "truncation", "background", "tool_choice", "top_logprobs", "previous_response_id", "prompt_cache_retention",
)  # fmt: skip
_NAMES = frozenset(PARAMETERS)

SERVER_TOOLS = {
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_execution",
    "image_generation_call": "image_generation",
    "x_search_call": "x_search",
    "mcp_call": "mcp",
    "tool_search_call": "tool_search",
    "shell_call": "shell",
}
"""Item types of tools that the provider runs, and the names they get here."""

_BILLED = {"web_search", "file_search", "code_execution", "x_search"}
"""Kinds that cost a fee by use; the others cost tokens only."""

_CALLER_TOOLS = {
    "function_call": None,
    "custom_tool_call": None,
    "computer_call": "computer",
    "local_shell_call": "local_shell",
    "apply_patch_call": "apply_patch",
}
"""Item types of tools that the caller is to run; `None` where the item names the tool itself."""

_ARGUMENT_DELTAS = {
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.mcp_call_arguments.delta",
    "response.code_interpreter_call_code.delta",
}
_FINISHED = {"response.completed", "response.incomplete", "response.failed"}
_IN_PROGRESS = {"queued", "in_progress"}


class _Item(msgspec.Struct, gc=False):
    """An output item; the result of the image tool, megabytes of base64, is passed over."""

    type: Any = None
    id: Any = None
    call_id: Any = None
    name: Any = None
    arguments: Any = None
    input: Any = None
    code: Any = None
    action: Any = None
    operation: Any = None
    queries: Any = None
    content: Any = None
    summary: Any = None
    error: Any = None
    execution: Any = None
    server_label: Any = None


class _Response(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    status: Any = None
    output: list[_Item] | None = None
    usage: Any = None
    service_tier: Any = None
    error: Any = None
    incomplete_details: Any = None
    tool_usage: Any = None
    tools: msgspec.Raw = msgspec.Raw()
    object: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    delta: Any = None
    output_index: Any = None
    item: _Item | None = None
    response: _Response | None = None
    error: Any = None
    message: Any = None
    code: Any = None


_decode_whole = msgspec.json.Decoder(_Response).decode
_ITEM_FIELDS = _Item.__struct_fields__


def _item(value: Any) -> _Item | None:
    return _Item(*[value.get(name) for name in _ITEM_FIELDS]) if isinstance(value, Mapping) else None


def _response(value: Any) -> _Response | None:
    """The response of a mapping, whatever the types in it."""
    if not isinstance(value, Mapping):
        return None
    get = value.get
    tools = get("tools")
    output = get("output")
    return _Response(
        get("id"), get("model"), get("status"),
        None if output is None else [found for item in mappings(output) if (found := _item(item)) is not None],
        get("usage"), get("service_tier"), get("error"), get("incomplete_details"), get("tool_usage"),
        msgspec.Raw(msgspec.json.encode(tools)) if tools else msgspec.Raw(), get("object"),
    )  # fmt: skip


class ResponseStream(EventStream[_Event]):
    """Accumulates response events. Items are kept by output index: some hosts change their ids between events."""

    _array = staticmethod(named_events)
    _decode = msgspec.json.Decoder(list[_Event]).decode

    __slots__ = ("_error", "_id", "_model", "_reasoning_chars", "_response", "_text", "_tier", "_tools")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._tools: dict[int, Assembly] = {}
        self._response: _Response | None = None
        self._id: Any = None
        self._model: Any = None
        self._tier: Any = None
        self._error: Any = None

    def _event_of(self, event: Mapping[str, Any]) -> _Event:
        return _Event(
            event.get("type"), event.get("delta"), event.get("output_index"), _item(event.get("item")),
            _response(event.get("response")), event.get("error"), event.get("message"), event.get("code"),
        )  # fmt: skip

    def _take(self, event: _Event) -> bool:
        kind = event.type
        if not isinstance(kind, str):
            return False
        if kind.endswith(".delta"):
            return self._take_delta(kind, event)
        if event.response is not None:
            # A terminal event newer than this file is known by its usage, which no other has.
            self._take_response(event.response, is_last=kind in _FINISHED or bool(event.response.usage))
        elif event.item is not None:
            self._take_item(event.item, event.output_index)
        elif kind == "error":
            self._error = event.error or {"message": event.message, "code": event.code}
        return False

    def _take_delta(self, kind: str, event: _Event) -> bool:
        delta = event.delta
        if not delta or not isinstance(delta, str):
            return bool(delta)
        if kind in {"response.output_text.delta", "response.refusal.delta"}:
            self._text.append(delta)
        elif "reasoning" in kind:
            self._reasoning_chars += len(delta)
        elif kind in _ARGUMENT_DELTAS:
            tool = self._tools.get(event.output_index) if isinstance(event.output_index, int) else None
            if tool is not None:
                tool.add(delta)
        return True

    def _take_item(self, item: _Item, index: Any) -> None:
        tool = _tool_of(item)
        if tool is None:
            return
        key = index if isinstance(index, int) else len(self._tools)
        known = self._tools.get(key)
        if known is not None and not tool.has_arguments:
            known.error = tool.error or known.error
            known.name = tool.name or known.name
        else:
            self._tools[key] = tool

    def _take_response(self, response: _Response, *, is_last: bool) -> None:
        self._id = response.id or self._id
        self._model = response.model or self._model
        self._tier = response.service_tier or self._tier
        if response.error:
            self._error = response.error
        if is_last:
            self._is_done = True
            self._response = response

    def _result(self) -> Parsed:
        response = self._response
        if response is None:
            return self._broken()
        text, reasoning_chars, tools = self._text, self._reasoning_chars, self._tools
        if response.output:
            text, reasoning_chars, tools = _output_of(response.output)
            text, tools = text or self._text, tools or self._tools
            reasoning_chars = reasoning_chars or self._reasoning_chars
        error_type, error_message = failure({"error": self._error}, None) if self._error else (None, None)
        status = word(response.status)
        is_complete = status not in _IN_PROGRESS
        flags: tuple[str, ...] = ()
        cost = usage = None
        further: tuple[Further, ...] = ()
        raw = response.usage
        if raw and mapping(raw):
            usage, flags, cost = counted(raw)
            requests = _requests(response, usage)
            if requests != usage.requests:
                usage = msgspec.structs.replace(usage, requests=requests)
            further = _image_tool(response)
            if further:
                flags = (*flags, "further_models")
        elif is_complete and error_type is None and status != "cancelled":
            flags = ("usage_missing",)
        finish = word(mapping(response.incomplete_details).get("reason")) or status
        return Parsed(
            usage=usage,
            usage_raw=raw,
            response_id=word(self._id),
            response_model=word(self._model),
            service_tier=word(self._tier),
            cost_nanousd=cost,
            tool_calls=tuple([tool.tool_call() for tool in tools.values()]),
            finish_reasons=(finish,) if finish is not None and is_complete else (),
            text="".join(text) if text else None,
            reasoning_chars=reasoning_chars,
            error_type=error_type,
            error_message=error_message,
            is_complete=is_complete,
            flags=flags,
            further=further,
        )

    def _broken(self) -> Parsed:
        """What was seen of a stream whose terminal event never came."""
        error_type, error_message = failure({"error": self._error}, None) if self._error else (None, None)
        return Parsed(
            response_id=word(self._id),
            response_model=word(self._model),
            tool_calls=tuple([tool.tool_call() for tool in self._tools.values()]),
            text="".join(self._text) if self._text else None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=error_message,
            is_complete=False,
        )


def _tool_of(item: _Item) -> Assembly | None:
    """The tool call of an output item; `None` for messages, reasoning and types newer than this file."""
    kind = item.type
    if not isinstance(kind, str):
        return None
    id_ = word(item.call_id) or word(item.id)
    if kind in _CALLER_TOOLS:
        tool = Assembly(_CALLER_TOOLS[kind] or word(item.name) or kind, id_)
        arguments = item.arguments or item.input or item.action or item.operation
    elif kind in SERVER_TOOLS:
        is_server = kind not in {"tool_search_call", "shell_call"} or item.execution in (None, "server")
        name = word(item.name) if kind == "mcp_call" else None
        tool = Assembly(name or SERVER_TOOLS[kind], id_, server_side=is_server)
        arguments = item.arguments or item.code or item.queries or item.action
    else:
        return None
    if arguments:
        tool.replace(arguments)
    if item.error:
        tool.error = word(item.error) or word(mapping(item.error).get("message")) or "error"
    return tool


def _output_of(output: list[_Item]) -> tuple[list[str], int, dict[int, Assembly]]:
    """Visible text, characters of reasoning and tool calls of all output items."""
    text: list[str] = []
    reasoning_chars = 0
    tools: dict[int, Assembly] = {}
    for index, item in enumerate(output):
        if item.type == "message":
            for part in mappings(item.content):
                piece = part.get("text") or part.get("refusal")
                if isinstance(piece, str):
                    text.append(piece)
        elif item.type == "reasoning":
            for part in (*mappings(item.summary), *mappings(item.content)):
                reasoning_chars += len(word(part.get("text")) or "")
        elif (tool := _tool_of(item)) is not None:
            tools[index] = tool
    return text, reasoning_chars, tools


def _requests(response: _Response, usage: Usage) -> dict[str, int]:
    """Billed uses of server-side tools. What the response itself counts goes before what its items show.

    Of the web search items only searches count, not pages opened or searched within.
    """
    found = dict(usage.requests)
    for item in response.output or ():
        kind = SERVER_TOOLS.get(item.type) if isinstance(item.type, str) else None
        if kind not in _BILLED or kind in usage.requests:
            continue
        if kind == "web_search" and mapping(item.action).get("type") in ("open_page", "find_in_page", "find"):
            continue
        found[kind] = found.get(kind, 0) + 1
    searches = uses(mapping(mapping(response.tool_usage).get("web_search")).get("num_requests"))
    if searches:
        found["web_search"] = searches
    return found


def _image_tool(response: _Response) -> tuple[Further, ...]:
    """Tokens of the image tool, which the response's usage does not contain; its model stands among the tools."""
    raw = mapping(mapping(response.tool_usage).get("image_gen"))
    if not (whole(raw.get("input_tokens")) or whole(raw.get("output_tokens"))):
        return ()
    model = None
    for tool in mappings(decode(response.tools)) if bytes(response.tools) else ():
        if tool.get("type") == "image_generation":
            model = word(tool.get("model"))
    return (Further(model=model, usage=counted(raw).usage, usage_raw=raw, name="image_generation"),)


def taken_whole(response: _Response) -> Parsed:
    """A decoded whole response."""
    stream = ResponseStream()
    stream._take_response(response, is_last=True)
    return stream.result()


def parse_mapping(body: Mapping[str, Any]) -> Parsed:
    """A whole response that is decoded already (batch results)."""
    return taken_whole(_response(body) or _Response())


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole. Bytes that are no JSON give an empty `Parsed`."""
    try:
        response = _decode_whole(raw)
    except UNREADABLE:
        if looks_like_sse(raw):
            stream = ResponseStream()
            stream.feed_bytes(raw)
            return stream.result()
        try:
            body = decode(raw)
        except UNREADABLE:
            return unreadable(raw)
        response = _response(mapping(body)) or _Response()
    if response.output is None and response.usage is None:
        error_type, error_message = failure(decode(raw), None)
        if error_type is not None:
            return Parsed(response_id=word(response.id), error_type=error_type, error_message=error_message)
    return taken_whole(response)


def asked(body: Payload, url: str) -> Asked:
    """What a Responses request asks for; a GET has no body and tells nothing."""
    parameters = {} if body.keys().isdisjoint(_NAMES) else scalars(body, _NAMES)
    if "reasoning" in body:
        for key, value in scalars(mapping(body["reasoning"]), ("effort", "summary", "mode")).items():
            parameters[f"reasoning_{key}"] = value
    if "text" in body:
        parameters.update(scalars(mapping(body["text"]), ("verbosity",)))
    instructions = body.get("instructions")
    prompt = body.get("input")
    return Asked(
        model=word(body.get("model")) or model_in(url),
        is_stream=body.get("stream") is True,
        prompt=prompt if instructions is None else {"instructions": instructions, "input": prompt},
        parameters=parameters,
        facts=retention(parameters) if "prompt_cache_retention" in parameters else (),
    )


RESPONSES = Format("openai.responses", "chat", asked, parse, ResponseStream, quick=quick)
