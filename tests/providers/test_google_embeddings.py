from __future__ import annotations

from typing import Any

import pytest

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.google_embeddings import EMBEDDINGS, parse

VALUES = {"values": [0.1, 0.2]}


def prediction(tokens: int | None) -> dict[str, Any]:
    return {"embeddings": {"statistics": {"truncated": False, "token_count": tokens}, **VALUES}}


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        ({"embedding": VALUES, "usageMetadata": {"promptTokenCount": 4, "promptTokenDetails":
          [{"modality": "IMAGE", "tokenCount": 3}]}}, Usage(input_tokens=4, input_image_tokens=3)),
        ({"embeddings": [VALUES], "usageMetadata": {"totalTokenCount": 4}}, Usage(input_tokens=4)),
        ({"predictions": [prediction(4), prediction(5)], "metadata": {"billableCharacterCount": 30}},
         Usage(input_tokens=9, quantities={"characters": 30})),
        ({"predictions": [prediction(4), prediction(None)], "metadata": {"billableCharacterCount": 30}},
         Usage(quantities={"characters": 30})),
    ],
)  # fmt: skip
def test_input_is_told_in_each_endpoints_own_way(answer: dict[str, Any], usage: Usage) -> None:
    got = parse(body(answer))
    assert (got.usage, got.flags) == (usage, ())


@pytest.mark.parametrize("answer", [{"embedding": VALUES}, {"embeddings": [VALUES]}, {"predictions": []},
                                    {"predictions": [prediction(None)]}, {"predictions": "x"}])  # fmt: skip
def test_an_answer_that_counts_nothing_is_flagged(answer: dict[str, Any]) -> None:
    got = parse(body(answer))
    assert (got.usage, got.flags) == (None, ("usage_missing",))


def test_an_error_is_told_and_noise_does_not_raise() -> None:
    got = parse(body({"error": {"code": 404, "message": "No model", "status": "NOT_FOUND"}}))
    assert (got.error_type, got.error_message) == ("NOT_FOUND", "No model")
    assert parse(b"<html>").flags == ("body_unreadable",)


def test_requests_tell_their_model_and_content() -> None:
    content = {"parts": [{"text": "Hi"}]}
    one = EMBEDDINGS.asked({"content": content, "taskType": "CLUSTERING"}, "models/text-embedding-004:embedContent")
    assert (one.model, one.prompt, one.parameters) == ("text-embedding-004", content, {"taskType": "CLUSTERING"})
    requests = [{"model": "models/e", "content": content, "outputDimensionality": 64}]
    many = EMBEDDINGS.asked({"requests": requests}, "models/e:batchEmbedContents")
    assert (many.model, many.prompt, many.parameters) == ("e", requests, {"outputDimensionality": 64})
