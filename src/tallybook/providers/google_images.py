"""Imagen through `predict`: billed by picture, of which the response tells only their number."""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.google_generate import model_in
from tallybook.providers.lenient import UNREADABLE, parsed_again
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("sampleCount", "aspectRatio", "imageSize", "sampleImageSize", "negativePrompt", "guidanceScale", "seed")


class _Prediction(msgspec.Struct, gc=False, rename="camel"):
    mime_type: Any = None
    rai_filtered_reason: Any = None


class _Whole(msgspec.Struct, gc=False):
    predictions: list[_Prediction] | None = None


_decode_whole = msgspec.json.Decoder(_Whole).decode


def parse(raw: bytes) -> Parsed:
    """A whole response. Pictures that were filtered are not counted. No JSON gives an empty `Parsed`."""
    try:
        body = _decode_whole(raw)
    except UNREADABLE:
        return parsed_again(raw, parse)
    if body.predictions is None:
        error_type, error_message = failure(raw, None)
        return Parsed(error_type=error_type, error_message=error_message)
    filtered = [str(item.rai_filtered_reason) for item in body.predictions if item.rai_filtered_reason]
    images = len(body.predictions) - len(filtered)
    return Parsed(
        usage=Usage(quantities={"images": images}) if images else None,
        finish_reasons=("SAFETY",) if filtered and not images else (),
    )


def asked(body: Payload, url: str) -> Asked:
    """What an image request asks for."""
    parameters = mapping(body.get("parameters"))
    instances = mappings(body.get("instances"))
    return Asked(
        model=model_in(url),
        prompt=word(instances[0].get("prompt")) if len(instances) == 1 else body.get("instances"),
        parameters=scalars(parameters, PARAMETERS),
        quantities={"images": max(whole(parameters.get("sampleCount")) or 1, 1)},
    )


IMAGES = Format("google.images", "image_generation", asked, parse)
