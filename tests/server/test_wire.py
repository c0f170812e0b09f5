"""What a client may make the server wait for and hold: slow, long, broken and too many ones are answered and let go."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_usage_post import LOG, calls

from tallybook.model.limits import HEAD_BYTES
from tallybook.server.body import DISCARD_BYTES
from tallybook.server.wire import Wire

BODY = json.dumps(LOG).encode()


class Hasty(Wire):
    """The same with little patience."""

    connections_max = 8
    head_s = 0.3
    body_idle_s = 0.3
    body_s = 1.0
    read_idle_s = 0.3


@pytest.fixture
def hasty(start: Start) -> Running:
    return start(wire=Hasty)


def dial(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def head(length: int | str, *more: str) -> bytes:
    lines = ["POST /api/ai-usage HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    if length != "":
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, *more, "", ""]).encode()


def rest(one: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    got = b""
    while True:
        try:
            part = one.recv(65_536)
        except ConnectionResetError:
            return got
        if not part:
            return got
        got += part


def told(got: bytes) -> tuple[int, dict[str, Any]]:
    """Status and problem of an answer."""
    first, _, body = got.partition(b"\r\n\r\n")
    return int(first.split(b" ", 2)[1]), json.loads(body)["error"]


def still_well(server: Running) -> None:
    assert server.post("/api/ai-usage", LOG).status == 201


@pytest.mark.parametrize("sent", [b"", b"POST", b"POST /api/ai-usage HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_client_that_never_finishes_its_head_is_let_go(hasty: Running, sent: bytes) -> None:
    with closing(dial(hasty)) as one:
        one.sendall(sent)
        assert told(rest(one))[0] == 408
    still_well(hasty)


def test_a_head_that_trickles_is_not_kept_alive_by_each_byte(hasty: Running) -> None:
    began = time.monotonic()
    with closing(dial(hasty)) as one:
        one.settimeout(0.05)
        got = b""
        for byte in b"POST /api/ai-usage HTTP/1.1\r\nX-Long: " + b"x" * 200:
            try:
                one.sendall(bytes([byte]))
                got += one.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                break
            if got:
                break
    assert time.monotonic() - began < 5
    still_well(hasty)


def test_a_body_that_pauses_or_trickles_is_let_go(hasty: Running) -> None:
    with closing(dial(hasty)) as one:
        one.sendall(head(len(BODY)) + BODY[:20])
        assert told(rest(one)) == (408, pytest.approx({**told_slow()}))
    with closing(dial(hasty)) as one:
        one.sendall(head(1_000_000))
        began = time.monotonic()
        try:
            while time.monotonic() - began < 8:
                one.sendall(b" ")
                time.sleep(0.1)
        except OSError:
            pass  # It was let go.
        assert time.monotonic() - began < 5
    still_well(hasty)


def told_slow() -> dict[str, Any]:
    from tallybook.server import wire

    return {"code": "too_slow", "message": str(wire._SLOW_BODY), "hint": wire._SLOW_BODY.hint, "field": None}


def test_a_client_that_takes_its_time_between_requests_is_kept(hasty: Running) -> None:
    with closing(dial(hasty)) as one:
        for _ in range(2):
            one.sendall(head(len(BODY)) + BODY)
            got = b""
            while not got.endswith(b"}"):
                got += one.recv(65_536)
            assert got.startswith(b"HTTP/1.1 201")
            time.sleep(0.8)


def test_a_client_that_does_not_read_its_answers_is_let_go(hasty: Running) -> None:
    with closing(dial(hasty)) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(10)
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        began = time.monotonic()
        try:
            while time.monotonic() - began < 9:
                one.sendall(asked * 20)
                time.sleep(0.05)
        except OSError:
            pass  # It was let go.
        assert time.monotonic() - began < 9
    still_well(hasty)


def test_one_connection_too_many_is_told_to_come_back(hasty: Running) -> None:
    many = [dial(hasty) for _ in range(Hasty.connections_max)]
    try:
        with closing(dial(hasty)) as one:
            one.sendall(head(len(BODY)) + BODY)
            got = rest(one)
        assert told(got)[0] == 503 and b"retry-after: 1" in got.lower()
    finally:
        for each in many:
            each.close()
    end = time.monotonic() + 5
    while hasty.post("/api/ai-usage", LOG).status != 201:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /api/ai-usage HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nHost : a\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\r\nX\x00Y: a\r\n\r\n",
        b"POST /api/ai-usage HTTP/1.1\nHost: a\n\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_gets_a_clear_400_and_the_connection_ends(server: Running, sent: bytes) -> None:
    with closing(dial(server)) as one:
        one.sendall(sent)
        status, problem = told(rest(one))
    assert status == 400 and problem["code"] in ("bad_http", "invalid", "cut_off")
    still_well(server)
    assert len(calls(server)) == 1, "nothing of it was taken for a request"


def test_a_second_request_hidden_in_a_body_is_none(server: Running) -> None:
    hidden = head(len(BODY)) + BODY
    with closing(dial(server)) as one:
        one.sendall(head(len(hidden), "Connection: close") + hidden)
        assert told(rest(one))[0] == 400
    assert calls(server) == []


def test_too_long_a_head_is_refused_whether_it_is_the_address_or_the_headers(server: Running) -> None:
    for sent in (
        b"GET /" + b"a" * (8 * HEAD_BYTES),
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(600)),
    ):
        with closing(dial(server)) as one:
            try:
                one.sendall(sent)
            except ConnectionError:
                pass  # It was answered and let go in the middle.
            got = rest(one)
        assert not got or told(got)[0] == 431
    assert server.get("/" + "a" * 20_000).status == 404
    still_well(server)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_a_hundred_megabytes_is_told_its_limit_and_not_kept(server: Running, chunked: bool) -> None:
    size = 100_000_000
    assert size < DISCARD_BYTES
    part = b" " * 1_000_000
    with closing(dial(server)) as one:
        one.settimeout(60)
        one.sendall(head("", "Transfer-Encoding: chunked") if chunked else head(size))
        for _ in range(size // len(part)):
            one.sendall(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            one.sendall(b"0\r\n\r\n")
        status, problem = told(rest(one))
    assert status == 413 and "20,971,520" in problem["message"]
    assert server.context.room.held_bytes == 0
    still_well(server)


def test_who_asks_before_sending_too_much_is_spared_it(server: Running) -> None:
    with closing(dial(server)) as one:
        one.sendall(head(100_000_000, "Expect: 100-continue"))
        got = rest(one)
    assert told(got)[0] == 413 and b"100 Continue" not in got


def test_an_upgrade_that_is_not_offered_is_answered_as_a_plain_request(server: Running) -> None:
    """Java's own client asks for HTTP/2 with every first request."""
    with closing(dial(server)) as one:
        one.sendall(head(len(BODY), "Connection: Upgrade, close", "Upgrade: h2c", "HTTP2-Settings: x") + BODY)
        assert rest(one).startswith(b"HTTP/1.1 201")
    assert len(calls(server)) == 1


def test_requests_sent_without_waiting_are_answered_in_order(server: Running) -> None:
    asked = [head(len(BODY)) + BODY, b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"] * 3
    asked[-1] = asked[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with closing(dial(server)) as one:
        one.sendall(b"".join(asked))
        got = rest(one)
    assert [int(part[:3]) for part in got.split(b"HTTP/1.1 ")[1:]] == [201, 200] * 3


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PATCH", "DELETE"])
def test_every_other_method_is_answered(server: Running, method: str) -> None:
    for path in ("/healthz", "/api/ai-usage", "/nowhere"):
        with closing(dial(server)) as one:
            one.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            status = int(rest(one).split(b" ", 2)[1])
        assert 200 <= status < 500
    still_well(server)
