"""The JavaScript client around the real SDKs of npm: what the ledger holds equals what the caller was given."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.exporters.conftest import found

from tallybook.model.call import Call

PROGRAM = Path(__file__).parent / "js" / "client.mjs"
PACKAGES = ("ai", "openai", "@anthropic-ai/sdk", "@google/genai", "@ai-sdk/openai", "@ai-sdk/anthropic", "zod")
UNSEEN = ("openai-raw",)
"""The caller takes the raw response: nobody else may read its body."""


def ran(server: Any, provider: Any, *cases: str) -> tuple[dict[str, Any], list[Call]]:
    """Run the cases; what the callers saw, and the calls in their order."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    missing = [name for name in PACKAGES if not (PROGRAM.parent / "node_modules" / name).exists()]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (npm install in {PROGRAM.parent.name}/)")
    env = os.environ | {
        "TALLYBOOK_URL": f"http://127.0.0.1:{server.port}", "REPLAY_URL": provider.url, "NODE_NO_WARNINGS": "1",
        "TALLYBOOK_KEY": "", "TALLYBOOK_ENABLED": "true",
    }  # fmt: skip
    command = [node, "--preserve-symlinks", "--preserve-symlinks-main", str(PROGRAM), *cases]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["stats"]["failures"] == told["stats"]["refused"] == told["stats"]["queued"] == 0, told["stats"]
    return told["seen"], found(server).calls


def counted(usage: dict[str, Any]) -> tuple[int | None, int | None]:
    """Input and output, cached and reasoned included, of an SDK's usage: by its own words, not by ours."""
    if "promptTokenCount" in usage:
        return usage["promptTokenCount"], usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0)
    if "prompt_tokens" in usage:
        return usage["prompt_tokens"], usage.get("completion_tokens")
    if "inputTokens" in usage:
        return usage["inputTokens"], usage["outputTokens"]
    if "tokens" in usage:
        return usage["tokens"], None
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    return usage["input_tokens"] + read + written, usage["output_tokens"]


def test_each_operation_is_one_call_with_the_figures_that_the_sdk_gave(start, tmp_path, provider):
    server = start(tmp_path / "ledger", settings={"prompts": "full", "responses": "full"})
    seen, calls = ran(server, provider)
    assert not [one for one in seen.items() if "failure" in one[1]]
    assert {name for name, told in seen.items() if told["recorded"] != 1} == set(UNSEEN)
    names = [name for name in seen if name not in UNSEEN]
    assert len(calls) == len(names)
    by_name = dict(zip(names, calls, strict=True))
    for name, call in by_name.items():
        usage = seen[name]["usage"]
        if set(usage) - {"status"}:
            assert (call.usage.input_tokens, call.usage.output_tokens) == counted(usage), name
        assert call.operation == "poem" and call.source == "rest", name
        assert call.duration_us is not None and call.duration_us > 0, name
        assert call.is_stream == ("stream" in name or name in STREAMED), name
        assert (call.ttft_us is not None) == (call.is_stream and name not in UNTIMED), name
        assert call.provider == PROVIDER[name.split("-")[0]] or name == "vercel-finish", name
    assert by_name["vercel-finish"].provider == "anthropic"
    assert {name for name, call in by_name.items() if call.status != "ok"} == {
        "openai-error", "openai-broken", "openai-left", "anthropic-error",
    }  # fmt: skip
    assert by_name["openai-left"].status == "cancelled"
    assert by_name["openai-error"].model == "gpt-4o" and "429" in (by_name["openai-error"].error_message or "")
    for name in ("openai-tools", "anthropic-stream", "vercel-steps"):
        (tool,) = by_name[name].tool_calls
        assert tool.name == "weather" and json.loads(tool.arguments or ""), name
    assert json.loads(by_name["vercel-steps"].tool_calls[0].result or "") == {"sky": "blue"}
    assert by_name["anthropic-message"].usage.cache_read_tokens == 100
    assert by_name["anthropic-message"].usage.cache_write_5m_tokens == 50
    assert by_name["openai-chat"].response_id and by_name["anthropic-stream"].response_id
    assert by_name["openai-chat"].finish_reasons == ("stop",)


PROVIDER = {"openai": "openai", "anthropic": "anthropic", "google": "google", "vercel": "openai"}
STREAMED = ("openai-tools", "openai-runner", "openai-broken", "openai-left", "vercel-response", "vercel-finish",
            "anthropic-error")  # fmt: skip
UNTIMED = ("openai-left", "anthropic-error")
"""Nothing of the answer came, or only its opening event."""
