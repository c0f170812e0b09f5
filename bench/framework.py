"""Which HTTP server and framework: CPU a request, requests a second, start and memory of each, one process, loopback.

Each candidate serves the same resource: read 600 bytes of JSON, decode it with msgspec, answer 201 with an id. A client
with a few kept-alive connections sends as fast as it can; the CPU is the server's own, so that a busy machine distorts
it least. What is not installed is left out.

    ./dev bench framework [--seconds 4] [--connections 8]
"""

from __future__ import annotations

import argparse
import importlib.util
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from process import cpu_s, free_port, memory_mb

BODY = (
    b'{"operation":"chat","model":"gpt-4o","provider":"openai","input_tokens":1200,"output_tokens":300,'
    b'"total_tokens":1500,"estimated_cost":0.0012,"duration_ms":812,"tool_calls_count":1,'
    b'"tool_calls_json":"[{\\"name\\":\\"search\\",\\"arguments\\":{\\"query\\":\\"latest web frameworks\\"}}]",'
    b'"response_metadata":"{\\"finishReason\\":\\"stop\\",\\"id\\":\\"chatcmpl-1\\"}","error":null,'
    b'"project_id":"docs","request_id":"req-0123456789","note":"' + b"x" * 170 + b'"}'
)
ANSWER = b'{"id":"0199a9c2-7e00-7000-8000-000000000000"}'


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """The resource without a framework."""
    import msgspec

    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    msgspec.json.decode(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def starlette() -> Any:
    """The same with Starlette among forty other routes."""
    import msgspec
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def take(request: Any) -> Response:
        msgspec.json.decode(await request.body())
        return Response(ANSWER, 201, media_type="application/json")

    others = [Route(f"/api/v1/thing{number}/{{id}}", take, methods=["GET"]) for number in range(40)]
    return Starlette(routes=[*others, Route("/api/ai-usage", take, methods=["POST"])])


def litestar() -> Any:
    """The same with Litestar."""
    from litestar import Litestar, Request, post

    @post("/api/ai-usage")
    async def take(request: Request) -> dict[str, str]:
        import msgspec

        msgspec.json.decode(await request.body())
        return {"id": "0199a9c2-7e00-7000-8000-000000000000"}

    take.__annotations__["request"] = Request
    return Litestar([take])


def fastapi() -> Any:
    """The same with FastAPI, without a pydantic model."""
    from fastapi import FastAPI, Request
    from fastapi.responses import Response

    app = FastAPI()

    async def take(request: Request) -> Response:
        import msgspec

        msgspec.json.decode(await request.body())
        return Response(ANSWER, 201, media_type="application/json")

    take.__annotations__["request"] = Request
    app.post("/api/ai-usage")(take)
    return app


APPS = {"raw": lambda: raw, "starlette": starlette, "litestar": litestar, "fastapi": fastapi}
CANDIDATES = (
    ("uvicorn, h11", "raw", "uvicorn:h11:asyncio", ("uvicorn", "h11")),
    ("uvicorn, httptools", "raw", "uvicorn:httptools:asyncio", ("uvicorn", "httptools")),
    ("uvicorn, httptools, uvloop", "raw", "uvicorn:httptools:uvloop", ("uvicorn", "httptools", "uvloop")),
    ("granian", "raw", "granian", ("granian",)),
    ("hypercorn", "raw", "hypercorn", ("hypercorn",)),
    ("uvicorn, httptools + starlette", "starlette", "uvicorn:httptools:asyncio", ("starlette", "httptools")),
    ("uvicorn, httptools, uvloop + starlette", "starlette", "uvicorn:httptools:uvloop", ("starlette", "uvloop")),
    ("uvicorn, httptools + litestar", "litestar", "uvicorn:httptools:asyncio", ("litestar", "httptools")),
    ("uvicorn, httptools + fastapi", "fastapi", "uvicorn:httptools:asyncio", ("fastapi", "httptools")),
)  # fmt: skip


def serve(app: str, server: str, port: int) -> None:
    """Serve one candidate until it is told to stop."""
    if server.startswith("uvicorn"):
        import uvicorn

        _, http, loop = server.split(":")
        uvicorn.run(APPS[app](), host="127.0.0.1", port=port, http=http, loop=loop, log_level="error",
                    access_log=False, lifespan="off")  # fmt: skip
    elif server == "granian":
        import asyncio

        from granian.constants import Interfaces
        from granian.server.embed import Server

        asyncio.run(Server(APPS[app](), address="127.0.0.1", port=port, interface=Interfaces.ASGINL).serve())
    else:
        import asyncio

        from hypercorn.asyncio import serve as run
        from hypercorn.config import Config

        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        asyncio.run(run(APPS[app](), config))


def _connect(port: int, until: float) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.005)


def _load(port: int, connections: int, seconds: float) -> list[float]:
    """Seconds that each request took, of as many as fit."""
    request = (
        b"POST /api/ai-usage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    )
    took: list[float] = []
    began: dict[int, float] = {}
    held: dict[int, bytes] = {}
    with selectors.DefaultSelector() as watched:
        for _ in range(connections):
            one = _connect(port, time.monotonic() + 10)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            watched.register(one, selectors.EVENT_READ)
            began[one.fileno()] = time.perf_counter()
            one.sendall(request)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for key, _ in watched.select(1):
                one = key.fileobj
                held[key.fd] = got = held.get(key.fd, b"") + one.recv(65536)
                if not got.endswith(b"}"):  # The head of an answer that comes in two.
                    continue
                if not got.startswith(b"HTTP/1.1 201"):
                    raise SystemExit(f"unexpected answer: {got[:200]!r}")
                held[key.fd] = b""
                now = time.perf_counter()
                took.append(now - began[key.fd])
                began[key.fd] = now
                one.sendall(request)
        for key in list(watched.get_map().values()):
            key.fileobj.close()
    return took


def measure(name: str, app: str, server: str, seconds: float, connections: int) -> None:
    """Print one candidate's line."""
    port = free_port()
    begin = time.perf_counter()
    child = subprocess.Popen([sys.executable, __file__, "--serve", app, server, str(port)])
    try:
        _connect(port, time.monotonic() + 20).close()
        start_s = time.perf_counter() - begin
        _load(port, connections, 0.5)
        before = cpu_s(child.pid)
        took = _load(port, connections, seconds)
        cpu = cpu_s(child.pid) - before
        cuts = quantiles(took, n=100)
        print(
            f"{name:<42} {len(took) / seconds:>8,.0f}/s  CPU {cpu / len(took) * 1e6:>6.0f} µs  "
            f"p50 {cuts[49] * 1e3:>6.2f} "
            f"p99 {cuts[98] * 1e3:>6.2f} ms  start {start_s:>5.2f} s  {memory_mb(child.pid):>4.0f} MB",
            flush=True,
        )
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()


def main() -> None:
    """Measure all that is installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        app, server, port = given.serve
        serve(app, server, int(port))
        return
    for name, app, server, needs in CANDIDATES:
        if all(importlib.util.find_spec(one) for one in needs):
            measure(name, app, server, given.seconds, given.connections)


if __name__ == "__main__":
    main()
