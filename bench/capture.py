"""What recording costs the caller: per call, per streamed chunk, CPU of all threads, memory over many calls.

The real SDKs on a transport inside the process that answers at once, so that nothing but the SDK and the recording
takes time. Blocks of calls without and with recording alternate, so that a busy machine slows both alike; figures are
medians over the calls of all blocks, and "quiet" the difference of the tenth percentiles, which a busy machine
distorts least. Machines differ, so both also stand as a part of what the bare call takes. Every instrumented call has
its record in the kernel when it is timed.

    ./dev bench capture [--calls 5000] [--memory 100000] [--peers]
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import hashlib
import importlib.metadata
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import openai
from peer import PEERS, run_peers

from tallybook.replay.http import Request
from tallybook.replay.server import ReplayServer

ASK: list[Any] = [
    {"role": "system", "content": "You are a careful astronomer. Answer in a few words."},
    {"role": "user", "content": "How many moons has Mars, what are their names, and who discovered them in what year?"},
]
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {"name": f, "parameters": {"type": "object", "properties": {"planet": {"type": "string"}}}},
    }
    for f in ("moons", "orbit", "mass")
]
WORDS = 50
"""Words of a streamed answer: with its first and last events a stream of 54 events, as in the peers' figures."""
LONG_WORDS = 2_000
"""Words of the stream that is read without the SDK's parsing, which takes a hundred times as long as listening."""
BIG_PROMPT = [{"role": "user", "content": "Mars has two moons. " * 5_000}]
MEMORY_STEPS = 5
REFERENCE_US = 586
"""What the bare plain call takes on the machine that the targets are stated for."""
TARGET_US = 20
TARGET_CHUNK_US = 1.0
"""At most so much added to a plain call and to a streamed chunk there."""


class Transport:
    """Answers from bytes prepared by the replay server, by path and kind; streams come event by event."""

    def __init__(self, httpx: Any) -> None:
        text = "word " * WORDS
        with ReplayServer(ids="bench") as server:
            self._prepared = {
                (path, stream): self._prepare(server, path, model, text, stream=stream)
                for path, model in (
                    ("/v1/chat/completions", "gpt-4o"),
                    ("/v1/responses", "gpt-5"),
                    ("/v1/messages", "claude-haiku-4-5"),
                )
                for stream in (False, True)
            }
            self._long = self._prepare(server, "/v1/chat/completions", "gpt-4o", "word " * LONG_WORDS, stream=True)
            self._uses = self._prepare(server, "/v1/chat/completions", "gpt-4o", "", stream=False, calls=1)
        self._httpx = httpx

    @staticmethod
    def _prepare(
        server: ReplayServer, path: str, model: str, text: str, *, stream: bool, calls: int = 0
    ) -> list[bytes]:
        body: dict[str, Any] = {"model": model, "messages": ASK, "input": "x", "max_tokens": 999, "stream": stream}
        if calls:
            body["tools"] = TOOLS
        if stream and path.endswith("completions"):
            body["stream_options"] = {"include_usage": True}
        request = Request(
            "POST",
            path,
            {},
            {"x-replay": f"calls={calls}" if calls else f"text={text.strip()}"},
            json.dumps(body).encode(),
        )
        reply = server._respond(request)
        return reply.pieces if reply.pieces is not None else [reply.body]

    def reply(self, request: Any) -> tuple[list[bytes], dict[str, str]]:
        is_stream = b'"stream":true' in request.content or b'"stream": true' in request.content
        is_long = b'"user":"long"' in request.content
        pieces = self._long if is_long else self._prepared[request.url.path, is_stream]
        if b'"user":"uses"' in request.content:
            pieces = self._uses
        return pieces, {"content-type": "text/event-stream" if is_stream else "application/json"}

    def events(self, path: str) -> int:
        return len(self._prepared[path, True])

    def sync(self) -> Any:
        httpx, reply = self._httpx, self.reply

        class Pieces(httpx.SyncByteStream):  # type: ignore[misc,name-defined]
            def __init__(self, pieces: list[bytes]) -> None:
                self.pieces = pieces

            def __iter__(self) -> Iterator[bytes]:
                yield from self.pieces

        class Sync(httpx.BaseTransport):  # type: ignore[misc,name-defined]
            def handle_request(self, request: Any) -> Any:
                pieces, headers = reply(request)
                return httpx.Response(200, headers=headers, stream=Pieces(pieces))

        return Sync()

    def asynchronous(self) -> Any:
        httpx, reply = self._httpx, self.reply

        class Pieces(httpx.AsyncByteStream):  # type: ignore[misc,name-defined]
            def __init__(self, pieces: list[bytes]) -> None:
                self.pieces = pieces

            async def __aiter__(self) -> Any:
                for piece in self.pieces:
                    yield piece

        class Async(httpx.AsyncBaseTransport):  # type: ignore[misc,name-defined]
            async def handle_async_request(self, request: Any) -> Any:
                pieces, headers = reply(request)
                return httpx.Response(200, headers=headers, stream=Pieces(pieces))

        return Async()


