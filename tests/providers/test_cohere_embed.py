from __future__ import annotations

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.cohere_embed import EMBEDDINGS, parse


def test_text_and_image_tokens_are_input_together() -> None:
    got = parse(body({"id": "e", "embeddings": {"float": [[0.1]]},
                      "meta": {"billed_units": {"input_tokens": 4, "image_tokens": 30}}}))  # fmt: skip
    assert got.usage == Usage(input_tokens=34, input_image_tokens=30)
    assert got.response_id == "e"


def test_pictures_billed_by_piece_are_counted_by_piece() -> None:
    got = parse(body({"id": "e", "meta": {"billed_units": {"images": 2}}}))
    assert got.usage == Usage(quantities={"images": 2})


def test_an_answer_without_billed_units_is_flagged_and_an_error_told() -> None:
    assert parse(body({"id": "e", "meta": {}})).flags == ("usage_missing",)
    assert parse(body({"error": "invalid api token"})).error_message == "invalid api token"
    assert parse(b"<html>").flags == ("body_unreadable",)


def test_the_request_is_told() -> None:
    got = EMBEDDINGS.asked({"model": "embed-v4.0", "texts": ["a"], "input_type": "search_query"}, "")
    assert (got.model, got.prompt, got.parameters) == ("embed-v4.0", ["a"], {"input_type": "search_query"})
