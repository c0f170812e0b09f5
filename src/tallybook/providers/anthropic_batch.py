"""Results of an Anthropic message batch: JSON lines of `{custom_id, result: {type, message | error}}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallybook.providers.anthropic_messages import parse_mapping
from tallybook.providers.base import Asked, Format, Parsed, Result
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.value import mapping, word


def results(raw: bytes) -> Iterator[Result]:
    """Result by result, in file order. Lines that are no results are passed over.

    A request that was cancelled or expired is an error of that type; nothing was billed for it.
    """
    for line in raw.splitlines():
        try:
            row = decode(line) if line.strip() else None
        except UNREADABLE:
            continue
        if isinstance(row, Mapping) and isinstance(row.get("result"), Mapping):
            yield Result(word(row.get("custom_id")), _parsed(row["result"]))


def _parsed(result: Mapping[str, Any]) -> Parsed:
    kind = word(result.get("type"))
    message = mapping(result.get("message"))
    if kind == "succeeded" and message:
        return parse_mapping(message)
    error = mapping(result.get("error"))
    error_type, text = failure(error if "error" in error else {"error": error} if error else {}, None)
    return Parsed(error_type=error_type or kind or "error", error_message=text)


BATCH = Format("anthropic.batch", "chat", lambda body, url: Asked(), lambda raw: Parsed(), None, results)
