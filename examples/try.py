"""The main job on real input: three official SDKs, one line of Tallybook, what it all cost; then the same over HTTP.

The providers are played by a local server (`tallybook.testing.ReplayServer`), so no key and no network is
needed; the SDKs, their streams, tools and failures are the real ones. Run it by `./dev try`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path
from typing import Any

import anthropic
import openai
from google import genai

import tallybook
from tallybook.testing import ReplayServer, Scenario, TemporaryLedger

FOLDER = Path(__file__).resolve().parent.parent / ".try"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
QUESTION: list[Any] = [{"role": "user", "content": "Which three cities are the driest in Europe?"}]
COMMANDS = (
    ("stats", "today"),
    ("costs", "--days", "7"),
    ("models", "--top", "8"),
    ("calls", "--limit", "12"),
    ("runs",),
    ("performance",),
    ("doctor",),
)


class Clients:
    """The official clients, sync and async, led to the local server."""

    def __init__(self, server: ReplayServer) -> None:
        self.openai = openai.OpenAI(base_url=server.openai_url, api_key="any", max_retries=1)
        self.openai_async = openai.AsyncOpenAI(base_url=server.openai_url, api_key="any")
        self.anthropic = anthropic.Anthropic(base_url=server.url, api_key="any", max_retries=0)
        self.anthropic_async = anthropic.AsyncAnthropic(base_url=server.url, api_key="any", max_retries=0)
        self.google = genai.Client(api_key="any", http_options={"base_url": server.url})


def chat_with_openai(to: Clients) -> int:
    """Whole, streamed (without asking for usage: it is recorded all the same), structured, embedded."""
    with tallybook.run("driest cities", user_id="ada"):
        to.openai.chat.completions.create(model="gpt-4o", messages=QUESTION)
        for _ in to.openai.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, stream=True):
            pass
        with to.openai.responses.stream(model="gpt-5-mini", input="And the wettest?") as stream:
            stream.until_done()
        to.openai.embeddings.create(model="text-embedding-3-small", input=["dry", "wet"])
    return 4


def tools_with_openai(to: Clients) -> int:
    """An agent's loop: the model asks for a tool, the tool runs, the model answers."""
    tools: list[Any] = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
    with tallybook.run("weather agent", user_id="ada"), tallybook.agent("weather-agent"):
        messages = list(QUESTION)
        first = to.openai.chat.completions.create(model="gpt-5", messages=messages, tools=tools)
        message = first.choices[0].message
        messages.append(message)
        for call in message.tool_calls or ():
            with tallybook.tool("get_weather", tool_call_id=call.id):
                time.sleep(0.02)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "sunny, 31 °C"})
        to.openai.chat.completions.create(model="gpt-5", messages=messages, tools=tools)
    return 2


def talk_with_anthropic(to: Clients) -> int:
    """Whole with a cached prompt, streamed with a tool."""
    with tallybook.tag("review", user_id="grace"):
        to.anthropic.messages.create(
            model="claude-sonnet-4-5",
            max_tokens=500,
            system="You are a careful reviewer.",
            messages=QUESTION,
            extra_headers={"X-Replay": "cached=4096;cache-write=512;output-tokens=220"},
        )
        tools: list[Any] = [{"name": "get_weather", "input_schema": WEATHER}]
        with to.anthropic.messages.stream(
            model="claude-haiku-4-5", max_tokens=500, messages=QUESTION, tools=tools
        ) as stream:
            stream.get_final_message()
    return 2


def talk_with_gemini(to: Clients) -> int:
    """Whole with reasoning, and streamed."""
    with tallybook.tag("travel", user_id="grace"):
        config: Any = {"http_options": {"headers": {"X-Replay": "reasoning=180"}}}
        to.google.models.generate_content(model="gemini-2.5-flash", contents="Plan a dry week.", config=config)
        for _ in to.google.models.generate_content_stream(model="gemini-2.5-flash", contents="Shorter, please."):
            pass
    return 2


def talk_at_once(to: Clients) -> int:
    """Twelve calls in flight together, whole and streamed."""

    async def streamed() -> None:
        async for _ in await to.openai_async.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True):
            pass

    async def whole() -> None:
        await to.anthropic_async.messages.create(model="claude-haiku-4-5", max_tokens=300, messages=QUESTION)

    async def together() -> None:
        await asyncio.gather(*(part() for part in [streamed, whole] * 6))
        await to.openai_async.close()
        await to.anthropic_async.close()

    asyncio.run(together())
    return 12


def fail(to: Clients, server: ReplayServer) -> int:
    """A rate limit that a retry gets over, two errors, and a stream left half-way."""
    server.next(Scenario(status=429, retry_after=0.01))
    to.openai.chat.completions.create(model="gpt-4o", messages=QUESTION)
    server.next(Scenario(status=529))
    try:
        to.anthropic.messages.create(model="claude-sonnet-4-5", max_tokens=100, messages=QUESTION)
    except anthropic.APIStatusError:
        pass
    server.next(Scenario(status=400, message="Your request was rejected."))
    try:
        to.google.models.generate_content(model="gemini-2.5-flash", contents="?")
    except genai.errors.ClientError:
        pass
    with to.openai.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True) as stream:
        for _ in zip(range(8), stream, strict=False):
            pass
    return 4


