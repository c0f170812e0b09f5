"""Real clients against a real server, with only the address changed.

Each needs an environment of its own, for their dependencies do not go together: `TALLYBOOK_EXPORTERS` names a folder
with one for each program (`langfuse2`, `langfuse5`, `litellm_callback`, `helicone_helpers_logger`), made by
`python -m venv` and `pip install 'langfuse<3' openai`, `langfuse`, `'litellm[proxy]'`, `helicone-helpers`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.exporters.record import run
from tests.server.conftest import Start, start  # noqa: F401  (a fixture)
from tests.server.test_litellm import recorded

from tallybook.model.call import Call
from tallybook.testing import ReplayServer

FOLDER = os.environ.get("TALLYBOOK_EXPORTERS")
"""Read when the tests are collected: settings of the person who runs them do not reach the tests themselves."""


@pytest.fixture
def replay() -> Iterator[ReplayServer]:
    with ReplayServer() as running:
        yield running


def ran(program: str, start: Start, replay: ReplayServer) -> list[Call]:  # noqa: F811
    """The calls of a program's run, which is skipped where its environment is not there."""
    python = Path(FOLDER or "") / program / "bin" / "python"
    if FOLDER is None or not python.exists():
        pytest.skip(f"no environment for {program}; see the head of this file")
    server = start()
    run(program, str(python), f"http://127.0.0.1:{server.port}", replay)
    return recorded(server.context)


def test_langfuses_sdk_of_the_ingestion_endpoint(start: Start, replay: ReplayServer) -> None:  # noqa: F811
    calls = {call.name: call for call in ran("langfuse2", start, replay)}
    assert set(calls) == {"answer", "price", "fails", "wrapped", "streamed", "model_call"}
    assert (calls["answer"].user_id, calls["answer"].usage.input_tokens) == ("ada", 140)
    assert calls["wrapped"].user_id == "bob" and calls["wrapped"].cost is not None


def test_langfuses_sdk_of_opentelemetry(start: Start, replay: ReplayServer) -> None:  # noqa: F811
    (call,) = ran("langfuse5", start, replay)
    assert (call.model, call.user_id, call.session_id) == ("gpt-4o", "ada", "s-1")
    assert call.usage.output_tokens == 20


def test_litellms_generic_callback(start: Start, replay: ReplayServer) -> None:  # noqa: F811
    calls = ran("litellm_callback", start, replay)
    assert {call.operation for call in calls} == {"chat", "embeddings"} and len(calls) == 10
    assert {call.provider for call in calls} == {"openai", "anthropic"}
    assert [call.status for call in calls].count("error") == 1


def test_helicones_helpers(start: Start, replay: ReplayServer) -> None:  # noqa: F811
    calls = ran("helicone_helpers_logger", start, replay)
    assert len(calls) == 4 and all(call.cost is not None and call.cost.status == "priced" for call in calls)
