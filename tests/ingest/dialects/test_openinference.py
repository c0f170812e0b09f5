"""OpenInference's spans."""

from __future__ import annotations

import json

import pytest
from tests.ingest.dialects.otel import arrived, call_of, figures, step_of
from tests.ingest.otlp import made

LLM = {
    "openinference.span.kind": "LLM", "llm.provider": "anthropic", "llm.system": "anthropic",
    "llm.request.model_name": "claude-sonnet-5", "llm.response.model_name": "claude-sonnet-5",
    "llm.model_name": "claude-sonnet-5", "llm.token_count.prompt": 1167, "llm.token_count.completion": 5,
    "llm.token_count.total": 1172, "llm.token_count.prompt_details.cache_read": 1163,
}  # fmt: skip


def test_an_llm_span_is_a_call_whose_input_includes_the_cache():
    call = call_of(
        LLM | {
            "session.id": "s", "user.id": "u", "metadata": '{"tier": "gold"}', "tag.tags": ["a", "b"],
            "llm.finish_reason": "stop",
            "llm.invocation_parameters": '{"max_tokens": 100, "stream": true, "tools": []}',
            "output.value": '{"id":"msg_01JqiwuyYfmoZBJx1GLkqxLf","content":[]}',
        }
    )  # fmt: skip
    assert figures(call) == {"input": 1167, "output": 5, "cache_read": 1163}
    assert (call.provider, call.response_id, call.session_id, call.user_id) == (
        "anthropic", "msg_01JqiwuyYfmoZBJx1GLkqxLf", "s", "u",
    )  # fmt: skip
    assert (call.metadata, call.tags, call.finish_reasons) == ({"tier": "gold"}, ("a", "b"), ("stop",))
    assert (call.parameters, call.is_stream) == ({"max_tokens": 100}, True)


@pytest.mark.parametrize("kind", ["CHAIN", "AGENT", "TOOL", "RETRIEVER", "GUARDRAIL", "EVALUATOR", "PROMPT", "NEW"])
def test_every_other_kind_is_a_step_whatever_it_claims_to_have_used(kind):
    step = step_of(LLM | {"openinference.span.kind": kind, "tool.name": "f"})
    assert step.kind == {"AGENT": "agent", "TOOL": "tool", "RETRIEVER": "retrieval"}.get(kind, "chain")


def test_embeddings_and_rerankers_are_calls():
    call = call_of({"openinference.span.kind": "EMBEDDING", "embedding.model_name": "text-embedding-3-small",
                    "llm.token_count.prompt": 10, "llm.system": "openai"})  # fmt: skip
    assert (call.operation, call.response_model, figures(call)) == (
        "embeddings", "text-embedding-3-small", {"input": 10},
    )  # fmt: skip
    assert call_of({"openinference.span.kind": "RERANKER", "reranker.model_name": "rerank-v3"}).operation == "rerank"


def test_an_older_llm_span_has_the_answering_model_in_its_one_name():
    call = call_of({"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o-2024-08-06", "llm.system": "openai"})
    assert (call.model, call.response_model) == ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06")


def test_an_id_is_only_read_where_the_providers_own_answer_has_it():
    assert call_of(LLM | {"output.value": "the id is here"}).response_id is None
    assert call_of(LLM | {"output.value": '{"text": "x", "id": "abcdefgh"}'}).response_id is None


def test_the_projects_name_comes_from_the_resource():
    (call,) = arrived(made.span(LLM), resource={"service.name": "api", "openinference.project.name": "bot"}).calls
    assert call.project == "bot"


def test_flattened_messages_are_put_together_again_by_their_indexes():
    spans = made.span(
        LLM | {
            "llm.input_messages.10.message.role": "user", "llm.input_messages.10.message.content": "last",
            "llm.input_messages.2.message.role": "system", "llm.input_messages.2.message.content": "first",
            "llm.output_messages.0.message.contents.0.message_content.type": "text",
            "llm.output_messages.0.message.contents.0.message_content.text": "hello",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "t1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
        }
    )  # fmt: skip
    found = arrived(spans, with_content=True)
    (content,) = found.contents
    assert content.prompt == [{"role": "system", "content": "first"}, {"role": "user", "content": "last"}]
    assert content.response == "hello"
    assert [(tool.name, tool.id) for tool in found.calls[0].tool_calls] == [("f", "t1")]


def test_metadata_too_large_are_left_out_with_a_flag():
    call = call_of(LLM | {"metadata": json.dumps({"x": "y" * 20_000})})
    assert (call.metadata, call.flags) == ({}, ("metadata_dropped",))
