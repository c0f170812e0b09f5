from __future__ import annotations

from providers.framing import body, fed, named, streamed
from tallybook.model.usage import Usage
from tallybook.providers.openai_images import IMAGES, parse

USAGE = {
    "input_tokens": 60,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 50},
    "output_tokens": 1000,
    "total_tokens": 1060,
}


def test_tokens_and_pictures_are_counted_and_the_pictures_not_kept() -> None:
    got = parse(body({"created": 1, "data": [{"b64_json": "QUJD" * 100}, {"b64_json": "QUJD"}], "usage": USAGE}))
    assert got.usage == Usage(input_tokens=60, output_tokens=1000, input_image_tokens=50, quantities={"images": 2})
    assert "QUJD" not in repr(got)


def test_pictures_alone_are_counted_where_there_are_no_tokens() -> None:
    got = parse(body({"created": 1, "data": [{"url": "https://x"}]}))
    assert (got.usage, got.flags) == (Usage(quantities={"images": 1}), ())


def test_a_stream_of_partial_pictures_ends_with_usage() -> None:
    events = [
        {"type": "image_generation.partial_image", "b64_json": "QUJD", "partial_image_index": 0},
        {"type": "image_generation.later"},
        {"type": "image_generation.completed", "b64_json": "QUJD", "usage": USAGE},
    ]
    got = streamed(IMAGES, named(events))
    assert got == fed(IMAGES, events) == parse(named(events))
    assert got.usage == Usage(input_tokens=60, output_tokens=1000, input_image_tokens=50, quantities={"images": 1})
    assert got.is_complete
    assert not streamed(IMAGES, named(events[:1])).is_complete


def test_an_error_is_told() -> None:
    error = {"error": {"code": "moderation_blocked", "message": "No", "type": "image_generation_user_error"}}
    assert parse(body(error)).error_type == "image_generation_user_error"
    assert parse(b"oops").flags == ("body_unreadable",)


def test_a_request_tells_how_many_pictures_are_asked() -> None:
    got = IMAGES.asked({"model": "gpt-image-1", "prompt": "a cat", "n": 3, "size": "1024x1024"}, "/images/generations")
    assert (got.model, got.prompt, got.quantities) == ("gpt-image-1", "a cat", {"images": 3})
    assert got.parameters == {"n": 3, "size": "1024x1024"}
    assert IMAGES.asked({}, "/images/generations").quantities == {"images": 1}
