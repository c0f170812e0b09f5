"""The program that the fault tests start, kill and watch: real SDK calls against the server named in its environment.

`python program.py HOW FOLDER` prints the response id of each call after the call has returned, then ends by HOW.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import openai

import tallybook

ASK: list[Any] = [{"role": "user", "content": "How many moons has Mars?"}]


def say(text: str) -> None:
    """One line in one write, so that a kill leaves it whole or absent."""
    os.write(1, f"{text}\n".encode())


def client() -> openai.OpenAI:
    return openai.OpenAI(base_url=os.environ["REPLAY_URL"], api_key="k", max_retries=0)


def call(count: int = 1, to: openai.OpenAI | None = None) -> None:
    made = to or client()
    for _ in range(count):
        say(made.chat.completions.create(model="gpt-4o", messages=ASK).id)
    if to is None:
        made.close()


def open_stream() -> Any:
    stream = client().chat.completions.create(
        model="gpt-4o", messages=ASK, stream=True, extra_headers={"X-Replay": "delay-s=0.05"}
    )
    for _ in zip(range(4), stream, strict=False):
        pass
    return stream


def in_child(folder: str) -> None:
    tallybook.instrument(folder=folder)
    call(2)


def start(method: str, folder: str) -> None:
    """Calls in the parent and in two workers; a forked worker inherits the patches, others put them."""
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=in_child, args=(folder,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    call()


def fork() -> None:
    """Calls before, in the child and in the parent after a fork, while a thread of the parent is calling too.

    All clients are made before: a child forked while a thread makes one waits for ever for OpenSSL's lock.
    """
    ended = threading.Event()
    made, *theirs = [client() for _ in range(4)]

    def busy() -> None:
        while not ended.is_set():
            call(1, made)

    thread = threading.Thread(target=busy)
    thread.start()
    children = []
    for own in theirs:
        pid = os.fork()
        if pid == 0:
            call(2, own)
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    ended.set()
    thread.join()


async def asynchronous() -> None:
    made = openai.AsyncOpenAI(base_url=os.environ["REPLAY_URL"], api_key="k", max_retries=0)
    say((await made.chat.completions.create(model="gpt-4o", messages=ASK)).id)
    stream = await made.chat.completions.create(
        model="gpt-4o", messages=ASK, stream=True, extra_headers={"X-Replay": "delay-s=0.05"}
    )
    async for _ in stream:
        break


def forever() -> None:
    made = client()

    def one() -> None:
        while True:
            call(1, made)

    for _ in range(3):
        threading.Thread(target=one, daemon=True).start()
    one()


def raise_unhandled() -> None:
    raise RuntimeError("nobody catches this")


def daemon() -> None:
    """A daemon thread is in the middle of calling when the program ends."""
    threading.Thread(target=lambda: call(1_000), daemon=True).start()
    call()


KEPT: list[Any] = []


def with_open_stream() -> None:
    KEPT.append(open_stream())


def with_stream_in_thread() -> None:
    """A stream held by a thread that never ends: nothing frees it at exit."""
    opened = threading.Event()

    def hold() -> None:
        stream = open_stream()
        opened.set()
        threading.Event().wait()
        del stream

    threading.Thread(target=hold, daemon=True).start()
    opened.wait(30)


ENDINGS: dict[str, Callable[[], object]] = {
    "end": lambda: None,
    "exit": lambda: sys.exit(3),
    "exception": raise_unhandled,
    "sigterm": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "sigint": lambda: os.kill(os.getpid(), signal.SIGINT),
    "os-exit": lambda: os._exit(0),
    "open-stream": with_open_stream,
    "stream-in-thread": with_stream_in_thread,
    "daemon": daemon,
    "fork": fork,
    "asyncio": lambda: asyncio.run(asynchronous()),
    "forever": forever,
}


def main() -> None:
    how, folder = sys.argv[1:3]
    tallybook.instrument(folder=folder)
    if how.startswith("mp-"):
        start(how.removeprefix("mp-"), folder)
        return
    if how == "crowd":  # Eight processes at once from one import of the SDK, which is what takes long.
        children = []
        for _ in range(8):
            pid = os.fork()
            if pid == 0:
                call(40)
                os._exit(0)
            children.append(pid)
        assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
        return
    call(2)
    ENDINGS[how]()


if __name__ == "__main__":
    main()
