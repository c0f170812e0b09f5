"""Whatever happens to a segment's end and whoever writes beside: each writer's lines come back whole and in order."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.journal.layout import segments
from tallybook.journal.writer import Writer
from tallybook.testing import FaultyDisk

NOON = 1_795_348_800_000_000
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

bodies = st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" ").replace(b"\0", b" "))


def whole_lines(folder: Path) -> Iterator[bytes]:
    """As a reader takes them: what stands before a newline, by segment."""
    for segment in segments(folder):
        yield from segment.path.read_bytes().split(b"\n")[:-1]


def line_of(writer: int, number: int, body: bytes) -> bytes:
    return b'{"w":%d,"n":%d,"b":"%s"}' % (writer, number, body.hex().encode())


def _number(line: bytes) -> tuple[int, int]:
    _, writer, number, _ = line.split(b":", 3)
    return int(writer.split(b",")[0]), int(number.split(b",")[0])


@given(lines=st.lists(bodies, max_size=20), cut=st.integers(0, 2_000), zeros=st.integers(0, 600))
@QUICK
def test_a_segment_cut_anywhere_and_padded_with_zeros_gives_a_prefix_that_holds_every_whole_line(
    lines: list[bytes], cut: int, zeros: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = Writer(folder, "telemetry", segment_bytes_max=1 << 20)
        written = [line_of(1, number, body) for number, body in enumerate(lines)]
        for line in written:
            writer.append(line + b"\n", NOON)
        writer.close()
        for segment in segments(folder):
            data = segment.path.read_bytes()[:cut]
            segment.path.write_bytes(data + bytes(zeros))
            read = segment.path.read_bytes().split(b"\n")[:-1]
            assert read == written[: len(read)]
            assert len(read) == data.count(b"\n")


@given(lines=st.lists(bodies, min_size=1, max_size=12), cut=st.integers(0, 1_500), zeros=st.integers(0, 600))
@QUICK
def test_the_next_writer_loses_no_line_and_gains_none_after_a_power_cut(
    lines: list[bytes], cut: int, zeros: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = Writer(folder, "telemetry", segment_bytes_max=1 << 20)
        written = [line_of(1, number, body) for number, body in enumerate(lines)]
        for line in written:
            first.append(line + b"\n", NOON)
        first.close()
        path = segments(folder)[0].path
        data = path.read_bytes()[:cut]
        path.write_bytes(data + bytes(zeros))
        second = Writer(folder, "telemetry", segment_bytes_max=1 << 20)
        later = [line_of(2, number, b"later") for number in range(3)]
        for line in later:
            second.append(line + b"\n", NOON)
        second.close()
        read = list(whole_lines(folder))
        survived = written[: data.count(b"\n")]
        assert read[: len(survived)] == survived
        assert read[-3:] == later
        assert len(read) - len(survived) - 3 <= 1, "what was torn is one line at most"


@given(
    plan=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["append", "append", "append", "close", "forked"])),
                  max_size=80),
    size=st.integers(60, 700),
)  # fmt: skip
@QUICK
def test_writers_that_come_and_go_and_rotate_keep_each_line_and_each_ones_order(
    plan: list[tuple[int, str]], size: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writers = [Writer(folder, "telemetry", segment_bytes_max=size) for _ in range(4)]
        counts = [0, 0, 0, 0]
        for which, what in plan:
            if what == "append":
                writers[which].append(line_of(which, counts[which], b"x" * 5) + b"\n", NOON)
                counts[which] += 1
            else:
                getattr(writers[which], what)()
        for writer in writers:
            writer.close()
        by_segment = [segment.path.read_bytes() for segment in segments(folder)]
        assert all(data.endswith(b"\n") for data in by_segment if data)
        for data in by_segment:
            own: dict[int, list[int]] = {}
            for line in data.splitlines():
                which, number = _number(line)
                own.setdefault(which, []).append(number)
            assert all(numbers == sorted(numbers) for numbers in own.values())
        everything = sorted(_number(line) for line in whole_lines(folder))
        assert everything == [(which, number) for which in range(4) for number in range(counts[which])]


@given(failing=st.lists(st.booleans(), max_size=30), short=st.one_of(st.none(), st.integers(1, 9)))
@QUICK
def test_a_disk_that_fails_now_and_then_leaves_exactly_the_lines_whose_append_returned(
    failing: list[bool], short: int | None
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disk = FaultyDisk()
        writer = Writer(folder, "telemetry", segment_bytes_max=200, disk=disk)
        disk.cut_writes(short)
        written: list[bytes] = []
        for number, fails in enumerate(failing):
            line = line_of(0, number, b"abc")
            disk.fail("write", nth=1 + number % 3, times=1 if fails else 0)
            try:
                writer.append(line + b"\n", NOON)
            except OSError:
                continue
            written.append(line)
        writer.close()
        assert sorted(whole_lines(folder)) == sorted(written)


@pytest.mark.parametrize("processes", [6])
def test_processes_that_write_one_folder_at_once_lose_and_mix_nothing(tmp_path: Path, processes: int) -> None:
    lines_each = 300
    children = []
    for which in range(processes):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                chance = random.Random(which)
                writer = Writer(tmp_path, "telemetry", segment_bytes_max=8_000)
                for number in range(lines_each):
                    writer.append(line_of(which, number, chance.randbytes(chance.randrange(120))) + b"\n", NOON)
                    if chance.random() < 0.02:
                        writer.close()
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * processes
    lines = list(whole_lines(tmp_path))
    assert sorted(map(_number, lines)) == [(w, n) for w in range(processes) for n in range(lines_each)]
    for segment in segments(tmp_path):
        own: dict[int, int] = {}
        for line in segment.path.read_bytes().splitlines():
            which, number = _number(line)
            assert own.get(which, -1) < number
            own[which] = number
