"""Everything an application can see of a result, as plain data that two runs can be compared by."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from pydantic import BaseModel

_PORT = re.compile(r"127\.0\.0\.1:\d+")


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def public_names(value: Any) -> list[str]:
    """The attributes that the type and the instance offer."""
    return sorted(name for name in dir(value) if not name.startswith("_"))


def described(value: Any) -> Any:
    """A value with its type, content and, for results of an SDK, its request id."""
    if isinstance(value, BaseModel):
        return {
            "type": _kind(value),
            "set": sorted(value.model_fields_set),
            "data": plain(value.model_dump(mode="python", warnings=False)),
            "request": getattr(value, "_request_id", None),
            "names": public_names(value),
        }
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    if isinstance(value, dict):
        return {key: described(item) for key, item in value.items()}
    return plain(value)


def plain(value: Any) -> Any:
    """Plain data with the server's port taken out."""
    if isinstance(value, str):
        return _PORT.sub("127.0.0.1:0", value)
    if isinstance(value, bytes):
        return _PORT.sub("127.0.0.1:0", value.decode("latin-1"))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, BaseModel):
        return described(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return f"{_kind(value)} {_PORT.sub('127.0.0.1:0', str(value))}"


def raised(error: BaseException) -> dict[str, Any]:
    """An exception as an application can look at it."""
    return {
        "raised": _kind(error),
        "text": plain(str(error)),
        "status": getattr(error, "status_code", getattr(error, "code", None)),
        "body": plain(getattr(error, "body", getattr(error, "details", None))),
        "cause": _kind(error.__cause__),
        "names": public_names(error),
    }


def http_response(response: Any) -> dict[str, Any]:
    """What raw-response objects tell."""
    headers = {name: value for name, value in dict(response.headers).items() if name != "date"}
    return {
        "type": _kind(response),
        "status": response.status_code,
        "headers": plain(headers),
        "url": plain(str(response.url)),
        "method": response.method,
        "retries": response.retries_taken,
        "names": public_names(response),
    }


Seen = dict[str, Any]


def sync_outcome(work: Callable[[], Any]) -> Seen:
    """What a piece of synchronous work returned or raised."""
    try:
        return {"returned": described(work())}
    except Exception as error:
        return raised(error)


async def async_outcome(work: Callable[[], Any]) -> Seen:
    """The same of asynchronous work."""
    try:
        value = work()
        return {"returned": described(await value if inspect.isawaitable(value) else value)}
    except Exception as error:
        return raised(error)


def drained(stream: Iterator[Any]) -> Seen:
    """A stream read to its end, with what it is and offers."""
    seen: Seen = {"type": _kind(stream), "names": public_names(stream), "items": []}
    try:
        for item in stream:
            seen["items"].append(described(item))
    except Exception as error:
        seen["broken"] = raised(error)
    return seen


async def async_drained(stream: AsyncIterator[Any]) -> Seen:
    """The same of an asynchronous stream."""
    seen: Seen = {"type": _kind(stream), "names": public_names(stream), "items": []}
    try:
        async for item in stream:
            seen["items"].append(described(item))
    except Exception as error:
        seen["broken"] = raised(error)
    return seen
