"""Vertex's `predict` for text models of before Gemini (PaLM: text-bison, chat-bison, code-bison …).

Tokens and billable characters stand in `metadata.tokenMetadata`; these models are billed by character.
"""

from __future__ import annotations

from typing import Any

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.google_generate import model_in
from tallybook.providers.loose import read_whole
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("temperature", "topP", "topK", "maxOutputTokens", "candidateCount")


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    raw = mapping(mapping(body.get("metadata")).get("tokenMetadata"))
    inside, outside = mapping(raw.get("inputTokenCount")), mapping(raw.get("outputTokenCount"))
    characters = [whole(part.get("totalBillableCharacters")) for part in (inside, outside)]
    billed = sum(count or 0 for count in characters)
    usage, flags = settled(
        Usage(
            input_tokens=whole(inside.get("totalTokens")),
            output_tokens=whole(outside.get("totalTokens")),
            quantities={"characters": billed} if billed else {},
        )
    )
    is_empty = usage == Usage()
    return Parsed(
        usage=None if is_empty else usage,
        usage_raw=raw or None,
        text=_text(body.get("predictions")),
        flags=("usage_missing",) if is_empty else flags,
    )


def _text(predictions: Any) -> str | None:
    for item in mappings(predictions):
        candidates = mappings(item.get("candidates"))
        return word(item.get("content")) or (word(candidates[0].get("content")) if candidates else None)
    return None


def parse(raw: bytes) -> Parsed:
    """A whole response. Bytes that are no JSON give an empty `Parsed`."""
    return read_whole(raw, parse_mapping)


def asked(body: Payload, url: str) -> Asked:
    """What a prediction asks for; the model stands in the URL."""
    instances = mappings(body.get("instances"))
    return Asked(
        model=model_in(url),
        prompt=instances[0] if len(instances) == 1 else body.get("instances"),
        parameters=scalars(mapping(body.get("parameters")), PARAMETERS),
    )


PREDICT = Format("google.predict", "chat", asked, parse)
