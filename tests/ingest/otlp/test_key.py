"""Which attributes are read."""

from __future__ import annotations

import pytest

from tallybook.ingest.dialects import context, langfuse_spans, message, tokens
from tallybook.ingest.otlp import key


@pytest.mark.parametrize("name", sorted(tokens.FIELDS))
def test_every_name_that_counts_tokens_is_read_as_a_count(name):
    assert key.kind_of(name) == key.USAGE


@pytest.mark.parametrize("name", sorted({*message.PROMPTS, *message.RESPONSES, "llm.input_messages.0.message.content"}))
def test_every_name_that_may_hold_a_conversation_is_left_as_bytes(name):
    assert key.kind_of(name) == key.CONTENT


@pytest.mark.parametrize("name", sorted({*context.SESSION, *context.USER, *context.AGENT, *context.PARAMETERS}))
def test_every_name_of_the_context_is_read(name):
    assert key.kind_of(name) == key.PLAIN


def test_langfuses_usage_and_cost_are_counts():
    assert key.kind_of(langfuse_spans._USAGE) == key.kind_of(langfuse_spans._COST) == key.USAGE


def test_names_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr(key, "KNOWN_MAX", 3)
    keys = key.Keys()
    for place in range(10):
        assert keys.learn(f"gen_ai.{place}".encode()) == (key.PLAIN, f"gen_ai.{place}")
    assert len(keys.known) == 3
