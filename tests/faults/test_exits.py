"""However a program ends: what had returned to it is in the ledger, and no line is damaged."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tallybook.journal import layout
from tallybook.model import codec
from tallybook.testing import TemporaryLedger

Start = Callable[..., "subprocess.Popen[str]"]


def recorded(folder: Path) -> list[str | None]:
    """Response ids in the journal; every line must be whole, except a torn tail of a killed writer."""
    return [call.response_id for call in TemporaryLedger(folder).calls()]


@pytest.mark.parametrize(
    ("how", "status"),
    [("end", 0), ("exit", 3), ("exception", 1), ("sigterm", -15), ("sigint", -2), ("os-exit", 0), ("daemon", 0)],
)
def test_no_way_of_ending_loses_a_call_that_had_returned(how: str, status: int, start: Start, tmp_path: Path) -> None:
    program = start(how, tmp_path)
    said, complained = program.communicate(timeout=60)
    assert program.returncode == status, complained
    assert len(said.split()) >= 2
    missing = set(said.split()) - set(recorded(tmp_path))
    assert not missing
    assert "tallybook" not in complained.replace(str(Path(__file__).parents[2]), "")


@pytest.mark.parametrize("how", ["open-stream", "stream-in-thread"])
def test_a_stream_open_at_exit_is_recorded_as_incomplete(how: str, start: Start, tmp_path: Path) -> None:
    program = start(how, tmp_path)
    program.communicate(timeout=60)
    calls = TemporaryLedger(tmp_path).calls()
    assert [call.status for call in calls] == ["ok", "ok", "incomplete"]
    assert calls[-1].usage.output_tokens and "usage_estimated" in calls[-1].flags


def test_a_stream_open_when_the_event_loop_ends_is_recorded(start: Start, tmp_path: Path) -> None:
    program = start("asyncio", tmp_path)
    said, _ = program.communicate(timeout=60)
    calls = TemporaryLedger(tmp_path).calls()
    assert set(said.split()) <= {call.response_id for call in calls}
    assert [call.status for call in calls][:3] == ["ok"] * 3
    assert len(calls) == 4 and calls[3].status in ("incomplete", "cancelled")


def test_parent_and_children_of_a_fork_record_what_is_theirs_once(start: Start, tmp_path: Path) -> None:
    program = start("fork", tmp_path)
    said, complained = program.communicate(timeout=90)
    assert program.returncode == 0, complained
    ids = recorded(tmp_path)
    assert len(said.split()) >= 8 and sorted(said.split()) == sorted(str(found) for found in ids)
    assert len(layout.segments(tmp_path)) >= 2, "a child must not write its parent's segment"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_record_their_calls(method: str, start: Start, tmp_path: Path) -> None:
    program = start(f"mp-{method}", tmp_path)
    said, complained = program.communicate(timeout=120)
    assert program.returncode == 0, complained
    assert len(said.split()) == 5
    assert sorted(said.split()) == sorted(str(found) for found in recorded(tmp_path))


def test_eight_processes_in_one_folder_lose_and_repeat_nothing(start: Start, tmp_path: Path) -> None:
    program = start("crowd", tmp_path)
    said, complained = program.communicate(timeout=120)
    assert program.returncode == 0, complained
    assert len(said.split()) == 8 * 40
    assert sorted(said.split()) == sorted(str(found) for found in recorded(tmp_path))
    assert 2 <= len(layout.segments(tmp_path)) <= 9


def test_kill_9_at_any_instant_loses_no_call_that_had_returned(start: Start, tmp_path: Path) -> None:
    """Four threads call without pause; the kill comes at a random moment after the first calls."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    total = 0
    for _ in range(8):
        program = start("forever", tmp_path)
        assert program.stdout is not None
        first = [program.stdout.readline().strip() for _ in range(5)]
        time.sleep(chance.uniform(0, 0.25))
        program.kill()
        said, _ = program.communicate(timeout=30)
        told = {*first, *said.split()}
        total += len(told)
        lines = TemporaryLedger(tmp_path).lines()
        whole = {codec.decode(line).response_id for line in lines if line.endswith(b"}")}
        assert told <= whole, f"lost {told - whole} (seed {seed})"
        damaged = [line for line in lines if not line.endswith(b"}")]
        assert len(damaged) <= 4, f"only tails of killed writers may be torn (seed {seed})"
    assert total >= 40