def httpx_of(sdk: Any) -> Any:
    """The HTTP library that the installed SDK is built on; the name changed with its third major."""
    return sys.modules[sdk.DefaultHttpxClient.__mro__[1].__module__.split(".")[0]]


class Case(NamedTuple):
    """One thing to measure: `work` makes one call and reads it to its end."""

    name: str
    work: Callable[[], object]
    events: int = 0
    share: float = 1.0
    """How many calls of this kind are made, as a part of `--calls`."""


def drain(stream: Any) -> None:
    for _ in stream:
        pass


def cases() -> list[Case]:
    transport = Transport(httpx_of(openai))
    to = openai.OpenAI(api_key="k", http_client=httpx_of(openai).Client(transport=transport.sync()))
    ant = anthropic.Anthropic(api_key="k", http_client=httpx_of(anthropic).Client(transport=transport.sync()))
    async_to = openai.AsyncOpenAI(
        api_key="k", http_client=httpx_of(openai).AsyncClient(transport=transport.asynchronous())
    )
    loop = asyncio.new_event_loop()
    atexit.register(lambda: loop.run_until_complete(loop.shutdown_asyncgens()))

    def chat(**given: Any) -> Any:
        return to.chat.completions.create(**given)  # Looked up at every call: some peers patch the class.

    def message(**given: Any) -> Any:
        return ant.messages.create(**given)

    usage: Any = {"stream_options": {"include_usage": True}}
    claude: Any = {"model": "claude-haiku-4-5", "max_tokens": 999, "messages": ASK}

    async def async_drain() -> None:
        async for _ in await async_to.chat.completions.create(model="gpt-4o", messages=ASK, stream=True, **usage):
            pass

    def pass_through() -> None:
        with to.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=ASK, stream=True, user="long", **usage
        ) as response:
            for _ in response.iter_bytes():
                pass

    count = transport.events
    return [
        Case("chat", lambda: chat(model="gpt-4o", messages=ASK)),
        Case("tools", lambda: chat(model="gpt-4o", messages=ASK, tools=TOOLS), share=0.3),
        Case("tool called", lambda: chat(model="gpt-4o", messages=ASK, tools=TOOLS, user="uses"), share=0.3),
        Case("responses", lambda: to.responses.create(model="gpt-5", input="Mars?"), share=0.3),
        Case("anthropic", lambda: message(**claude), share=0.3),
        Case(
            "chat async",
            lambda: loop.run_until_complete(async_to.chat.completions.create(model="gpt-4o", messages=ASK)),
            share=0.3,
        ),
        Case(
            "chat stream",
            lambda: drain(chat(model="gpt-4o", messages=ASK, stream=True, **usage)),
            count("/v1/chat/completions"),
            0.1,
        ),
        Case(
            "chat stream, usage not asked",
            lambda: drain(chat(model="gpt-4o", messages=ASK, stream=True)),
            count("/v1/chat/completions"),
            0.1,
        ),
        Case(
            "chat stream async",
            lambda: loop.run_until_complete(async_drain()),
            count("/v1/chat/completions"),
            0.1,
        ),
        Case(
            "responses stream",
            lambda: drain(to.responses.create(model="gpt-5", input="Mars?", stream=True)),
            count("/v1/responses"),
            0.05,
        ),
        Case("anthropic stream", lambda: drain(message(**claude, stream=True)), count("/v1/messages"), 0.1),
        Case(f"chunks alone ({LONG_WORDS + 4})", pass_through, LONG_WORDS + 4, 0.03),
        Case("chat, prompt of 100 kB", lambda: chat(model="gpt-4o", messages=BIG_PROMPT), share=0.1),
    ]


class Result(NamedTuple):
    """Microseconds per call."""

    name: str
    bare_us: float
    added_us: float
    quiet_us: float
    quiet_share: float
    added_p99_us: float
    cpu_us: float
    per_event_us: float | None


