"""What segments grow by: whole lines, each once, through renames, removals and reused inode numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallybook.journal import growth
from tallybook.journal.growth import Tail, whole_lines


def segment(folder: Path, name: str = "telemetry.w.jsonl", day: str = "2026-11-22") -> Path:
    path = folder / day / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def told(tail: Tail) -> list[bytes]:
    return [line for piece in tail.poll() for _, line in piece.lines()]


def test_only_the_kinds_asked_for_are_read(tmp_path: Path) -> None:
    tail = Tail(tmp_path, ("steps", "started"))
    for kind in ("telemetry", "steps", "started", "prompts"):
        add(segment(tmp_path, f"{kind}.jsonl"), kind.encode() + b"\n")
    assert sorted(told(tail)) == [b"started", b"steps"]


def test_from_the_start_means_what_is_there_already(tmp_path: Path) -> None:
    add(segment(tmp_path), b"1\n2\n3")
    assert told(Tail(tmp_path, is_from_start=True)) == [b"1", b"2"]
    assert told(Tail(tmp_path)) == []


def test_lines_tell_their_offset_and_empty_ones_are_none(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    add(segment(tmp_path), b"one\n\n\x00\x00\n two\n")
    (piece,) = tail.poll()
    assert piece.lines() == [(0, b"one"), (8, b"two")]


def test_a_removed_segments_number_given_to_another_file_is_not_taken_for_it(tmp_path: Path) -> None:
    """The sealer renames what it takes before it removes it, so a new name after such a one is a new file."""
    tail = Tail(tmp_path)
    old = segment(tmp_path)
    add(old, b"1\n2\n")
    assert told(tail) == [b"1", b"2"]
    taken = segment(tmp_path, "telemetry.sealing-abc.jsonl")
    old.rename(taken)
    assert told(tail) == []
    # As if it had been removed and a new file had got its number: the inode is the same, the content another.
    taken.write_bytes(b"3\n4\n5\n")
    taken.rename(segment(tmp_path, "telemetry.new.jsonl"))
    assert told(tail) == [b"3", b"4", b"5"]


def test_a_segment_renamed_between_listing_and_looking_is_neither_lost_nor_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = Tail(tmp_path)
    path = segment(tmp_path)
    add(path, b"1\n")
    assert told(tail) == [b"1"]
    monkeypatch.setattr(tail._lister, "_list_names", lambda day: [("telemetry.gone.jsonl", "telemetry")])
    assert told(tail) == []
    monkeypatch.undo()
    add(path, b"2\n")
    assert told(tail) == [b"2"]


def test_a_line_longer_than_what_is_read_at_once_comes_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "LINE_BYTES", 1_000)
    path = segment(tmp_path)
    add(path, b"x" * 500 + b"\nshort\n" + b"y" * 5_000)
    assert whole_lines(path, 0, 100) == b"x" * 500 + b"\n"
    assert whole_lines(path, 501, 100) == b"short\n"
    assert len(whole_lines(path, 507, 100)) >= 1_000, "what never ends is given up"


def test_much_that_was_written_comes_in_parts_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tail = Tail(tmp_path)
    lines = [b"%d" % number for number in range(1_000)]
    add(segment(tmp_path), b"\n".join(lines) + b"\n")
    monkeypatch.setattr(growth, "READ_BYTES", 100)
    monkeypatch.setattr(growth.whole_lines, "__defaults__", (100,))
    found: list[bytes] = []
    looks = 0
    while len(found) < 1_000:
        found += told(tail)
        looks += 1
    assert found == lines and looks > 10


def test_an_idle_look_lists_nothing_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(segment(tmp_path), b"1\n")
    tail = Tail(tmp_path)
    monkeypatch.setattr(growth, "_SETTLED_NS", -1)
    tail.poll()
    scanned: list[object] = []
    monkeypatch.setattr(growth.os, "scandir", lambda place: scanned.append(place) or iter(()))
    assert told(tail) == [] and scanned == []
    add(segment(tmp_path), b"2\n")
    assert told(tail) == [b"2"] and scanned == []