def report(commands: tuple[tuple[str, ...], ...], folder: Path = FOLDER) -> int:
    """Let the command line tell what was recorded; the worst exit status."""
    environment = {**os.environ, "TALLYBOOK_DIR": str(folder)}
    worst = 0
    for command in commands:
        print(f"\n$ tallybook {' '.join(command)}", flush=True)
        ran = subprocess.run([sys.executable, "-m", "tallybook", *command], env=environment, check=False)
        worst = max(worst, ran.returncode)
    return worst


def import_transcripts() -> int:
    """What coding agents left on this machine, in a ledger of its own; nothing where there is nothing."""
    from tallybook.ingest.importers.places import AGENTS, folders

    places = [place for agent in AGENTS for place in folders(agent, os.environ, Path.home())]
    if not any(next(place.rglob("*.json*"), None) for place in places if place.is_dir()):
        print("\nNo transcripts of coding agents on this machine; `tallybook import all` would read them.")
        return 0
    print("\nThis machine has transcripts of coding agents:")
    return report((("import", "all"), ("monthly",), ("session", "--all", "--limit", "5")), FOLDER / "agents")


SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "kind": 3,
    "name": "chat claude-haiku-4-5",
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.provider.name", "value": {"stringValue": "anthropic"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "claude-haiku-4-5"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1200"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "80"}},
    ],
}  # fmt: skip
"""What any OpenTelemetry exporter sends, in its JSON form."""
USAGE = {
    "operation": "generate_project_ideas", "model": "gpt-4o", "provider": "openai", "projectId": "try",
    "inputTokens": 900, "outputTokens": 150, "durationMs": 812,
}  # fmt: skip


def over_http() -> int:
    """`tallybook serve` on the same folder: calls come in from elsewhere, figures go out. The number of calls."""
    command = [sys.executable, "-m", "tallybook", "serve", "--port", "0", "--dir", str(FOLDER)]
    print("\n$ tallybook serve", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            line = serving.stdout.readline().strip()
            url = line.rsplit(" ", 1)[-1]
            print(line)
            now_ns = time.time_ns()
            span = {**SPAN, "startTimeUnixNano": str(now_ns - 900_000_000), "endTimeUnixNano": str(now_ns)}
            traces = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "any"}, "spans": [span]}]}]}
            print(f"  POST /api/ai-usage, from any language     {ask(f'{url}/api/ai-usage', USAGE)}")
            print(f"  POST /v1/traces, from OpenTelemetry       {ask(f'{url}/v1/traces', traces)}")
            total = ask(f"{url}/api/ai/usage/summary?days=1")["total"]
            print(f"  GET /api/ai/usage/summary                 {total['calls']} calls, ${total['cost_usd']:.4f}")
            print("  the pages are at / and the interface at /docs; stopped again:", end=" ", flush=True)
        finally:
            serving.terminate()
        print("drained" if serving.wait(30) == 0 else "not clean")
    return 2


def ask(url: str, body: object = None) -> Any:
    """The answer to one request, as JSON."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, {"content-type": "application/json"})) as answer:
        return json.load(answer)


def main() -> int:
    """Make the calls, compare what was recorded with what was made, and report."""
    warnings.simplefilter("ignore")
    logging.getLogger("google_genai").setLevel(logging.ERROR)
    shutil.rmtree(FOLDER, ignore_errors=True)
    tallybook.instrument(folder=FOLDER, project="try", environment="demo")
    begun = time.perf_counter()
    made = 0
    with ReplayServer() as server:
        to = Clients(server)
        parts = (
            ("OpenAI: chat, stream, Responses, embeddings", chat_with_openai),
            ("OpenAI: an agent that uses a tool", tools_with_openai),
            ("Anthropic: cached prompt, stream with a tool", talk_with_anthropic),
            ("Gemini: reasoning, stream", talk_with_gemini),
            ("async: twelve calls at once", talk_at_once),
            ("failures: rate limit, overload, refusal, stream left", lambda clients: fail(clients, server)),
        )
        for name, part in parts:
            count = part(to)
            made += count
            print(f"  {name:<54}{count:>3} calls", flush=True)
        to.openai.close()
        to.anthropic.close()
    recorded = len(TemporaryLedger(FOLDER).calls())
    print(f"  {made} calls made, {recorded} recorded in {FOLDER.name}/, {time.perf_counter() - begun:.1f} s")
    worst = report(COMMANDS)
    made += over_http()
    recorded = len(TemporaryLedger(FOLDER).calls())
    worst = max(worst, import_transcripts())
    print("\nThe records are plain lines; try: jq .tokens .try/*/telemetry*.jsonl")
    return 1 if recorded != made else worst


if __name__ == "__main__":
    sys.exit(main())
