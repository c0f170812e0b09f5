"""Which names are the journal's, and in which order its segments are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallybook.journal.layout import KINDS, Segment, is_day, segment_of, segments


@pytest.mark.parametrize(
    ("path", "kind", "writer"),
    [
        ("2026-11-22/telemetry.jsonl", "telemetry", ""),
        ("2026-11-22/telemetry.1a2b3c4d.jsonl", "telemetry", "1a2b3c4d"),
        ("2026-11-22/telemetry.sealing-77.jsonl", "telemetry", "sealing-77"),
        ("2026-11-22/steps.jsonl", "steps", ""),
        ("2026-11-22/messages.x_y.jsonl", "messages", "x_y"),
    ],
)
def test_a_name_tells_day_kind_and_writer(path: str, kind: str, writer: str) -> None:
    whole = Path("/ledger") / path
    assert segment_of(whole) == Segment(whole, "2026-11-22", kind, writer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path",
    [
        "2026-11-22/telemetry.jsonl.tmp",
        "2026-11-22/telemetry.a.b.jsonl",
        "2026-11-22/telemetry..jsonl",
        "2026-11-22/telemetries.jsonl",
        "2026-11-22/calls.parquet",
        "2026-1-22/telemetry.jsonl",
        "x2026-11-22/telemetry.jsonl",
        "2026-11-22x/telemetry.jsonl",
        "telemetry.jsonl",
    ],
)
def test_other_names_are_no_segments(path: str) -> None:
    assert segment_of(Path("/ledger") / path) is None


def test_a_day_is_a_whole_name() -> None:
    assert is_day("2026-11-22")
    assert not any(map(is_day, ("2026-11-22\n", " 2026-11-22", "2026-11", "summary.json", "")))


def test_segments_are_listed_by_day_and_name_and_only_those_of_the_kind(tmp_path: Path) -> None:
    for name in (
        "2026-11-23/telemetry.jsonl",
        "2026-11-22/telemetry.b.jsonl",
        "2026-11-22/telemetry.a.jsonl",
        "2026-11-22/telemetry.jsonl",
        "2026-11-22/steps.jsonl",
        "2026-11-22/manifest.json",
        "notes/telemetry.jsonl",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "2026-11-24").write_text("a file where a day's folder would be")
    found = [seg.path.relative_to(tmp_path).as_posix() for seg in segments(tmp_path)]
    assert found == [
        "2026-11-22/telemetry.a.jsonl",
        "2026-11-22/telemetry.b.jsonl",
        "2026-11-22/telemetry.jsonl",
        "2026-11-23/telemetry.jsonl",
    ]
    assert [seg.kind for seg in segments(tmp_path, "steps")] == ["steps"]


def test_a_folder_that_is_not_there_has_no_segments(tmp_path: Path) -> None:
    assert [segments(tmp_path / "nowhere", kind) for kind in KINDS] == [[]] * len(KINDS)
