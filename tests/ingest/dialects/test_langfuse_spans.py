"""Langfuse's SDKs over OpenTelemetry."""

from __future__ import annotations

import pytest
from tests.ingest.dialects.otel import call_of, figures, step_of
from tests.ingest.otlp import made

GENERATION = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4"}


def _usage(text):
    return figures(call_of(GENERATION | {"langfuse.observation.usage_details": text}))


def test_a_generation_is_a_call_with_what_the_application_stated():
    call = call_of(
        GENERATION | {
            "langfuse.observation.usage_details": '{"input": 500, "output": 200, "total": 700}',
            "langfuse.observation.cost_details": '{"input": 0.015, "output": 0.030}',
            "langfuse.observation.metadata.source": "api", "langfuse.environment": "production",
            "langfuse.session.id": "s", "session.id": "other", "user.id": "u", "langfuse.trace.tags": ["x"],
            "langfuse.observation.completion_start_time": '"2026-11-22T12:00:00.250Z"',
        },
        name="answer", start_ns=1_795_348_800_000_000_000,
    )  # fmt: skip
    assert figures(call) == {"input": 500, "output": 200}
    assert (call.cost.status, call.cost.total_nanousd) == ("reported", 45_000_000)
    assert (call.session_id, call.user_id, call.environment, call.tags) == ("s", "u", "production", ("x",))
    assert (call.name, call.metadata, call.ttft_us) == ("answer", {"source": "api"}, 250_000)


def test_buckets_do_not_overlap_unless_the_total_shows_that_they_do():
    assert _usage('{"input": 100, "output": 20, "input_cached_tokens": 50}')["input"] == 150
    assert _usage('{"input": 100, "output": 20, "total": 120, "input_cached_tokens": 50}')["input"] == 100
    assert _usage('{"prompt_tokens": 100, "completion_tokens": 20, "cached_tokens": 50}')["input"] == 100


@pytest.mark.parametrize("kind", ["span", "agent", "tool", "chain", "retriever", "evaluator", "guardrail", "event"])
def test_every_other_observation_is_a_step(kind):
    assert step_of(GENERATION | {"langfuse.observation.type": kind}).kind in ("chain", "agent", "tool", "retrieval")


def test_an_embedding_is_a_call():
    assert call_of(GENERATION | {"langfuse.observation.type": "embedding"}).operation == "embeddings"


def test_a_level_of_error_is_a_failure():
    call = call_of(
        GENERATION | {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "slow down"}
    )
    assert (call.status, call.error_message) == ("error", "slow down")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"input": "many"}', '{"input": -5}'])
def test_nonsense_counts_nothing(text):
    assert _usage(text) in ({}, {"input": None})


def test_times_are_taken_from_the_span():
    assert call_of(GENERATION).started_at_us == made.START_NS // 1000
