"""The program that shipping's tests start and end in every way: `python program.py HOW`."""

from __future__ import annotations

import os
import sys
import time
import warnings

import tallybook

warnings.simplefilter("ignore", DeprecationWarning)  # Python's own about forks beside threads.


def record(count: int = 1, name: str = "work") -> None:
    for _ in range(count):
        with tallybook.track(name) as call:
            call.usage(model="gpt-4o", provider="openai", input_tokens=1)


def fork() -> None:
    record(5)
    time.sleep(0.4)  # The parent ships, and its thread waits.
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            record(5, "child")
            os._exit(0 if tallybook.flush(ship=True) else 1)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    record(5)
    assert tallybook.flush(ship=True)


def nested() -> None:
    @tallybook.run("handler")
    def handler() -> None:
        record(3)
        with tallybook.agent("a"):
            record(2)

    handler()
    os._exit(0)


def main() -> None:
    how = sys.argv[1]
    tallybook.configure(project="ship")
    began = time.monotonic()
    if how == "quick":
        record(10)
    elif how == "flush":
        record(10)
        print(tallybook.flush(ship=True), flush=True)
        os._exit(0)
    elif how == "killed":
        record(10)
        os.kill(os.getpid(), 9)
    elif how == "bare":
        record(3)
        os._exit(0)
    elif how == "nested":
        nested()
    elif how == "fork":
        fork()
    print(f"{time.monotonic() - began:.3f}", flush=True)


if __name__ == "__main__":
    main()
