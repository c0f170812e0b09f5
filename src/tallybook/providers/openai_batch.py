"""Results of an OpenAI-shaped batch: the output file's JSON lines, each with a normal response body inside.

The batch object's own usage is their sum and is not read here: it would count everything twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tallybook.providers import openai_chat, openai_embeddings, openai_responses
from tallybook.providers.base import Asked, Format, Parsed, Result
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.value import mapping, whole, word

_BY_OBJECT: dict[str, tuple[Callable[[Mapping[str, Any]], Parsed], str]] = {
    "chat.completion": (openai_chat.parse_mapping, "chat"),
    "text_completion": (openai_chat.parse_mapping, "text_completion"),
    "response": (openai_responses.parse_mapping, "chat"),
    "list": (openai_embeddings.parse_mapping, "embeddings"),
}
"""Parser and operation by the body's `object`."""


def looks_like_results(raw: bytes) -> bool:
    """Whether a file's content is a batch's output: its first line has a `custom_id` and a `response`."""
    line = raw.lstrip().partition(b"\n")[0]
    return b'"custom_id"' in line and b'"response"' in line and bool(list(results(line)))


def results(raw: bytes) -> Iterator[Result]:
    """Result by result, in file order. Lines that are no results are passed over."""
    for line in raw.splitlines():
        try:
            row = decode(line) if line.strip() else None
        except UNREADABLE:
            continue
        if isinstance(row, Mapping) and "custom_id" in row and ("response" in row or "error" in row):
            yield _result(row)


def _result(row: Mapping[str, Any]) -> Result:
    response = mapping(row.get("response"))
    status = whole(response.get("status_code"))
    body = mapping(response.get("body"))
    custom_id = word(row.get("custom_id"))
    if row.get("error") or not body or (status is not None and status >= 400):
        told = body if body.get("error") else row if row.get("error") else body
        error_type, message = failure(told, status)
        return Result(custom_id, Parsed(error_type=error_type or "error", error_message=message), status)
    parse, operation = _BY_OBJECT.get(str(body.get("object")), _BY_OBJECT["chat.completion"])
    return Result(custom_id, parse(body), status, operation)


BATCH = Format("openai.batch", "chat", lambda body, url: Asked(), lambda raw: Parsed(), None, results)
