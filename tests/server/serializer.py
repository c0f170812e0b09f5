"""For schemathesis: how bodies that are no JSON are sent. Loaded by it through `SCHEMATHESIS_HOOKS`."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.serializer(
    "application/x-protobuf", "application/vnd.tallybook.journal", "application/x-ndjson", "application/jsonl",
    "application/json-lines",
)  # fmt: skip
def as_bytes(ctx: Any, value: Any) -> bytes:
    """The value as it is."""
    raw = getattr(value, "data", value)
    return _bytes(raw)
