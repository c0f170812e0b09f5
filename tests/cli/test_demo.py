"""`demo`: a folder to look around in, told how."""

from __future__ import annotations

from pathlib import Path

from tallybook.config import Settings
from tallybook.store.memory import MemoryStore
from tallybook.store.open import open_store

from .conftest import run_on


def test_a_demo_is_written_and_shown_where(tmp_path: Path) -> None:
    place = tmp_path / "a demo"
    ran = run_on(MemoryStore(), tmp_path)("demo", "--dir", str(place), "--days", "2", "--scale", "0.02")
    assert ran.code == 0, ran.err
    assert f"written to {place}" in ran.out
    assert f"tallybook stats month --dir '{place}'" in ran.out
    shown = run_on(open_store(Settings(folder=place)), place)("stats", "--days", "2")
    assert "Total cost: $" in shown.out


def test_a_folder_with_real_calls_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "2026-11-22"
    place.mkdir()
    (place / "telemetry.jsonl").write_text("{}\n")
    ran = run_on(MemoryStore(), tmp_path)("demo", "--dir", str(tmp_path))
    assert (ran.code, ran.out) == (1, "")
    assert "Hint" in ran.err
