"""When the disk is slow, full or broken, or too much comes at once: refused with a remedy, and well again after."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.alert.test_webhook import Service
from tests.server.conftest import Reply, Running, Start
from tests.server.test_usage_post import LOG, calls

from tallybook.alert import notice
from tallybook.alert.webhook import Webhook
from tallybook.ingest.intake import Intake
from tallybook.journal.writer import RealDisk
from tallybook.server.alarm import Alarm
from tallybook.server.context import Context
from tallybook.server.room import Room
from tallybook.server.tally import listener
from tallybook.testing import FaultyDisk


class SlowDisk(RealDisk):
    """A disk that holds every fsync until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def fsync(self, descriptor: int) -> None:  # type: ignore[override]
        self.go.wait(30)
        os.fsync(descriptor)


def with_intake(disk: Any, bytes_max: int = 64_000_000) -> Callable[[Context], None]:
    def prepare(context: Context) -> None:
        assert context.intake.close()
        context.intake = Intake(context.settings, disk=disk, bytes_max=bytes_max)

    return prepare


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"it did not come about in {seconds} seconds"
        time.sleep(0.01)


@pytest.fixture
def alarmed() -> Iterator[Callable[..., Alarm]]:
    """Starts the watch over a server, hasty; it is ended with the test."""
    running: list[Alarm] = []

    def begin(server: Running, **named: Any) -> Alarm:
        alarm = Alarm(server.context, "http://here", tick_s=0.02, look_s=0.05, **named)
        alarm.start()
        running.append(alarm)
        return alarm

    yield begin
    for alarm in running:
        alarm.stop()


def test_a_disk_that_does_not_keep_up_refuses_some_and_loses_none_that_it_took(start: Start) -> None:
    disk = SlowDisk()
    server = start(prepare=with_intake(disk, 200_000))
    body = json.dumps([LOG] * 50).encode()
    with ThreadPoolExecutor(24) as pool:
        asked = [
            pool.submit(server.ask, "POST", "/api/ai-usage", body, {"content-type": "application/json"})
            for _ in range(24)
        ]
        until(lambda: server.context.intake.counters["refused"] > 0)
        assert server.context.intake.waiting_bytes <= 200_000
        assert server.get("/healthz").status == 200, "who only looks does not wait for the disk"
        disk.go.set()
        replies = [one.result() for one in asked]
    taken = [reply for reply in replies if reply.status == 201]
    refused = [reply for reply in replies if reply.status == 503]
    assert taken and refused and len(taken) + len(refused) == 24
    assert all(reply.headers["retry-after"] == "1" and reply.json()["error"]["hint"] for reply in refused)
    assert len(calls(server)) == 50 * len(taken)
    assert server.post("/api/ai-usage", LOG).status == 201


def test_bodies_under_way_share_a_bounded_room(start: Start) -> None:
    disk = SlowDisk()

    def prepare(context: Context) -> None:
        with_intake(disk)(context)
        context.room = Room(1_000_000)

    server = start(prepare=prepare)
    large = json.dumps([{**LOG, "note": "x" * 400_000}]).encode()

    def send() -> Reply:
        return server.ask("POST", "/api/ai-usage", large, {"content-type": "application/json"})

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(send) for _ in range(6)]
        until(lambda: any(one.done() for one in asked), 30)
        assert server.context.room.held_bytes <= 1_000_000
        disk.go.set()
        statuses = sorted(one.result().status for one in asked)
    assert statuses[0] == 201 and statuses[-1] == 503
    assert server.context.room.held_bytes == 0
    assert send().status == 201


