"""The choke points that the OpenAI and Anthropic SDKs share: `request` and `_process_response` of their base client.

Every resource, sync and async, whole, streamed, raw, parsed and paged, goes through them, in all majors that
`table` names. `request` gives the beginning, the failure and the end; `_process_response` gives the HTTP
response before the SDK makes anything of it. What the SDK returns is returned untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any

from tallybook.capture import guard, recorder, switch, tee
from tallybook.capture.batch import record_batch
from tallybook.capture.bodies import sent_hash
from tallybook.capture.observe import Observation, record_failure
from tallybook.providers.base import Asked, Format
from tallybook.providers.detect import detect_provider
from tallybook.providers.table import match

_under_way: ContextVar[_Request | None] = ContextVar("tallybook_request", default=None)

_ASKS_FOR_USAGE = frozenset({"openai.chat", "openai.completions"})
_TELLS_UNASKED = frozenset({"mistral"})
"""Hosts that give usage in every stream and know no `stream_options`."""

_PLAIN = frozenset((str, int, float, bool, list, dict, type(None)))
_UNSAID = frozenset(("Omit", "NotGiven"))
"""The SDKs' words for a member that is not sent; Anthropic's takes them out later than we look."""

_LARGE_BYTES = 16_384
"""From this size of a request on, its prompt is hashed as it was sent and not encoded a second time."""

_KNOWN = "_tallybook_address"
_refusing: set[str] = set()
"""Base URLs that answered that they know no `stream_options`; they are not asked again."""


class _Request(Observation):
    """One `request` of the SDK under way."""

    __slots__ = ("has_injected", "is_async", "plain_body")
    has_injected: bool
    """Whether we asked for usage where the application did not."""
    is_async: bool
    plain_body: Any
    """The body without our wish."""


def _base_url(client: Any, family: str) -> tuple[str | None, str | None]:
    """Provider told by the client's address (`None` when the model must tell), and the address if it is unusual.

    Kept beside the client's own address object, which is replaced when the address changes.
    """
    address = getattr(client, "_base_url", None)
    text = str(address or "")
    provider = detect_provider(None, text)
    kind = type(client).__name__
    for word, name in (("Bedrock", "aws"), ("Vertex", "google-vertex"), ("Azure", "azure")):
        if word in kind:
            provider = name
    host = None if provider == family else text.split("://", 1)[-1].split("?", 1)[0].rstrip("/")
    found = (None if provider == "unknown" else provider, host)
    client.__dict__[_KNOWN] = (address, found)
    return found


def _begin(client: Any, options: Any, family: str, is_async: bool) -> _Request | None:
    """The observation of a request that is one to a model; `None` for any other."""
    method, url, body = options.method, options.url, options.json_data
    fmt = match(family, method, url)
    if fmt is None:
        return None
    pen = recorder.get()
    if not pen.settings.enabled:
        return None
    if type(body) is not dict:
        body = body if isinstance(body, Mapping) else {}
    if not _PLAIN.issuperset(map(type, body.values())):
        body = _said(body)
    if options.extra_json:
        body = {**body, **options.extra_json}
    asked = fmt.asked(body, url)
    known = client.__dict__.get(_KNOWN)
    provider, host = known[1] if known is not None and known[0] is client._base_url else _base_url(client, family)
    if provider is None:
        provider = detect_provider(asked.model, None)
        if provider == "unknown" and host is not None:
            provider = family if family == "anthropic" else provider
    request = _Request(pen, fmt, asked, provider, host)
    request.is_async = is_async
    request.has_injected = False
    if is_async:
        request.hash_prompt()  # Other tasks may change the messages while it waits.
    if method != "post" and method.lower() == "get":
        request.may_repeat = True
    if asked.is_stream and fmt.name in _ASKS_FOR_USAGE and pen.settings.stream_usage == "auto":
        _ask_for_usage(request, options, fmt, asked, body)
    if pen.begun is not None:
        pen.begun.tell(request)
    return request


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if type(value).__name__ not in _UNSAID}


def _ask_for_usage(request: _Request, options: Any, fmt: Format, asked: Asked, body: Mapping[str, Any]) -> None:
    del fmt, asked
    if request.provider in _TELLS_UNASKED or (request.base_url or "") in _refusing:
        return
    given = body.get("stream_options")
    if given is not None and (not isinstance(given, Mapping) or "include_usage" in given):
        return
    if not isinstance(options.json_data, Mapping):
        return
    request.plain_body = options.json_data
    options.json_data = {**options.json_data, "stream_options": {**(given or {}), "include_usage": True}}
    request.has_injected = True


def _is_refusal(request: _Request, error: BaseException) -> bool:
    """Whether the host turned the request down for our `stream_options`: nothing was generated, nothing billed."""
    if not request.has_injected or getattr(error, "status_code", None) not in (400, 404, 422):
        return False
    told = f"{error} {getattr(error, 'body', '')}"
    return "stream_options" in told or "include_usage" in told


def _plainly(request: _Request, options: Any) -> None:
    """Take our wish back, for this request and all further ones to that host."""
    _refusing.add(request.base_url or "")
    options.json_data = request.plain_body
    request.has_injected = False


def _start(self: Any, options: Any, family: str, is_async: bool) -> _Request | None:
    if not switch.is_on:
        return None
    try:
        return _begin(self, options, family, is_async)
    except Exception as error:  # noqa: BLE001
        guard.failed("starting a record", error)
        return None


def _returned(request: _Request) -> None:
    """The SDK made its result: record a response that was read whole; a stream records itself at its end."""
    response = request.response
    try:
        if response is None:
            request.discard()  # A middleware's or a test's own answer: no request went out.
        elif "_content" in response.__dict__:
            if request.format.batch is not None:
                record_batch(request, response.content)
            else:
                request.succeed(response.content, response.status_code)
    except Exception as error:  # noqa: BLE001
        guard.failed("recording a result", error)


def sync_request(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """`SyncAPIClient.request`, observed."""

    @wraps(original)
    def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        mine = _start(self, options, family, False)
        if mine is None:
            return original(self, cast_to, options, *args, **kwargs)
        token = _under_way.set(mine)
        try:
            try:
                result = original(self, cast_to, options, *args, **kwargs)
            except Exception as error:
                if not _is_refusal(mine, error):
                    raise
                _plainly(mine, options)
                result = original(self, cast_to, options, *args, **kwargs)
        except BaseException as error:
            record_failure(mine, error)
            raise
        finally:
            _under_way.reset(token)
        _returned(mine)
        return result

    return request


def async_request(original: Callable[..., Coroutine[Any, Any, Any]], family: str) -> Callable[..., Any]:
    """`AsyncAPIClient.request`, observed."""

    @wraps(original)
    async def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        mine = _start(self, options, family, True)
        if mine is None:
            return await original(self, cast_to, options, *args, **kwargs)
        token = _under_way.set(mine)
        try:
            try:
                result = await original(self, cast_to, options, *args, **kwargs)
            except Exception as error:
                if not _is_refusal(mine, error):
                    raise
                _plainly(mine, options)
                result = await original(self, cast_to, options, *args, **kwargs)
        except BaseException as error:
            record_failure(mine, error)
            raise
        finally:
            _under_way.reset(token)
        _returned(mine)
        return result

    return request


def process_response(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """`_process_response` of either client: the HTTP response as it came, before the SDK reads a stream."""
    del family

    @wraps(original)
    def process(self: Any, *args: Any, **kwargs: Any) -> Any:
        mine = _under_way.get()
        if mine is not None:
            try:
                _note(mine, kwargs)
            except Exception as error:  # noqa: BLE001
                guard.failed("seeing a response", error)
        return original(self, *args, **kwargs)

    return process


def _note(mine: _Request, kwargs: Mapping[str, Any]) -> None:
    response = kwargs.get("response")
    if response is None or mine.response is response:
        return
    mine.response = response
    mine.retries = kwargs.get("retries_taken", 0)
    is_stream = "_content" not in response.__dict__
    content = getattr(response._request, "_content", b"")
    if mine.prompt_told is None and len(content) > _LARGE_BYTES:
        body = kwargs["options"].json_data
        if isinstance(body, Mapping):
            mine.prompt_told = sent_hash(content, _said(body), mine.asked.prompt)
    if is_stream:
        mine.hash_prompt()
        tee.attach(response, mine, is_async=mine.is_async, hide_usage=mine.has_injected)
        mine.response = _Streaming


class _Streaming:
    """Stands for a response that records itself: holding the response would keep a dropped stream alive."""
