"""The process's pen: each record one whole line in the kernel, whatever the disk, the settings or the threads do."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tallybook.capture import control, recorder
from tallybook.capture.recorder import WAITING_BYTES, Recorder
from tallybook.config import Settings
from tallybook.model import codec
from tallybook.model.call import Call, Step, ToolCall
from tallybook.model.codec import line_of
from tallybook.model.ids import is_uuid7, unix_ms_of
from tallybook.model.limits import FIELD_CHARS, RECORD_BYTES
from tallybook.testing import FaultyDisk, TemporaryLedger

NOW = 1_795_348_800_000_000


def call(number: int, **fields: Any) -> Call:
    return Call(call_id=f"call-{number}", started_at_us=NOW + number, **fields)


def written(folder: Path) -> list[str]:
    return [codec.decode(line).call_id for line in TemporaryLedger(folder).lines()]


def pen(folder: Path, disk: FaultyDisk | None = None, **settings: Any) -> Recorder:
    return Recorder(Settings(folder=folder, **settings), disk=disk)


def test_a_record_is_on_the_disk_when_its_method_returns(ledger: TemporaryLedger) -> None:
    recorder.get().call(call(1))
    assert [found.call_id for found in ledger.calls()] == ["call-1"]


def test_ids_are_of_their_moment_and_all_different(ledger: TemporaryLedger) -> None:
    ids = {recorder.get().new_id(NOW) for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(is_uuid7(one) and unix_ms_of(one) == NOW // 1_000 for one in ids)


@pytest.mark.parametrize("what", ["write", "open"])
@pytest.mark.parametrize("times", [1, 3, None])
def test_wherever_the_disk_fails_no_record_is_lost_and_the_order_is_kept(
    tmp_path: Path, failures: Counter[str], caplog: pytest.LogCaptureFixture, what: Any, times: int | None
) -> None:
    nth = 1
    while True:
        folder = tmp_path / str(nth)
        disk = FaultyDisk()
        mine = pen(folder, disk)
        disk.fail(what, nth=nth, times=times)
        caplog.clear()
        failures.clear()
        for number in range(8):
            mine.call(call(number))
        has_failed = bool(failures)
        disk.heal()
        mine.call(call(8))
        assert written(folder) == [f"call-{number}" for number in range(9)]
        assert mine.drain() == 0
        if not has_failed:
            break
        assert set(failures) <= {"disk", "failure_unnoted"}
        assert len([text for text in caplog.messages if "records wait in memory" in text]) == 1
        assert caplog.messages[-1] == f"tallybook: writing to {folder} works again"
        nth += 1
    assert nth == (9 if what == "write" else 2)


def test_a_second_outage_is_told_as_the_first_was(
    tmp_path: Path, failures: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    disk = FaultyDisk()
    mine = pen(tmp_path, disk)
    for _ in range(2):
        disk.fail("write", times=None)
        mine.call(call(1))
        disk.heal()
        assert mine.drain() == 0
    assert ["records wait" in text for text in caplog.messages] == [True, False, True, False]
    assert failures["disk"] == 2


def test_what_waits_is_bounded_the_oldest_go_first_and_each_is_counted(
    tmp_path: Path, failures: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    disk = FaultyDisk()
    mine = pen(tmp_path, disk)
    disk.fail("write", times=None)
    big = "x" * 100_000
    for number in range(60):
        mine.call(call(number, usage_raw={"fill": big}))
    assert failures["record_lost"] > 0
    assert len([text for text in caplog.messages if "record_lost" in text]) == 1
    disk.heal()
    mine.call(call(60))
    kept = written(tmp_path)
    lost = failures["record_lost"]
    assert kept == [f"call-{number}" for number in range(lost, 61)]
    assert (len(kept) - 2) * 100_000 < WAITING_BYTES < (len(kept) + 2) * 101_000


def test_a_large_body_does_not_drive_out_records_that_wait(tmp_path: Path, failures: Counter[str]) -> None:
    disk = FaultyDisk()
    mine = pen(tmp_path, disk)
    disk.fail("write", times=None)
    for number in range(5):
        mine.call(call(number))
    mine.bodies.response("call-1", "2026-11-22T12:00:00Z", "word " * 1_000_000)
    disk.heal()
    mine.call(call(5))
    assert written(tmp_path) == [f"call-{number}" for number in range(6)]
    assert failures["body_lost"] == 1
    assert "record_lost" not in failures


def test_flush_writes_what_waits_and_makes_every_kind_durable(tmp_path: Path, failures: Counter[str]) -> None:
    disk = FaultyDisk()
    mine = pen(tmp_path, disk)
    mine.step(Step(step_id="s", started_at_us=NOW))
    disk.fail("write")
    mine.call(call(1))
    assert written(tmp_path) == []
    mine.flush()
    assert written(tmp_path) == ["call-1"]
    assert disk.counts["fsync"] == 2 * 3, "each kind, and the two folders that hold its name"


def test_a_flush_that_fails_is_told_and_not_raised(tmp_path: Path, failures: Counter[str]) -> None:
    disk = FaultyDisk()
    mine = pen(tmp_path, disk)
    mine.call(call(1))
    disk.fail("fsync", error=errno.EIO)
    mine.flush()
    assert failures == {"fsync": 1}


def test_with_fsync_always_a_failing_one_neither_loses_nor_doubles_the_record(
    tmp_path: Path, failures: Counter[str]
) -> None:
    disk = FaultyDisk()
    mine = pen(tmp_path, disk, fsync="always")
    mine.call(call(1))
    disk.fail("fsync", error=errno.EIO)
    mine.call(call(2))
    mine.call(call(3))
    assert written(tmp_path) == ["call-1", "call-2", "call-3"]


def test_a_record_too_large_for_a_line_is_cut_and_says_so(tmp_path: Path) -> None:
    mine = pen(tmp_path)
    mine.call(
        call(
            1,
            model="m" * 300_000,
            usage_raw={"fill": "x" * RECORD_BYTES},
            metadata={"key": "kept away"},
            tags=tuple(f"{number} {'t' * 900}" for number in range(900)),
            tool_calls=tuple(ToolCall(name="search", arguments="a" * 5_000) for _ in range(300)),
            user_id="u-1",
        )
    )
    (line,) = TemporaryLedger(tmp_path).lines()
    assert len(line) < RECORD_BYTES
    found = codec.decode(line)
    assert found.flags == ("record_cut",)
    assert (found.call_id, found.user_id, found.usage_raw, found.metadata) == ("call-1", "u-1", None, {})
    assert found.model == "m" * FIELD_CHARS
    assert len(found.tool_calls) == 100 and found.tool_calls[0] == ToolCall(name="search")


def test_halves_of_characters_cost_no_record(tmp_path: Path) -> None:
    mine = pen(tmp_path)
    mine.call(
        call(1, project="torn \ud83d", tags=("\udc80",), metadata={"\ud800": ["\ud800", 1]}, usage_raw={"a": "\ud800"})
    )
    mine.step(Step(step_id="s", started_at_us=NOW, name="torn \ud83d"))
    (found,) = TemporaryLedger(tmp_path).calls()
    assert (found.project, found.tags, found.metadata) == ("torn ?", ("?",), {"?": ["?", 1]})
    (step,) = TemporaryLedger(tmp_path).steps()
    assert step.name == "torn ?"


def test_threads_write_whole_lines_and_all_of_them(tmp_path: Path) -> None:
    mine = pen(tmp_path)

    def work(name: int) -> None:
        for number in range(200):
            mine.call(call(number, user_id=f"u-{name}", metadata={"fill": "x" * (number % 50)}))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = TemporaryLedger(tmp_path).calls()
    assert len(found) == 6_400
    assert {(one.user_id, one.call_id) for one in found} == {
        (f"u-{name}", f"call-{number}") for name in range(32) for number in range(200)
    }


def test_threads_lose_nothing_while_the_disk_comes_and_goes(tmp_path: Path, failures: Counter[str]) -> None:
    disk = FaultyDisk()
    mine = pen(tmp_path, disk)

    def work(name: int) -> None:
        for number in range(50):
            if number % 10 == name:
                disk.fail("write", nth=2, times=3)
            mine.call(call(number, user_id=f"u-{name}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    disk.heal()
    mine.drain()
    found = [(one.user_id, one.call_id) for one in TemporaryLedger(tmp_path).calls()]
    assert len(found) == len(set(found)) == 400


def test_a_forked_child_records_in_its_own_segment_with_its_own_ids(ledger: TemporaryLedger) -> None:
    mine = recorder.get()
    mine.call(call(1))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writing, mine.new_id(NOW).encode())
            recorder.get().call(call(2))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    told = os.read(reading, 100).decode()
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0
    mine.call(call(3))
    assert told != mine.new_id(NOW)
    assert sorted(found.call_id for found in ledger.calls()) == ["call-1", "call-2", "call-3"]


def test_what_the_parent_still_has_to_write_is_not_written_by_the_child(tmp_path: Path, failures: Counter[str]) -> None:
    disk = FaultyDisk()
    recorder.forget()
    mine = recorder.configure(folder=tmp_path, disk=disk)
    disk.fail("write", times=None)
    mine.call(call(1))
    disk.heal()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            mine.call(call(2))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert written(tmp_path) == ["call-2"]
    mine.drain()
    assert sorted(written(tmp_path)) == ["call-1", "call-2"]
    recorder.forget()


def test_settings_that_cannot_be_read_are_told_once_and_leave_the_others_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TALLYBOOK_DIR", str(tmp_path))
    monkeypatch.setenv("TALLYBOOK_RETENTION_DAYS", "week")
    monkeypatch.setenv("TALLYBOOK_REDACT_PATTERNS", "(")
    monkeypatch.setenv("TALLYBOOK_PROMPTS", "full")
    recorder.forget()
    mine = recorder.get()
    assert mine.settings == Settings(folder=tmp_path)
    mine.call(call(1))
    assert written(tmp_path) == ["call-1"]
    assert failures == {"settings": 1}
    (told,) = caplog.messages
    assert "TALLYBOOK_RETENTION_DAYS='week'" in told and "TALLYBOOK_REDACT_PATTERNS" in told
    recorder.forget()


def test_one_wrong_setting_does_not_turn_on_what_was_turned_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: Counter[str]
) -> None:
    monkeypatch.setenv("TALLYBOOK_ENABLED", "false")
    monkeypatch.setenv("TALLYBOOK_RETENTION_DAYS", "week")
    monkeypatch.setenv("TALLYBOOK_DIR", str(tmp_path))
    recorder.forget()
    assert recorder.get().settings.enabled is False
    recorder.forget()
    assert list(tmp_path.iterdir()) == []


def test_what_was_given_in_code_holds_until_it_is_given_differently(ledger: TemporaryLedger) -> None:
    control.configure(prompts="preview", project="shop")
    settings = control.configure(project="docs")
    assert (settings.folder, settings.prompts, settings.project) == (ledger.folder, "preview", "docs")
    assert control.configure(enabled=False).enabled is False
    assert control.configure(project="shop").enabled is False
    recorder.forget()
    assert recorder.configure(folder=ledger.folder).settings == Settings(folder=ledger.folder)


def test_a_failure_leaves_a_trace_for_the_doctor_in_the_folder_in_force(
    ledger: TemporaryLedger, failures: Counter[str], tmp_path: Path
) -> None:
    recorder.get().call(call(1))
    recorder.configure(folder=tmp_path / "second").call(call(2))
    for _ in range(2):
        recorder.guard.failed("reading", ValueError("of jane@example.com"))
    assert not (ledger.folder / "failures.jsonl").exists()
    (line,) = (tmp_path / "second" / "failures.jsonl").read_text().splitlines()
    note = json.loads(line)
    assert (note["reason"], note["pid"]) == ("reading", os.getpid())
    assert note["message"] == "ValueError: of [redacted:email]"


def test_records_are_told_as_lost_when_the_process_ends_while_the_disk_refuses(
    ledger: TemporaryLedger, failures: Counter[str]
) -> None:
    disk = FaultyDisk()
    mine = recorder.configure(disk=disk)
    disk.fail("write", times=None)
    mine.call(call(1))
    recorder._at_exit()
    assert failures["record_lost"] == 1
    disk.heal()
    recorder._at_exit()
    assert [found.call_id for found in ledger.calls()] == ["call-1"]


def test_threads_that_record_first_at_the_same_moment_get_one_recorder(ledger: TemporaryLedger) -> None:
    given = ledger.folder
    recorder.forget()
    os.environ["TALLYBOOK_DIR"] = str(given)
    start = threading.Barrier(8)
    found: list[Recorder] = []

    def work() -> None:
        start.wait()
        found.append(recorder.get())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_a_line_is_written_as_it_was_given(ledger: TemporaryLedger) -> None:
    line = line_of(call(1, provider="openai"))
    recorder.get().line(line)
    assert ledger.lines() == [codec.encode_line(line).rstrip()]
