"""Results of an xAI batch: pages of `{batch_request_id, batch_result}`, each a chat completion or a response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallybook.providers import openai_chat, openai_responses
from tallybook.providers.base import Asked, Format, Parsed, Payload, Result
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.value import mapping, mappings, word


def results(raw: bytes) -> Iterator[Result]:
    """Result by result, in the page's order. A body that is no page of results gives none."""
    try:
        body: Any = decode(raw)
    except UNREADABLE:
        return
    for row in mappings(mapping(body).get("results")):
        if "batch_result" in row:
            yield _result(row)


def _result(row: Payload) -> Result:
    result = mapping(row.get("batch_result"))
    id_ = word(row.get("batch_request_id"))
    for body in mapping(result.get("response")).values():
        if isinstance(body, Mapping):
            is_chat = "choices" in body
            return Result(id_, openai_chat.parse_mapping(body) if is_chat else openai_responses.parse_mapping(body))
    error_type, message = failure(result, None)
    return Result(id_, Parsed(error_type=error_type or "error", error_message=message))


BATCH = Format("xai.batch", "chat", lambda body, url: Asked(), lambda raw: Parsed(), None, results)