@pytest.mark.parametrize("operation", ["open", "write", "fsync"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_is_told_and_the_server_goes_on(start: Start, operation: Any, error: int) -> None:
    disk = FaultyDisk()
    server = start(prepare=with_intake(disk))
    disk.fail(operation, times=None, error=error)
    reply = server.post("/api/ai-usage", LOG)
    assert reply.status == 503 and reply.headers["retry-after"]
    assert os.strerror(error) in reply.json()["error"]["message"] and reply.json()["error"]["hint"]
    health = server.get("/healthz").json()
    assert health["ok"] is False and health["alerts"][0]["code"] == "disk" and health["alerts"][0]["hint"]
    disk.heal()
    assert server.post("/api/ai-usage", LOG).status == 201
    assert len(calls(server)) in ((1, 2) if operation == "fsync" else (1,))


def test_an_episode_reaches_log_doctor_and_webhook_at_its_begin_and_its_end(
    start: Start, alarmed: Callable[..., Alarm], caplog: Any
) -> None:
    service = Service()
    disk = FaultyDisk()
    server = start(prepare=with_intake(disk))
    folder = server.context.settings.folder
    blocker = folder / ".probe"
    blocker.mkdir()  # The watch cannot write its probe: the disk is not well yet.
    alarmed(server, webhook=Webhook(service.url, str(folder)))
    disk.fail("write", times=None)
    with caplog.at_level("DEBUG"):
        for _ in range(5):
            assert server.post("/api/ai-usage", LOG).status == 503
        until(lambda: len(service.got) == 1)
        until(lambda: [one.code for one in (notice.read(folder) or notice.Notice(pid=0, url="", written_us=0)).alerts]
              == ["disk"])  # fmt: skip
        time.sleep(0.2)
        assert server.get("/healthz").json()["ok"] is False, "without a request it is still tried"
        disk.heal()
        blocker.rmdir()
        until(lambda: len(service.got) == 2)
        until(lambda: not (notice.read(folder) or notice.Notice(pid=0, url="", written_us=0)).alerts)
    assert [one["event"] for one in service.got] == ["alert", "recovery"]
    assert service.got[1]["alert"]["count"] == 5
    assert server.get("/healthz").json()["ok"] is True
    said = [record for record in caplog.records if record.name.startswith("tallybook") and record.levelname != "DEBUG"]
    assert len(said) == 2, "once each, however often it happened"
    service.server.shutdown()
    service.server.server_close()


def test_a_sender_that_is_refused_over_and_over_is_named_without_its_key(start: Start, tmp_path: Path) -> None:
    from tests.server.test_app import key

    made = key(tmp_path / "ledger", "ingest", "docs")
    server = start(is_open=False)
    alarm = Alarm(server.context)
    headers = {"authorization": f"Bearer {made.text}", "user-agent": "broken-app/1.2 python"}
    for _ in range(25):
        assert server.ask("POST", "/api/ai-usage", {**LOG, "model": ""}, headers).status == 400
    del alarm
    (told,) = server.context.alerts.under_way("sender")
    assert "broken-app/1.2" in told.subject and made.key.key_id in told.subject and "required" in told.subject
    assert made.text not in str(told)
    public = server.get("/healthz").body.decode()
    assert "broken-app" not in public and made.key.key_id not in public, "strangers learn nothing of senders"


def hear(server) -> None:
    """Let the figures hear of the server's calls, as following does."""
    found = calls(server)
    listener(server.context)(found, [server.context.prices.cost(call) for call in found])


def test_many_refusals_for_one_reason_and_records_from_the_future_are_noticed(start: Start) -> None:

    server = start()
    Alarm(server.context)
    server.post("/api/ai-usage", [{**LOG, "input_tokens": -1}] * 150)
    assert server.context.alerts.under_way("refused")[0].count == 150
    server.post("/api/ai-usage", {**LOG, "created_at": time.time() + 3600})
    hear(server)
    (told,) = server.context.alerts.under_way("clock")
    assert "minutes ahead" in told.message


def test_calls_tokens_and_cost_are_counted_by_project_and_model(start: Start) -> None:

    server = start(any_project=True)
    server.post("/api/ai-usage", [{**LOG, "project_id": "docs"}] * 3 + [{**LOG, "model": "nobody-knows", "error": "x"}])
    hear(server)
    text = server.get("/metrics").body.decode()
    of = f'project="docs",provider="openai",model="{LOG["model"]}"'
    operation = calls(server)[0].operation
    assert f'tallybook_calls_total{{{of},operation="{operation}",status="ok"}} 3' in text
    assert f'tallybook_tokens_total{{{of},type="input"}} {3 * LOG["input_tokens"]}' in text
    assert f"tallybook_cost_usd_total{{{of}}}" in text and 'model="nobody-knows"} 1' in text


def test_a_small_disk_that_fills_up_is_told_and_used_again_once_there_is_room(
    start: Start, alarmed: Callable[..., Alarm], tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        server = start(small / "ledger")
        alarmed(server)
        assert server.post("/api/ai-usage", LOG).status == 201
        with (small / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        taken = 1
        for _ in range(50):
            reply = server.post("/api/ai-usage", [LOG] * 5)
            assert reply.status in (201, 503), reply.body
            taken += 5 * (reply.status == 201)
        assert reply.status == 503
        until(lambda: {one["code"] for one in server.get("/healthz").json()["alerts"]} >= {"disk", "no_space"})
        (small / "filler").unlink()
        until(lambda: not server.context.alerts.under_way("disk"))
        assert server.post("/api/ai-usage", LOG).status == 201
        assert len(calls(server)) == taken + 1
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_folder_that_is_gone_is_made_again_and_one_that_cannot_be_is_told(start: Start, tmp_path: Path) -> None:
    server = start()
    folder = server.context.settings.folder
    assert server.post("/api/ai-usage", LOG).status == 201
    time.sleep(0.02)  # What is written within 10 ms of the removal may go with it: looking each time would cost 1 µs.
    shutil.rmtree(folder)
    folder.write_text("a file where the folder was")
    reply = server.post("/api/ai-usage", LOG)
    assert reply.status == 503 and str(folder) in reply.json()["error"]["message"]
    folder.unlink()
    assert server.post("/api/ai-usage", LOG).status == 201


def test_one_who_waits_and_fails_does_not_stop_the_writing_for_others(start: Start, caplog: Any) -> None:
    from tallybook.ingest.intake import Lines

    server = start()

    def fails(error: BaseException | None) -> None:
        raise ValueError("it fails by itself")

    server.context.intake.submit_lines(Lines({}, 0), fails)
    assert server.post("/api/ai-usage", LOG).status == 201
    assert server.context.intake.counters["listeners"] == 1 and "it fails by itself" in caplog.text