def measure(case: Case, on: Callable[[], object], off: Callable[[], object], calls: int) -> Result:
    """Blocks without and with recording in turn; medians of the single calls."""
    block = 50 if not case.events else 10
    times: dict[bool, list[int]] = {False: [], True: []}
    cpu = {False: 0.0, True: 0.0}
    clock = time.perf_counter_ns
    for number in range(-2, 2 * max(4, calls // block)):
        is_on = number % 2 == 1
        (on if is_on else off)()
        case.work()
        found: list[int] = []
        cpu_begun = time.process_time()
        for _ in range(block):
            begun = clock()
            case.work()
            found.append(clock() - begun)
        if number >= 0:
            times[is_on] += found
            cpu[is_on] += time.process_time() - cpu_begun
    off()
    bare, watched = (sorted(times[which]) for which in (False, True))
    added = (statistics.median(watched) - statistics.median(bare)) / 1e3
    quiet_bare = bare[len(bare) // 10] / 1e3
    quiet = watched[len(watched) // 10] / 1e3 - quiet_bare
    p99 = (watched[len(watched) * 99 // 100] - bare[len(bare) * 99 // 100]) / 1e3
    spent = (cpu[True] / len(watched) - cpu[False] / len(bare)) * 1e6
    per_event = min(added, quiet) / case.events if case.events else None
    return Result(case.name, statistics.median(bare) / 1e3, added, quiet, quiet / quiet_bare, p99, spent, per_event)


def alone(case: Case, calls: int) -> tuple[float, float]:
    """Median and tenth percentile of a call as things are, microseconds."""
    found: list[int] = []
    for _ in range(max(40, calls)):
        begun = time.perf_counter_ns()
        case.work()
        found.append(time.perf_counter_ns() - begun)
    found.sort()
    return found[len(found) // 2] / 1e3, found[len(found) // 10] / 1e3


def hashing_us() -> float:
    """SHA-256 of the 100 kB prompt as JSON, microseconds: what no recording of its hash can do without."""
    data = json.dumps(BIG_PROMPT).encode()
    found = []
    for _ in range(200):
        begun = time.perf_counter_ns()
        hashlib.sha256(data).hexdigest()
        found.append(time.perf_counter_ns() - begun)
    return statistics.median(found) / 1e3


def rss_mb() -> float:
    """Memory of this process now, MB."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource  # here: only where there is no /proc

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return pages * 4096 / 1e6


def show(results: Iterator[Result]) -> None:
    head = f"{'bare':>9}{'added':>9}{'':>7}{'quiet':>9}{'':>7}{'p99':>8}{'CPU':>8}{'a chunk':>9}"
    print(f"{'':<30}{head}   µs, medians, and % of bare")
    first: Result | None = None
    for row in results:
        first = first or row
        chunk = "" if row.per_event_us is None else f"{row.per_event_us:.2f}"
        figures = (
            f"{row.bare_us:>9.0f}{row.added_us:>9.1f}{row.added_us / row.bare_us:>7.1%}{row.quiet_us:>9.1f}"
            f"{row.quiet_share:>7.1%}{row.added_p99_us:>8.0f}{row.cpu_us:>8.1f}"
        )
        print(f"{row.name:<30}{figures}{chunk:>9}", flush=True)
    if first is not None:
        print(target(first))


def target(row: Result) -> str:
    """The targets, and what they come to on a machine where the first case's bare call takes what it took here."""
    scale = row.bare_us / REFERENCE_US
    return (
        f"target where the bare call takes {REFERENCE_US} µs: at most {TARGET_US} µs a plain call "
        f"({TARGET_US / REFERENCE_US:.1%}) and {TARGET_CHUNK_US:.0f} µs a chunk;\n"
        f"here, where it takes {row.bare_us:.0f} µs: {TARGET_US * scale:.0f} and {TARGET_CHUNK_US * scale:.1f}"
    )


def memory(work: Callable[[], object], calls: int) -> None:
    work()
    for step in range(MEMORY_STEPS + 1):
        print(f"memory after {step * calls // MEMORY_STEPS:>7} calls: {rss_mb():.1f} MB", flush=True)
        if step < MEMORY_STEPS:
            for _ in range(calls // MEMORY_STEPS):
                work()


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--calls", type=int, default=5_000, help="plain calls a side; other kinds a part of it")
    words.add_argument("--only", help="only cases whose name begins so")
    words.add_argument("--memory", type=int, default=0, metavar="CALLS", help="show memory over so many calls instead")
    words.add_argument("--peers", action="store_true", help="measure the peers too, each in an environment of its own")
    words.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    words.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.peer:
        wanted = [case for case in cases() if case.name.startswith(given.only or "")]
        if not given.bare:
            PEERS[given.peer].instrument()
        print(json.dumps({case.name: alone(case, int(given.calls * case.share)) for case in wanted}))
        return
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("openai", "anthropic"))
    print(
        f"{given.peer or 'tallybook'}: Python {platform.python_version()}, {versions}, {platform.machine()}", flush=True
    )
    wanted = [case for case in cases() if case.name.startswith(given.only or "")]
    with tempfile.TemporaryDirectory() as folder:
        import tallybook  # here: a peer's environment has only what the peer needs

        tallybook.configure(folder=Path(folder), project="bench")
        on, off = tallybook.instrument, tallybook.uninstrument
        if given.memory:
            on()
            memory(wanted[0].work, given.memory)
        else:
            show(measure(case, on, off, int(given.calls * case.share)) for case in wanted)
            print(f"SHA-256 of the 100 kB prompt alone: {hashing_us():.0f} µs")
        off()
    if given.peers:
        run_peers(Path(__file__), given.calls)


if __name__ == "__main__":
    main()
