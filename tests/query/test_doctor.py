"""The examination: it names what is wrong, how much of it there is, and what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tallybook.config import Settings
from tallybook.model.call import Call
from tallybook.query import doctor
from tallybook.query.doctor import Examined, examine
from tallybook.query.finding import Finding
from tallybook.store.base import CallStore, Warned
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call, company


def look(store: CallStore | None, folder: Path, **settings: object) -> Examined:
    return examine(store, Settings(folder=folder, **settings), NOW_US)  # type: ignore[arg-type]


def of(found: Examined, check: str) -> list[Finding]:
    return [finding for finding in found.findings if finding.check == check]


def grades(found: Examined, check: str) -> list[str]:
    return [finding.grade for finding in of(found, check)]


def test_a_sound_ledger_has_nothing_to_mend(tmp_path: Path) -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T10:00")])
    found = look(store, tmp_path)
    assert {finding.grade for finding in found.findings if finding.check not in ("disk", "sdk")} == {"good"}
    assert not found.is_bad


def test_models_without_a_price_are_named_with_the_reason_and_the_remedy(tmp_path: Path) -> None:
    found = of(look(company(), tmp_path), "unpriced")
    assert [(finding.facts.get("model"), finding.facts["calls"]) for finding in found] == [
        ("mystery-1", 2), ("mystery-2", 1), (None, 1),
    ]  # fmt: skip
    assert found[0].grade == "warn"
    assert "no price is known" in found[0].text
    assert "prices.toml" in str(found[0].remedy)
    assert found[2].grade == "note"


def test_streams_that_ended_without_tokens_are_named(tmp_path: Path) -> None:
    store = MemoryStore()
    store.append(
        [
            call("2026-11-22T10:00", "m", is_stream=True, input_tokens=None, output_tokens=None),
            call("2026-11-22T10:01", "m", is_stream=True),
            call("2026-11-22T10:02", "m", is_stream=True, status="cancelled", input_tokens=None, output_tokens=None),
        ]
    )
    (finding,) = of(look(store, tmp_path), "streams")
    assert (finding.grade, finding.facts["calls"]) == ("warn", 1)
    assert "include_usage" in str(finding.remedy)


def test_calls_from_the_future_point_to_a_clock(tmp_path: Path) -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T16:30")])
    (finding,) = of(look(store, tmp_path), "clock")
    assert (finding.grade, finding.facts) == ("warn", {"calls": 1, "ahead_minutes": 120})


def test_flags_and_copied_first_token_times_are_counted_in_the_latest_calls(tmp_path: Path) -> None:
    store = MemoryStore()
    store.append(
        [
            call(f"2026-11-22T10:{number:02d}", flags=("usage_estimated",) if number < 3 else (), ttft_us=1_200_000)
            for number in range(10)
        ]
    )
    found = look(store, tmp_path)
    (flag,) = of(found, "flags")
    assert (flag.facts["flag"], flag.facts["calls"], flag.facts["of"]) == ("usage_estimated", 3, 10)
    assert of(found, "ttft")[0].facts == {"calls": 10, "of": 10}


def test_a_folder_that_is_not_there_is_a_file_or_is_closed(tmp_path: Path) -> None:
    assert grades(look(MemoryStore(), tmp_path / "none"), "folder") == ["warn"]
    file = tmp_path / "file"
    file.write_text("x")
    assert grades(look(MemoryStore(), file), "folder") == ["bad"]
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert grades(look(MemoryStore(), closed), "folder") == ["bad"]
    assert grades(look(MemoryStore(), closed / "below"), "folder") == ["bad"]


def test_recording_switched_off_is_a_fault(tmp_path: Path) -> None:
    found = look(MemoryStore(), tmp_path, enabled=False)
    assert grades(found, "enabled") == ["bad"]
    assert found.is_bad


def test_damaged_files_are_named_with_their_offset(tmp_path: Path) -> None:
    class Damaged(MemoryStore):
        def warnings(self) -> list[Warned]:
            return [Warned("2026-11-20/telemetry.x.jsonl", 4_711, "zero bytes")]

    (finding,) = of(look(Damaged(), tmp_path), "damage")
    assert finding.text == "2026-11-20/telemetry.x.jsonl at byte 4711: zero bytes"
    assert finding.grade == "bad"


def test_contained_failures_of_recording_programs_are_counted(tmp_path: Path) -> None:
    notes = [
        {"timestamp": 1.0, "pid": 1, "reason": "writing", "message": "No space left on device"},
        {"timestamp": 2.0, "pid": 2, "reason": "writing", "message": "Read-only file system"},
    ]
    (tmp_path / "failures.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes) + "torn {")
    found = of(look(MemoryStore(), tmp_path), "failures")
    assert found[0].facts == {
        "reason": "writing", "count": 2, "last_at_us": 2_000_000, "message": "Read-only file system",
    }  # fmt: skip
    assert "Read-only" in found[0].text
    assert found[1].facts["reason"] == "unreadable note"


def test_a_currency_without_rates_is_a_fault(tmp_path: Path) -> None:
    assert grades(look(MemoryStore(), tmp_path, currency="EUR"), "currency") == ["bad"]


def test_a_full_disk_and_a_ledger_beyond_its_size_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    (tmp_path / "big").write_bytes(b"x" * 2_000_000)
    found = look(MemoryStore(), tmp_path, storage_max_mb=1)
    assert (grades(found, "disk"), grades(found, "size")) == (["bad"], ["note"])


@pytest.mark.parametrize(
    ("version", "grade"), [("3.54.0", "good"), ("0.28.1", "warn"), ("9.0.0", "warn"), ("2.5.0rc1", "good")]
)
def test_sdk_versions_are_held_against_the_table_of_patches(
    version: str, grade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    def installed(name: str) -> str:
        if name == "openai":
            return version
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", installed)
    (finding,) = doctor.installed()
    assert (finding.facts["package"], finding.grade) == ("openai", grade)


def test_a_store_that_cannot_be_opened_still_leaves_the_rest_examined(tmp_path: Path) -> None:
    found = look(None, tmp_path)
    assert of(found, "folder") and not of(found, "calls")


def test_an_empty_ledger_is_told_how_to_be_filled(tmp_path: Path) -> None:
    (finding,) = of(look(MemoryStore(), tmp_path), "calls")
    assert "instrument()" in str(finding.remedy)


def test_a_call_without_a_cost_object_is_unpriced_too(tmp_path: Path) -> None:
    store = MemoryStore(price=lambda _: None)  # type: ignore[arg-type,return-value]
    store.append([Call(call_id="x", started_at_us=NOW_US - 1)])
    assert of(look(store, tmp_path), "unpriced")[0].grade == "warn"


def test_a_misspelt_model_is_told_what_it_may_have_meant(tmp_path: Path) -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T10:00", "gpt-4o-minni", None, provider="openai")])
    (finding,) = of(look(store, tmp_path), "unpriced")
    assert finding.facts["nearest"] == "gpt-4o-mini (openai)"
    assert "gpt-4o-mini (openai)" in str(finding.remedy)
    assert doctor.nearest("openai", "nordwind-7b-contracts") is None


def test_a_wrong_row_of_the_own_prices_is_named_with_its_line_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(
        '[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\n\n[[price]]\nprovider = "p"\ninptu = 2\n', encoding="utf-8"
    )
    found = look(company(), tmp_path)
    (finding,) = of(found, "prices")
    assert finding.grade == "warn"
    assert "prices.toml, line 6, price 2: unknown field 'inptu'" in finding.text
    assert "docs/prices.md" in str(finding.remedy)
    assert of(found, "calls")


def test_a_file_of_prices_that_is_not_there_is_a_fault_and_the_calls_are_left_alone(tmp_path: Path) -> None:
    found = look(company(), tmp_path, prices_file=tmp_path / "none.toml")
    assert grades(found, "prices") == ["bad"]
    assert "none.toml" in of(found, "prices")[0].text
    assert not of(found, "calls")
