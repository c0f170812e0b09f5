"""Reranking, in the one shape that Cohere, Voyage, Jina, OpenRouter and Together share.

Cohere bills searches (`meta.billed_units.search_units`); Voyage, Jina and OpenRouter tell `total_tokens` only, all of
them input; Together fills OpenAI's names. OpenRouter states the cost.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers import cohere_chat
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.loose import read_whole
from tallybook.providers.openai_usage import counted
from tallybook.providers.value import mapping, scalars, whole, word

PARAMETERS = ("top_n", "top_k", "max_tokens_per_doc", "return_documents", "truncation")


def usage_of(raw: Any) -> tuple[Usage, tuple[str, ...], int | None]:
    """The normal form of a `usage` of which `total_tokens` may be the only member; faults; a stated cost."""
    usage, flags, cost = counted(mapping(raw))
    if usage.input_tokens is None:
        usage = msgspec.structs.replace(usage, input_tokens=whole(mapping(raw).get("total_tokens")))
    return usage, flags, cost


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    raw: Any = body.get("usage")
    flags: tuple[str, ...] = ()
    cost = None
    if mapping(raw):
        usage, flags, cost = usage_of(raw)
    else:
        raw = body.get("meta")
        usage, flags = cohere_chat.usage_of(mapping(raw))
    if usage == Usage():
        return Parsed(
            response_id=word(body.get("id")), response_model=word(body.get("model")), flags=("usage_missing",)
        )
    return Parsed(
        usage=usage,
        usage_raw=raw,
        response_id=word(body.get("id")),
        response_model=word(body.get("model")),
        cost_nanousd=cost,
        flags=flags,
    )


def parse(raw: bytes) -> Parsed:
    """A whole response. Bytes that are no JSON give an empty `Parsed`."""
    return read_whole(raw, parse_mapping)


def asked(body: Payload, url: str) -> Asked:
    """What a rerank request asks for."""
    del url
    return Asked(
        model=word(body.get("model")),
        prompt={key: body[key] for key in ("query", "documents") if key in body} or None,
        parameters=scalars(body, PARAMETERS),
    )


RERANK = Format("rerank", "rerank", asked, parse)
"""For every host: a body tells by itself whose counting it is."""
