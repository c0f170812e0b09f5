"""Shipping beside a program, in every way a program goes on and ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import tallybook
from tallybook.capture import guard, recorder
from tallybook.model import codec

from .double import Double

PROGRAM = Path(__file__).with_name("program.py")
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def server() -> Iterator[Double]:
    with Double() as double:
        yield double


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    recorder.forget()
    yield
    recorder.forget()


def run(how: str, folder: Path, url: str, **environment: str) -> tuple[str, float]:
    """Output and seconds of a program."""
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, PROGRAM, how], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TALLYBOOK_DIR": str(folder),
             "TALLYBOOK_URL": url, **environment},
    )  # fmt: skip
    assert ran.returncode in (0, -9), ran.stderr
    return ran.stdout, time.monotonic() - began


def names(server: Double) -> Counter[str | None]:
    assert server.twice() == []
    return Counter(codec.decode(line.split(b" ", 1)[1]).name for line in server.lines if line.startswith(b"telemetry"))


def record(count: int) -> None:
    for _ in range(count):
        with tallybook.track("work") as call:
            call.usage(model="gpt-4o", input_tokens=1)


def eventually(server: Double, count: int, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while sum(names(server).values()) < count and time.monotonic() < end:
        time.sleep(0.02)
    assert sum(names(server).values()) == count


def test_records_arrive_within_a_second_and_nobody_waits_for_them(
    tmp_path: Path, server: Double, failures: guard.Counter[str]
) -> None:
    tallybook.configure(folder=tmp_path, url=server.url)
    record(5)
    eventually(server, 5, 1)
    server.script = ["hang"] * 3
    began = time.monotonic()
    record(200)
    assert time.monotonic() - began < 0.5
    eventually(server, 205)


def test_a_program_that_ends_ships_what_it_has(tmp_path: Path, server: Double) -> None:
    run("quick", tmp_path, server.url)
    assert names(server) == {"work": 10}


def test_a_program_does_not_wait_at_its_end_for_a_server_that_is_not_there(tmp_path: Path, server: Double) -> None:
    _, seconds = run("quick", tmp_path, NOWHERE)
    assert seconds < 3
    server.script = ["hang"] * 20
    server.hang_s = 30
    _, seconds = run("quick", tmp_path / "slow", server.url)
    assert seconds < 5


def test_what_a_killed_program_left_the_next_one_ships(tmp_path: Path, server: Double) -> None:
    run("killed", tmp_path, server.url)
    run("quick", tmp_path, server.url)
    assert names(server) == {"work": 20}


def test_flush_waits_until_the_server_has_it(tmp_path: Path, server: Double) -> None:
    out, _ = run("flush", tmp_path, server.url)
    assert out.strip() == "True" and names(server) == {"work": 10}
    out, _ = run("flush", tmp_path / "other", NOWHERE)
    assert out.strip() == "False"
    assert tallybook.flush(ship=True) is False, "there is no server set"
    assert tallybook.flush() is True


def test_parent_and_forked_children_ship_each_line_once(tmp_path: Path, server: Double) -> None:
    run("fork", tmp_path, server.url)
    assert names(server) == {"work": 10, "child": 15}


@pytest.mark.parametrize(("how", "count"), [("bare", 3), ("nested", 5)])
def test_a_serverless_function_has_shipped_when_it_returns(
    tmp_path: Path, server: Double, how: str, count: int
) -> None:
    run(how, tmp_path, server.url, TALLYBOOK_SHIP="before_return")
    assert names(server) == {"work": count}
    if how == "nested":
        assert len(server.requests) == 1, "once for the whole function"
        assert sum(line.startswith(b"steps") for line in server.lines) == 2


def test_never_means_only_by_hand(tmp_path: Path, server: Double) -> None:
    run("quick", tmp_path, server.url, TALLYBOOK_SHIP="never")
    assert server.requests == []
    assert list((tmp_path / "ship").iterdir()), "but nothing is removed before it is shipped"


def test_a_program_that_is_turned_off_ships_nothing(tmp_path: Path, server: Double) -> None:
    run("quick", tmp_path, server.url, TALLYBOOK_ENABLED="false")
    assert server.requests == [] and not tmp_path.joinpath("ship").exists()


def test_what_fails_is_told_once_and_once_that_it_works_again(
    tmp_path: Path, failures: guard.Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    with Double() as first:
        port = first.port
    tallybook.configure(folder=tmp_path, url=f"http://127.0.0.1:{port}")
    record(3)
    end = time.monotonic() + 10
    while failures["shipping"] < 2 and time.monotonic() < end:
        time.sleep(0.02)
    with Double(port) as second:
        eventually(second, 3, 5)
        time.sleep(0.1)
    told = [entry.message for entry in caplog.records if "shipping" in entry.message]
    assert len(told) == 2 and "cannot reach" in told[0] and "works again" in told[1]


def test_an_address_that_is_none_is_told_and_the_program_goes_on(tmp_path: Path, failures: guard.Counter[str]) -> None:
    tallybook.configure(folder=tmp_path, url="ftp://nowhere")
    record(1)
    assert failures["shipping"] == 1


def test_other_settings_end_the_thread_and_none_is_left(tmp_path: Path, server: Double) -> None:
    def threads() -> int:
        return sum(thread.name == "tallybook-ship" for thread in threading.enumerate())

    tallybook.configure(folder=tmp_path, url=server.url)
    tallybook.configure(project="x")
    time.sleep(0.2)
    assert threads() == 1
    recorder.forget()
    time.sleep(0.2)
    assert threads() == 0


def test_without_an_address_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    code = (
        f"import sys, tallybook; tallybook.configure(folder={str(tmp_path)!r}); print('tallybook.ship' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert ran.stdout.strip() == "False"
