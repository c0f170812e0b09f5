"""The Vercel AI SDK under Node reports by a changed address, in the conventions of version 7 and in those before."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.exporters.conftest import found

PROGRAM = Path(__file__).parent / "js" / "program.mjs"


def run(server, provider, *arguments):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (PROGRAM.parent / "node_modules" / "ai").exists():
        pytest.skip(f"the packages are not installed: npm install in {PROGRAM.parent.name}/")
    env = os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.port}", "OPENAI_BASE_URL": f"{provider.url}/v1",
        "NODE_NO_WARNINGS": "1",
    }  # fmt: skip
    command = [node, "--preserve-symlinks", "--preserve-symlinks-main", str(PROGRAM), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr[-3000:]
    return found(server)


@pytest.mark.parametrize("generation", ["new", "legacy"])
@pytest.mark.parametrize("form", ["proto", "json"])
def test_each_request_of_the_ai_sdk_is_one_call(server, provider, form, generation):
    calls, steps = run(server, provider, form, generation)
    assert [call.operation for call in calls] == ["chat", "chat", "embeddings"]
    assert {call.provider for call in calls} == {"openai"}
    assert all(call.usage.input_tokens for call in calls)
    assert all(call.usage.output_tokens for call in calls[:2])
    assert steps  # The spans around them.
    assert {call.parent_id for call in calls[:2]} <= {step.step_id for step in steps}
