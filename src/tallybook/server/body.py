"""The body of a request: read up to a limit, unpacked up to another, decoded as what it says it is.

Raises HttpError: 413 that names the limit, 415 for an encoding or type that is not read here, 400 for what is damaged.
"""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from tallybook.ingest.intake import Overloaded
from tallybook.model.limits import JSON_VALUES, REQUEST_BYTES, UNPACKED_BYTES
from tallybook.server.error import HttpError
from tallybook.server.room import Share

_SMALL_BYTES = 65_536
"""Bodies up to here are not counted: so many of them as there may be connections fit."""
DISCARD_BYTES = 6 * REQUEST_BYTES
"""Of a body that is too large so much is read and thrown away, so that its sender gets to read the answer."""
_DISCARD_S = 10.0
_ENCODINGS_MAX = 3
MEMBERS_MAX = 64
"""Members (frames) of one packed body. Beyond: 413; each costs a copy of all that follow it."""
_MARKS = (b",", b"[", b"{")

T = TypeVar("T")


async def read(request: Request, bytes_max: int = REQUEST_BYTES) -> bytes:
    """The body without its content encoding. What it holds is taken from the room of all requests.

    Raises Overloaded where there is none left.
    """
    headers = request.headers
    told = headers.get("content-length")
    chunks = request.stream()
    if told is not None and told.isdecimal() and int(told) > bytes_max:
        await _discard(chunks, request)
        raise _too_large(bytes_max, "as sent")
    share: Share | None = request.scope.get("tallybook.share")
    parts: list[bytes] = []
    size = 0
    try:
        async for part in chunks:
            size += len(part)
            if size > bytes_max:
                parts.clear()
                await _discard(chunks, request)
                raise _too_large(bytes_max, "as sent")
            if share is not None and size > _SMALL_BYTES:
                share.grow(size)
            parts.append(part)
    except ClientDisconnect:
        raise HttpError(400, "cut_off", "the connection ended before the body did") from None
    except Overloaded:
        parts.clear()
        if share is not None:
            share.release()  # At once, so that of several that do not fit together the others do.
        await _discard(chunks, request)
        raise
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    encodings = headers.get("content-encoding")
    if encodings is None:
        return data
    words = [word.strip().lower() for word in encodings.split(",")]
    if len(words) > _ENCODINGS_MAX:
        raise HttpError(415, "unknown_encoding", f"more than {_ENCODINGS_MAX} encodings of one body are not read")
    for encoding in reversed(words):
        data = unpacked(data, encoding)
        if share is not None and len(data) > _SMALL_BYTES:
            share.grow(size + len(data))
    return data


async def _discard(chunks: AsyncIterator[bytes], request: Request) -> None:
    """Read on and throw away for a while: who is answered in the middle of sending often sees only a broken pipe.

    Not for one who asked first whether to send (`Expect: 100-continue`).
    """
    if "expect" in request.headers:
        return
    left = DISCARD_BYTES
    try:
        async with asyncio.timeout(_DISCARD_S):
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    return
    except (TimeoutError, ClientDisconnect):
        return


def unpacked(data: bytes, encoding: str, bytes_max: int = UNPACKED_BYTES) -> bytes:
    """Data without one content encoding: gzip, deflate or zstd."""
    if encoding in ("", "identity"):
        return data
    try:
        if encoding in ("gzip", "x-gzip"):
            return _inflated(data, zlib.MAX_WBITS | 16, bytes_max)
        if encoding == "deflate":  # Some senders leave the zlib header out.
            is_bare = len(data) < 2 or data[0] & 0x0F != 8 or (data[0] << 8 | data[1]) % 31 != 0
            return _inflated(data, -zlib.MAX_WBITS if is_bare else zlib.MAX_WBITS, bytes_max)
        if encoding == "zstd":
            return _unzstd(data, bytes_max)
    except (zlib.error, EOFError, ValueError) as error:
        raise HttpError(400, "damaged", f"the body is no valid {encoding}: {error}") from error
    raise HttpError(
        415, "unknown_encoding", f"Content-Encoding {encoding[:40]!r} is not read here",
        hint="send gzip, deflate, zstd or none", headers={"accept-encoding": "gzip, deflate, zstd"},
    )  # fmt: skip


def _inflated(data: bytes, window_bits: int, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    room = bytes_max
    while data:  # A body may be several gzip members.
        _check_members(parts)
        unpack = zlib.decompressobj(window_bits)
        part = unpack.decompress(data, room + 1)
        room -= len(part)
        if room < 0:
            raise _too_large(bytes_max, "unpacked")
        if not unpack.eof:
            raise EOFError("it ends too early")
        parts.append(part)
        data = unpack.unused_data
    return b"".join(parts)


def _check_members(parts: list[bytes]) -> None:
    if len(parts) >= MEMBERS_MAX:
        raise HttpError(
            413, "too_many", f"the packed body has more than {MEMBERS_MAX} members", hint="pack it in one piece"
        )


def _unzstd(data: bytes, bytes_max: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd  # here, because few bodies are packed so
    else:
        from backports import zstd
    parts: list[bytes] = []
    room = bytes_max
    while data:
        _check_members(parts)
        unpack = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 26})
        try:
            part = unpack.decompress(data, room + 1)
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from error
        room -= len(part)
        if room < 0:
            raise _too_large(bytes_max, "unpacked")
        if not unpack.eof:
            raise EOFError("it ends too early")
        parts.append(part)
        data = unpack.unused_data
    return b"".join(parts)


def check_values(data: bytes) -> None:
    """Raise HttpError 413 for JSON of so many values that reading it would take many times its size of memory."""
    if len(data) > JSON_VALUES and sum(map(data.count, _MARKS)) > JSON_VALUES:
        raise HttpError(
            413, "too_many", f"the body has more than {JSON_VALUES:,} JSON values", hint="send it in smaller batches"
        )


def _too_large(bytes_max: int, what: str) -> HttpError:
    return HttpError(
        413, "too_large", f"the body is larger than the {bytes_max:,} bytes that are read ({what})",
        hint="send it in smaller batches", headers={"connection": "close"},
    )  # fmt: skip


def content_type(request: Request) -> str:
    """The media type that the body is said to have, in lower case without parameters; empty when not said."""
    return request.headers.get("content-type", "").split(";", 1)[0].strip().lower()


def decoded(data: bytes, type_: type[T] | Any = Any) -> Any:
    """JSON as a value of `type_`. Raises HttpError that tells where it is not one, or that it has too many values."""
    check_values(data)
    try:
        return msgspec.json.decode(data, type=type_, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".") or None
        raise HttpError(400, "invalid", message if field is None else f"`{field}`: {message}", field=field) from error
    except RecursionError:
        raise HttpError(400, "too_deep", "the JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise HttpError(400, "not_json", f"the body is no JSON: {error}") from error
