"""OpenLLMetry's own spans around the calls."""

from __future__ import annotations

from tests.ingest.dialects.otel import arrived, call_of, step_of
from tests.ingest.otlp import made

CALL = {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "llm.request.type": "chat",
        "gen_ai.usage.prompt_tokens": 5, "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi",
        "gen_ai.completion.0.content": "hello", "traceloop.association.properties.session_id": "s",
        "traceloop.association.properties.user_id": "u", "traceloop.association.properties.plan": "pro"}  # fmt: skip


def test_workflows_tasks_agents_and_tools_are_steps_around_the_call():
    found = arrived(
        made.span({"traceloop.span.kind": "workflow", "traceloop.entity.name": "w"}, number=1),
        made.span({"traceloop.span.kind": "agent", "traceloop.entity.name": "a"}, number=2, parent=1),
        made.span(CALL, number=3, parent=2),
    )
    assert [(step.kind, step.name) for step in found.steps] == [("workflow", "w"), ("agent", "a")]
    assert {step.run_id for step in found.steps} == {found.calls[0].run_id} == {"s"}  # The call tells the session.


def test_association_properties_are_session_user_and_metadata():
    call = call_of(CALL)
    assert (call.session_id, call.user_id, call.metadata) == ("s", "u", {"plan": "pro"})


def test_old_flat_content_is_read():
    (content,) = arrived(made.span(CALL), with_content=True).contents
    assert (content.prompt, content.response) == ([{"role": "user", "content": "hi"}], "hello")


def test_a_task_is_a_chain():
    assert step_of({"traceloop.span.kind": "task", "traceloop.entity.name": "t"}).kind == "chain"
