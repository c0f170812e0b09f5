from __future__ import annotations

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.google_images import IMAGES, parse

PICTURE = {"mimeType": "image/png", "bytesBase64Encoded": "QUJD"}


def test_pictures_are_counted_without_those_that_were_filtered() -> None:
    got = parse(body({"predictions": [PICTURE, {"raiFilteredReason": "blocked"}, PICTURE]}))
    assert got.usage == Usage(quantities={"images": 2})
    assert "QUJD" not in repr(got)


def test_all_filtered_means_none_and_says_why() -> None:
    got = parse(body({"predictions": [{"raiFilteredReason": "blocked"}]}))
    assert (got.usage, got.finish_reasons) == (None, ("SAFETY",))


def test_an_error_is_told_and_noise_does_not_raise() -> None:
    error = {"error": {"code": 400, "message": "No", "status": "INVALID_ARGUMENT"}}
    assert parse(body(error)).error_type == "INVALID_ARGUMENT"
    assert parse(b"<html>").flags == ("body_unreadable",)


def test_a_request_tells_model_prompt_and_number() -> None:
    request = {"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 2, "aspectRatio": "1:1"}}
    got = IMAGES.asked(request, "models/imagen-4.0-generate-001:predict")
    assert (got.model, got.prompt, got.quantities) == ("imagen-4.0-generate-001", "a cat", {"images": 2})
