from __future__ import annotations

from providers.framing import body
from tallybook.providers.openai_moderation import MODERATION, parse


def test_a_moderation_has_an_identity_and_counts_nothing() -> None:
    got = parse(body({"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]}))
    assert (got.response_id, got.response_model) == ("modr-1", "omni-moderation-latest")
    assert (got.usage, got.flags, got.error_type) == (None, (), None)


def test_an_error_is_told_and_noise_does_not_raise() -> None:
    assert parse(body({"error": {"message": "m", "type": "t"}})).error_type == "t"
    assert parse(b"<html>").flags == ("body_unreadable",)


def test_a_request_tells_its_input() -> None:
    assert MODERATION.asked({"model": "m", "input": "x"}, "/moderations").prompt == "x"
