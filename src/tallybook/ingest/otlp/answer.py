"""What is answered to an OTLP request, in its own form: `Export…ServiceResponse`, or a `google.rpc.Status`."""

from __future__ import annotations

import msgspec

_REJECTED = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 3, 415: 3, 429: 8, 500: 13, 502: 14, 503: 14, 504: 14}
"""HTTP statuses as gRPC's codes."""
MESSAGE_CHARS = 2_000


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(tag: int, raw: bytes) -> bytes:
    return bytes((tag,)) + _varint(len(raw)) + raw


def accepted(signal: str, rejected: int, message: str, *, is_json: bool) -> bytes:
    """The response to a request of a signal (`traces`, `logs`, `metrics`), with what of it was not taken and why.

    A message without a rejected item is a warning, as the protocol has it.
    """
    message = message[:MESSAGE_CHARS]
    if is_json:
        if not rejected and not message:
            return b"{}"
        told = {_REJECTED[signal]: str(rejected), "errorMessage": message}
        return msgspec.json.encode({"partialSuccess": told})
    if not rejected and not message:
        return b""
    inner = b"\x08" + _varint(rejected) if rejected else b""
    if message:
        inner += _field(0x12, message.encode("utf-8", "replace"))
    return _field(0x0A, inner)


def failed(status: int, message: str, *, is_json: bool) -> bytes:
    """A `google.rpc.Status` for an HTTP status."""
    code = _CODES.get(status, 2)
    message = message[:MESSAGE_CHARS]
    if is_json:
        return msgspec.json.encode({"code": code, "message": message})
    return b"\x08" + _varint(code) + _field(0x12, message.encode("utf-8", "replace"))
