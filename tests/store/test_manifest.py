"""The manifest as readers see it: what earlier snapshots found is used again, and never in place of something newer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tallybook.store.lake import manifest as manifests
from tallybook.store.lake.manifest import File, Manifest, RealDisk, Seen, snapshot

DAY = "2026-11-22"


class QuickDisk(RealDisk):
    def fsync(self, path: Path) -> None:
        assert path.exists()


def _file(name: str) -> File:
    return File(path=f"{DAY}/{name}", kind="calls", day=DAY, rows=1, bytes=1)


def _age(path: Path) -> None:
    """Make a file or folder look as if it had not changed for a minute."""
    old = path.stat().st_mtime - 60
    os.utime(path, (old, old))


def test_an_unchanged_manifest_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests.write(tmp_path, Manifest(sequence=1, files=(_file("a"),)), QuickDisk())
    _age(tmp_path / manifests.NAME)
    seen = Seen()
    first = snapshot(tmp_path, seen).manifest
    monkeypatch.setattr(manifests, "_decode", None)
    assert snapshot(tmp_path, seen).manifest is first
    assert first.sequence == 1


def test_a_manifest_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    seen = Seen()
    for sequence in range(1, 6):
        manifests.write(tmp_path, Manifest(sequence=sequence), QuickDisk())
        if sequence % 2:
            _age(tmp_path / manifests.NAME)
        assert snapshot(tmp_path, seen).manifest.sequence == sequence


def test_a_manifest_that_has_just_changed_is_read_each_time(tmp_path: Path) -> None:
    manifests.write(tmp_path, Manifest(sequence=1), QuickDisk())
    seen = Seen()
    snapshot(tmp_path, seen)
    assert seen.manifest is None


def test_a_segment_that_appears_in_a_known_folder_is_seen(tmp_path: Path) -> None:
    place = tmp_path / DAY
    place.mkdir()
    (place / "telemetry.jsonl").write_bytes(b"{}\n")
    _age(place)
    seen = Seen()
    assert snapshot(tmp_path, seen).hot == {"telemetry": [f"{DAY}/telemetry.jsonl"]}
    assert DAY in seen.names
    (place / "telemetry.w2.jsonl").write_bytes(b"{}\n")
    assert snapshot(tmp_path, seen).hot == {"telemetry": [f"{DAY}/telemetry.jsonl", f"{DAY}/telemetry.w2.jsonl"]}
