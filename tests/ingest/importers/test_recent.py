"""The last days of an agent, read once and then only what is new."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tallybook.ingest.importers import recent as module
from tallybook.ingest.importers.claude_code import ClaudeCode
from tallybook.ingest.importers.recent import NAME, Used, recent, window
from tallybook.prices.book import PriceBook

from .lines import answer, data, usage

NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
HOUR = 3_600_000_000


def at(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


def write(path: Path, content: bytes, hours: float = 0.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (NOW.timestamp() - hours * 3600,) * 2)


def look(tmp_path: Path) -> list[Used]:
    return recent(ClaudeCode(), [tmp_path / "projects"], tmp_path, PriceBook(None), NOW_US)


def test_a_second_look_reads_only_what_was_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "projects/a/s.jsonl"
    first = data(answer("m1", "r1", timestamp=at(2)), answer("m2", "r2", timestamp=at(1), usage=usage(2)))
    write(path, first, 1)
    one = look(tmp_path)
    assert [used.tokens for used in one] == [5102 + 184, 5104] and all(used.cost_nanousd for used in one)
    assert (tmp_path / NAME).exists()
    with monkeypatch.context() as patch:
        patch.setattr(module, "_read", lambda *_: pytest.fail("nothing is new"))
        assert look(tmp_path) == one
    write(
        path, first + data(answer("m2", "r2", timestamp=at(1), usage=usage(184)), answer("m3", "r3", timestamp=at(0.5)))
    )
    assert [used.tokens for used in look(tmp_path)] == [5286] * 3


def test_old_files_and_old_calls_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "projects/a/old.jsonl", data(answer("m1", "r1", timestamp=at(100))), 100)
    write(
        tmp_path / "projects/a/long.jsonl",
        data(answer("m2", "r2", timestamp=at(100)), answer("m3", "r3", timestamp=at(1))),
    )
    assert len(look(tmp_path)) == 1


def test_a_copy_counts_once_and_a_damaged_memory_is_made_anew(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"projects/{name}/s.jsonl", data(answer(timestamp=at(1))))
    (tmp_path / NAME).write_text("{")
    assert len(look(tmp_path)) == 1
    assert len(look(tmp_path)) == 1


def test_a_window_begins_at_the_hour_of_its_first_call_and_follows_the_one_before() -> None:
    hours = (9.2, 5.0, 1.0, 0.4)
    used = [Used(NOW_US - int(ago * HOUR), None, 1, 1) for ago in hours]
    # 6:18 begins 6:00-11:00; 10:30 lies in it; 14:30 begins 14:00-19:00.
    running = window(used, NOW_US, 5)
    assert running is not None and len(running.used) == 2
    assert running.end_us == int(datetime(2026, 11, 22, 19, tzinfo=UTC).timestamp()) * 1_000_000
    assert window(used[:2], NOW_US, 5) is None and window([], NOW_US, 5) is None
