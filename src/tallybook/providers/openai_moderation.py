"""OpenAI's moderation: answers with an id and a model, and counts nothing (it is free)."""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, parsed_again
from tallybook.providers.value import word


class _Whole(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    results: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode


def parse(raw: bytes) -> Parsed:
    """A whole response. Bytes that are no JSON give an empty `Parsed`."""
    try:
        body = _decode_whole(raw)
    except UNREADABLE:
        return parsed_again(raw, parse)
    error_type, error_message = (None, None) if body.results is not None else failure(raw, None)
    return Parsed(
        response_id=word(body.id), response_model=word(body.model), error_type=error_type, error_message=error_message
    )


def asked(body: Payload, url: str) -> Asked:
    """What a moderation request asks for."""
    return Asked(model=word(body.get("model")), prompt=body.get("input"))


MODERATION = Format("openai.moderation", "moderation", asked, parse)
