"""Alerts reach the webhook in order, are tried again, are bounded, and tell no secret."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tallybook.alert import webhook
from tallybook.alert.episode import Alert, Episodes
from tallybook.alert.webhook import Webhook
from tallybook.model.limits import ALERT_ATTEMPTS, ALERT_WAITING

S = 1_000_000


class Service:
    """A webhook's other end: answers with the next of `statuses`, then with 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.delay_s = 0.0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                time.sleep(service.delay_s)
                status = service.statuses.pop(0) if service.statuses else 200
                service.paths.append(self.path)
                if status == 200:
                    service.got.append(body)
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/s3cret?token=t0ken"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(webhook, "PAUSE_S", 0.01)
    running = Service()
    yield running
    running.server.shutdown()
    running.server.server_close()


def alert(number: int = 0) -> Alert:
    episodes = Episodes()
    episodes.note("disk", f"number {number}", S)
    return episodes.under_way()[0]


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end, "it did not come about in ten seconds"
        time.sleep(0.005)


def test_alerts_arrive_in_order_with_all_that_a_reader_needs(service: Service) -> None:
    hook = Webhook(service.url, "/srv/ledger")
    for number in range(5):
        hook.send(alert(number))
    until(lambda: len(service.got) == 5)
    hook.close()
    assert [one["alert"]["message"] for one in service.got] == [f"number {number}" for number in range(5)]
    first = service.got[0]
    assert first["event"] == "alert" and first["folder"] == "/srv/ledger" and first["host"]
    assert "number 0" in first["text"] and first["alert"]["hint"] in first["text"]
    assert set(service.paths) == {"/hook/s3cret?token=t0ken"}


def test_a_service_that_is_down_for_a_while_is_tried_again(service: Service) -> None:
    service.statuses = [503, 500, 429]
    hook = Webhook(service.url, "/srv")
    hook.send(alert())
    until(lambda: hook.sent == 1)
    assert len(service.got) == 1 and hook.dropped == 0
    hook.close()


def test_one_that_never_takes_it_is_given_up_and_that_is_told_without_secrets(service: Service) -> None:
    told: list[str] = []
    service.statuses = [500] * ALERT_ATTEMPTS
    hook = Webhook(service.url, "/srv", told.append)
    hook.send(alert())
    until(lambda: hook.dropped == 1)
    hook.close()
    assert len(told) == 1 and "500" in told[0] and "s3cret" not in told[0] and "t0ken" not in told[0]


@pytest.mark.parametrize("status", [400, 404, 302])
def test_a_refusal_that_will_not_change_is_not_repeated_and_no_redirect_followed(service: Service, status: int) -> None:
    service.statuses = [status] * 10
    hook = Webhook(service.url, "/srv")
    hook.send(alert())
    until(lambda: hook.dropped == 1)
    hook.close()
    assert len(service.paths) == 1


def test_nobody_there_is_told_and_sending_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSE_S", 0.001)
    told: list[str] = []
    hook = Webhook("http://127.0.0.1:1/x", "/srv", told.append)
    began = time.monotonic()
    hook.send(alert())
    assert time.monotonic() - began < 0.5
    until(lambda: bool(told))
    hook.close()


def test_what_waits_is_bounded_and_a_stop_waits_for_no_slow_service(service: Service) -> None:
    service.delay_s = 30.0
    hook = Webhook(service.url, "/srv")
    for number in range(ALERT_WAITING + 10):
        hook.send(alert(number))
    assert 9 <= hook.dropped <= 10
    began = time.monotonic()
    hook.close()
    assert time.monotonic() - began < 10
    hook.send(alert())
