from __future__ import annotations

import json

import pytest

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.openai_embeddings import EMBEDDINGS, parse

VECTOR = {"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}


def test_only_input_is_told_and_output_stays_unknown() -> None:
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    got = parse(body({"object": "list", "data": [VECTOR], "model": "text-embedding-3-small", "usage": usage}))
    assert got.usage == Usage(input_tokens=8)
    assert (got.usage_raw, got.response_model, got.text) == (usage, "text-embedding-3-small", None)


def test_a_host_that_tells_only_the_total_tells_the_input() -> None:
    assert parse(body({"data": [VECTOR], "usage": {"total_tokens": 8}})).usage == Usage(input_tokens=8)


def test_a_stated_cost_is_read() -> None:
    got = parse(body({"data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5, "cost": 1e-7}}))
    assert got.cost_nanousd == 100


def test_vectors_are_not_kept() -> None:
    """Vectors of any shape pass, because none is looked at."""
    got = parse(b'{"data": [{"embedding": "AAAA"}, 3, null], "usage": {"prompt_tokens": 1, "total_tokens": 1}}')
    assert got.usage == Usage(input_tokens=1)
    assert "AAAA" not in repr(got)


@pytest.mark.parametrize(
    ("raw", "flags", "error_type"),
    [
        (b'{"data": []}', ("usage_missing",), None),
        (b'{"error": {"message": "m", "type": "t"}}', (), "t"),
        (b'{"detail": "no"}', (), "error"),
        (b"<html>", ("body_unreadable",), None),
        (b"", (), None),
    ],
)
def test_what_is_lacking_is_named(raw: bytes, flags: tuple[str, ...], error_type: str | None) -> None:
    got = parse(raw)
    assert (got.usage, got.flags, got.error_type) == (None, flags, error_type)


def test_a_request_tells_model_input_and_parameters() -> None:
    got = EMBEDDINGS.asked(json.loads('{"model": "m", "input": ["a"], "dimensions": 256}'), "/embeddings")
    assert (got.model, got.prompt, got.parameters) == ("m", ["a"], {"dimensions": 256})
