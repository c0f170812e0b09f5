"""Cohere's embeddings: billed text and image tokens, or pictures, in `meta.billed_units`. Vectors are passed over."""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.cohere_chat import usage_of
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, unreadable
from tallybook.providers.value import mapping, scalars, word

PARAMETERS = ("input_type", "truncate", "output_dimension", "max_tokens")


class _Whole(msgspec.Struct, gc=False):
    id: Any = None
    meta: Any = None
    response_type: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode


def parse(raw: bytes) -> Parsed:
    """A whole response. Bytes that are no JSON give an empty `Parsed`."""
    try:
        body = _decode_whole(raw)
    except UNREADABLE:
        return unreadable(raw)
    if body.meta is None:
        error_type, error_message = failure(raw, None)
        if error_type is not None:
            return Parsed(error_type=error_type, error_message=error_message)
    usage, flags = usage_of(mapping(body.meta))
    if usage == Usage():
        return Parsed(response_id=word(body.id), flags=("usage_missing",))
    return Parsed(usage=usage, usage_raw=body.meta, response_id=word(body.id), flags=flags)


def asked(body: Payload, url: str) -> Asked:
    """What an embedding request asks for."""
    del url
    prompt = next((body[key] for key in ("texts", "inputs", "images") if key in body), None)
    return Asked(model=word(body.get("model")), prompt=prompt, parameters=scalars(body, PARAMETERS))


EMBEDDINGS = Format("cohere.embeddings", "embeddings", asked, parse)
