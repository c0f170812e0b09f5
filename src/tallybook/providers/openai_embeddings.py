"""OpenAI-shaped embeddings: input tokens only. The vectors, most of the body, are passed over undecoded.

Some hosts (Voyage) tell only `total_tokens`, which is the input then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, parsed_again
from tallybook.providers.openai_chat import model_in
from tallybook.providers.openai_usage import counted
from tallybook.providers.value import mapping, scalars, whole, word

PARAMETERS = ("dimensions", "encoding_format", "input_type", "truncation", "output_dimension", "output_dtype")


class _Whole(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    usage: Any = None
    error: Any = None
    object: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode


def parse(raw: bytes) -> Parsed:
    """A whole response. Bytes that are no JSON give an empty `Parsed`."""
    try:
        body = _decode_whole(raw)
    except UNREADABLE:
        return parsed_again(raw, parse)
    if body.usage is None:
        error_type, error_message = failure(raw, None)
        if error_type is not None:
            return Parsed(error_type=error_type, error_message=error_message)
    return _parsed(body)


def parse_mapping(body: Mapping[str, Any]) -> Parsed:
    """A whole response that is decoded already (batch results)."""
    return _parsed(_Whole(body.get("id"), body.get("model"), body.get("usage")))


def _parsed(body: _Whole) -> Parsed:
    raw = body.usage
    if not mapping(raw):
        return Parsed(response_id=word(body.id), response_model=word(body.model), flags=("usage_missing",))
    usage, flags, cost = counted(raw)
    if usage.input_tokens is None:
        usage, flags = settled(msgspec.structs.replace(usage, input_tokens=whole(raw.get("total_tokens"))))
    return Parsed(
        usage=usage,
        usage_raw=raw,
        response_id=word(body.id),
        response_model=word(body.model),
        cost_nanousd=cost,
        flags=flags,
    )


def asked(body: Payload, url: str) -> Asked:
    """What an embedding request asks for."""
    return Asked(
        model=word(body.get("model")) or model_in(url),
        prompt=body.get("input"),
        parameters=scalars(body, PARAMETERS),
    )


EMBEDDINGS = Format("openai.embeddings", "embeddings", asked, parse)
