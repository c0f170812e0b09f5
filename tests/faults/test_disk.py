"""When the disk refuses: the application goes on, hears of it once, and nothing is lost when it comes back."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

import tallybook
from tallybook.capture import recorder
from tallybook.testing import FaultyDisk, ReplayServer, TemporaryLedger

ASK: list[Any] = [{"role": "user", "content": "How many moons has Mars?"}]


@pytest.fixture
def told(failures: Counter[str]) -> Iterator[Counter[str]]:
    """Failures counted from here on, and told anew; the recorder is forgotten while its disk still stands."""
    yield failures
    tallybook.uninstrument()
    recorder.forget()


@pytest.fixture
def client(server: ReplayServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, count: int = 1) -> list[str]:
    return [client.chat.completions.create(model="gpt-4o", messages=ASK).id for _ in range(count)]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("tallybook")]


def recorded(folder: Path) -> list[str | None]:
    return [call.response_id for call in TemporaryLedger(folder).calls()]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("operation", ["open", "write"])
def test_the_application_goes_on_hears_once_and_loses_nothing_after_recovery(
    operation: Any, error: int, client: openai.OpenAI, told: Counter[str], caplog: Any, tmp_path: Path
) -> None:
    disk = FaultyDisk()
    tallybook.instrument(folder=tmp_path, disk=disk)
    if operation == "write":
        ask(client)
        caplog.clear()
    disk.fail(operation, times=None, error=error)
    with caplog.at_level(logging.WARNING, logger="tallybook"):
        made = ask(client, 5)
        assert len(warnings(caplog)) == 1 and str(tmp_path) in warnings(caplog)[0]
        assert told["disk"] >= 5 and told["record_lost"] == 0
        disk.heal()
        made += ask(client, 2)
    assert recorded(tmp_path)[-7:] == made
    assert len(warnings(caplog)) == 2, "the recovery is told, and nothing else"


def test_each_of_the_first_fifty_disk_operations_may_fail_and_no_call_is_lost(
    client: openai.OpenAI, told: Counter[str], tmp_path: Path
) -> None:
    """Fail the nth operation, for every n, until nothing fails any more."""
    for operation in ("open", "write"):
        for nth in range(1, 51):
            folder = tmp_path / f"{operation}-{nth}"
            disk = FaultyDisk()
            disk.fail(operation, nth=nth)  # type: ignore[arg-type]
            tallybook.instrument(folder=folder, disk=disk)
            made = ask(client, 4)
            tallybook.flush()
            assert sorted(filter(None, recorded(folder))) == sorted(made), (operation, nth)
            if disk.counts[operation] < nth:
                break
        else:
            pytest.fail("more operations than expected")


def test_a_write_that_takes_only_a_part_is_completed(client: openai.OpenAI, told: Counter[str], tmp_path: Path) -> None:
    disk = FaultyDisk()
    disk.cut_writes(100)
    tallybook.instrument(folder=tmp_path, disk=disk)
    made = ask(client, 3)
    assert recorded(tmp_path) == made and told == Counter()


def test_a_disk_that_fills_in_the_middle_of_a_line_leaves_no_part_of_it(
    client: openai.OpenAI, told: Counter[str], tmp_path: Path
) -> None:
    disk = FaultyDisk()
    tallybook.instrument(folder=tmp_path, disk=disk)
    made = ask(client)
    disk.cut_writes(100)
    disk.fail("write", nth=3, times=None)
    made += ask(client, 2)
    assert TemporaryLedger(tmp_path).lines()[0].endswith(b"}") and len(TemporaryLedger(tmp_path).lines()) == 1
    disk.heal()
    made += ask(client)
    assert recorded(tmp_path) == made


def test_memory_for_waiting_records_is_bounded_and_what_is_dropped_is_counted(
    client: openai.OpenAI, told: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallybook.capture.recorder.WAITING_BYTES", 5_000)
    disk = FaultyDisk()
    disk.fail("open", times=None)
    tallybook.instrument(folder=tmp_path, disk=disk)
    made = ask(client, 20)
    disk.heal()
    tallybook.flush()
    kept = recorded(tmp_path)
    assert 0 < len(kept) < 20 and kept == made[-len(kept) :], "the oldest are dropped"
    assert told["record_lost"] == 20 - len(kept)


def test_a_removed_folder_is_made_again(client: openai.OpenAI, told: Counter[str], tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    tallybook.instrument(folder=folder)
    ask(client)
    shutil.rmtree(folder)
    time.sleep(0.02)  # What is written within 10 ms of the removal may go with it: looking each time would cost 1 µs.
    made = ask(client, 2)
    assert recorded(folder) == made


def test_a_folder_that_cannot_be_made_stops_nobody_and_is_used_once_it_can(
    client: openai.OpenAI, told: Counter[str], caplog: Any, tmp_path: Path
) -> None:
    """A file where the folder should be: this refuses root as well, whom permissions do not stop."""
    (tmp_path / "place").write_text("a file")
    tallybook.instrument(folder=tmp_path / "place" / "ledger")
    with caplog.at_level(logging.WARNING, logger="tallybook"):
        made = ask(client, 3)
    assert len(warnings(caplog)) == 1
    (tmp_path / "place").unlink()
    made += ask(client)
    assert recorded(tmp_path / "place" / "ledger") == made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_real_full_disk_is_survived_and_everything_is_there_after_space_returned(
    small_disk: Path, told: Counter[str], client: openai.OpenAI, caplog: Any
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(225_000))
    tallybook.instrument(folder=small_disk / "ledger")
    with caplog.at_level(logging.WARNING, logger="tallybook"):
        made = ask(client, 60)
        assert told["disk"] > 0 and len(warnings(caplog)) == 1
        on_disk = recorded(small_disk / "ledger")
        assert 0 < len(on_disk) < 60 and on_disk == made[: len(on_disk)]
        ballast.unlink()
        made += ask(client)
    assert recorded(small_disk / "ledger") == made


def test_a_real_read_only_disk_stops_nobody(
    small_disk: Path, told: Counter[str], client: openai.OpenAI, caplog: Any
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    tallybook.instrument(folder=small_disk / "ledger")
    with caplog.at_level(logging.WARNING, logger="tallybook"):
        made = ask(client, 3)
        assert len(warnings(caplog)) == 1 and "Read-only" in warnings(caplog)[0]
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        made += ask(client)
    assert recorded(small_disk / "ledger") == made
