"""Google's embeddings: embedContent, batchEmbedContents, and Vertex's predict. Vectors are passed over undecoded.

The Gemini API tells tokens in `usageMetadata` (newer models) or not at all; Vertex counts tokens for each text
in its `statistics` and characters in `metadata.billableCharacterCount`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.google_generate import modalities, model_in
from tallybook.providers.lenient import UNREADABLE, parsed_again
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("taskType", "task_type", "outputDimensionality", "autoTruncate", "title")


class _Statistics(msgspec.Struct, gc=False):
    token_count: Any = None


class _Embedding(msgspec.Struct, gc=False):
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct, gc=False):
    embeddings: _Embedding | None = None


class _Whole(msgspec.Struct, gc=False):
    usage: Any = msgspec.field(default=None, name="usageMetadata")
    predictions: list[_Prediction] | None = None
    metadata: Any = None
    embedding: _Embedding | None = None
    embeddings: list[_Embedding] | None = None


_decode_whole = msgspec.json.Decoder(_Whole).decode


def parse(raw: bytes) -> Parsed:
    """A whole response. Bytes that are no JSON give an empty `Parsed`."""
    try:
        body = _decode_whole(raw)
    except msgspec.ValidationError:
        return Parsed(flags=("usage_missing",))
    except UNREADABLE:
        return parsed_again(raw, parse)
    if mapping(body.usage):
        return _of_metadata(body.usage)
    if body.predictions is not None:
        return _of_predictions(body)
    if body.embedding is None and body.embeddings is None:
        error_type, error_message = failure(raw, None)
        if error_type is not None:
            return Parsed(error_type=error_type, error_message=error_message)
    return Parsed(flags=("usage_missing",))


def _of_metadata(raw: Any) -> Parsed:
    inside = modalities(raw.get("promptTokensDetails") or raw.get("promptTokenDetails"), None)
    tokens = whole(raw.get("promptTokenCount"))
    usage, flags = settled(
        Usage(
            input_tokens=whole(raw.get("totalTokenCount")) if tokens is None else tokens,
            input_audio_tokens=inside.get("AUDIO"),
            input_image_tokens=inside.get("IMAGE"),
        )
    )
    return Parsed(usage=usage, usage_raw=raw, flags=flags)


def _of_predictions(body: _Whole) -> Parsed:
    """Input only when every text's tokens are told; a part of them would pass for the whole."""
    counts = [
        whole(item.embeddings.statistics.token_count)
        for item in body.predictions or ()
        if item.embeddings is not None and item.embeddings.statistics is not None
    ]
    known = [count for count in counts if count is not None]
    is_all_known = bool(known) and len(known) == len(body.predictions or ())
    characters = whole(mapping(body.metadata).get("billableCharacterCount"))
    if not is_all_known and characters is None:
        return Parsed(flags=("usage_missing",))
    return Parsed(
        usage=Usage(
            input_tokens=sum(known) if is_all_known else None,
            quantities={} if characters is None else {"characters": characters},
        ),
        usage_raw={"token_count": counts, "metadata": body.metadata},
    )


def asked(body: Payload, url: str) -> Asked:
    """What an embedding request asks for."""
    requests = mappings(body.get("requests"))
    instances = mappings(body.get("instances"))
    first = requests[0] if requests else instances[0] if instances else {}
    content = body.get("content", body.get("requests", body.get("instances")))
    return Asked(
        model=model_in(url) or word(body.get("model")) or word(first.get("model")),
        prompt=content,
        parameters={**scalars(first, PARAMETERS), **scalars(mapping(body.get("parameters")), PARAMETERS),
                    **scalars(body, PARAMETERS)},
    )  # fmt: skip


EMBEDDINGS = Format("google.embeddings", "embeddings", asked, parse)
