"""Results of a Gemini batch, inline in the job or as the lines of its output file.

A finished job shows the same results twice, under `response` and under `metadata.output`: the first is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallybook.providers.base import Asked, Format, Parsed, Result
from tallybook.providers.failure import failure
from tallybook.providers.google_generate import parse_mapping
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.value import mapping, mappings, word


def results(raw: bytes) -> Iterator[Result]:
    """Result by result, from a job's JSON object or from JSON lines. What is no result is passed over."""
    try:
        body = decode(raw)
    except UNREADABLE:
        body = None
    if isinstance(body, Mapping):
        for holder in (body.get("response"), body.get("dest"), mapping(body.get("metadata")).get("output")):
            inlined = mapping(holder).get("inlinedResponses")
            rows = mappings(inlined) or mappings(mapping(inlined).get("inlinedResponses"))
            if rows:
                yield from [_result(row) for row in rows]
                return
    for line in raw.splitlines():
        try:
            row = decode(line) if line.strip() else None
        except UNREADABLE:
            continue
        if isinstance(row, Mapping) and ("response" in row or "error" in row) and "metadata" not in mapping(row):
            yield _result(row)


def _result(row: Mapping[str, Any]) -> Result:
    key = word(row.get("key")) or word(mapping(row.get("metadata")).get("key"))
    response = mapping(row.get("response"))
    if response:
        return Result(key, parse_mapping(response), operation="generate_content")
    error_type, message = failure(row, None)
    return Result(key, Parsed(error_type=error_type or "error", error_message=message), operation="generate_content")


BATCH = Format("google.batch", "chat", lambda body, url: Asked(), lambda raw: Parsed(), None, results)
