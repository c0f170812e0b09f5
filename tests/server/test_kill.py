"""`kill -9` at any moment loses nothing that was acknowledged and doubles nothing; a stop answers what is under way."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.server.test_usage_post import LOG

from tallybook.testing import TemporaryLedger

ROOT = Path(__file__).resolve().parents[2]
Serve = Callable[..., "tuple[subprocess.Popen[str], int]"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `tallybook serve` as a process of its own and waits until it serves."""
    running: list[subprocess.Popen[str]] = []

    def begin(*options: str, folder: Path | None = None) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-m", "tallybook", "serve", "--port", "0", "--dir", str(folder or tmp_path / "led")]
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        running.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            if " at http://" in line:
                return process, int(line.rsplit(":", 1)[1].strip().rstrip("/"))
        raise AssertionError(f"it ended with {process.wait()}")

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def begun_post(port: int, body: bytes, sent: int) -> http.client.HTTPConnection:
    """A POST of which the server has so many bytes of body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", "/api/ai-usage")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    connection.send(body[:sent])
    return connection


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_and_nothing_counted_twice_whenever_it_is_killed(tmp_path: Path) -> None:
    seed = os.environ.get("TALLYBOOK_KILL_SEED") or str(int.from_bytes(os.urandom(4), "big"))
    command = [sys.executable, str(ROOT / "bench" / "kill.py"), "--kills", "12", "--seed", seed]
    done = subprocess.run([*command, "--folder", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost, nothing twice" in done.stdout


def test_a_stop_answers_the_request_that_is_under_way_and_then_ends_with_0(serve: Serve, tmp_path: Path) -> None:
    process, port = serve()
    body = json.dumps([LOG] * 200).encode()
    waiting = begun_post(port, body, 100)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    waiting.send(body[100:])
    answer = waiting.getresponse()
    assert answer.status == 201 and json.loads(answer.read())["accepted"] == 200
    assert process.wait(20) == 0
    assert len(TemporaryLedger(tmp_path / "led").calls()) == 200


def test_a_stop_under_load_loses_nothing_that_was_answered(serve: Serve, tmp_path: Path) -> None:
    process, port = serve()
    acknowledged: list[int] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            while True:
                connection.request(
                    "POST", "/api/ai-usage", json.dumps([LOG] * 20), {"content-type": "application/json"}
                )
                answer = connection.getresponse()
                answer.read()
                if answer.status == 201:
                    acknowledged.append(20)
        except (OSError, http.client.HTTPException):
            connection.close()  # It has stopped.

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    for thread in threads:
        thread.join(20)
    kept = len(TemporaryLedger(tmp_path / "led").calls())
    assert acknowledged and sum(acknowledged) <= kept <= sum(acknowledged) + 4 * 20


def test_a_second_ctrl_c_does_not_wait_for_a_client_that_takes_its_time(serve: Serve) -> None:
    process, port = serve()
    waiting = begun_post(port, b"{}" * 100, 10)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None, "the first one waits"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130 and time.monotonic() - began < 5
    waiting.close()


def test_the_keys_are_nowhere_in_what_the_server_says(serve: Serve, tmp_path: Path) -> None:
    from tests.server.test_app import key

    made = key(tmp_path / "led", "ingest", "docs")
    process, port = serve("--host", "0.0.0.0")
    for header in (f"Bearer {made.text}", "Bearer tb_i_wrong_secret"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/api/ai-usage", b"{", {"authorization": header, "x-api-key": made.text})
        assert connection.getresponse().status in (400, 401)
        connection.close()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=20)[0]
    assert made.text.rsplit("_", 1)[1] not in said and "wrong_secret" not in said


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_it_serves_ipv6_too(serve: Serve) -> None:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 loopback here")
    _, port = serve("--host", "::1")
    connection = http.client.HTTPConnection("::1", port, timeout=20)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_taken_port_is_told_and_the_code_is_not_0(serve: Serve, tmp_path: Path) -> None:
    _, port = serve()
    command = [sys.executable, "-m", "tallybook", "serve", "--port", str(port), "--dir", str(tmp_path / "other")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, -9) and "--port" in done.stderr and "Traceback" not in done.stderr
