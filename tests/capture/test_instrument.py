"""`instrument` twice is once, `uninstrument` leaves no trace, and other libraries' patches live beside ours."""

from __future__ import annotations

import functools
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tallybook
from tallybook.capture import instrument, switch
from tallybook.capture.patches.table import TABLE, Patch
from tallybook.testing import TemporaryLedger

SDK = "standin_sdk"


def counted(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """A patch that does what ours do: nothing but calling on while switched off."""

    @functools.wraps(original)
    def request(self: Any, *args: Any) -> Any:
        if switch.is_on:
            self.records.append(family)
        return original(self, *args)

    return request


PATCH = Patch("", SDK, "Client", "request", counted, "openai")


@pytest.fixture
def client(ledger: TemporaryLedger, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """A stand-in SDK with one place to patch, imported already."""
    module = types.ModuleType(SDK)
    module.__file__ = __file__
    exec("class Client:\n    def request(self, value):\n        return value\n", module.__dict__)
    module.Client.records = []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, SDK, module)
    monkeypatch.setattr(instrument, "TABLE", (PATCH,))
    monkeypatch.setattr(instrument, "_placed", {})
    yield module.Client  # type: ignore[attr-defined]
    instrument.uninstrument()


def foreign(original: Callable[..., Any], *, wraps: bool) -> Callable[..., Any]:
    def request(self: Any, *args: Any) -> Any:
        self.records.append("foreign")
        return original(self, *args)

    request.__module__ = "another_library"
    return functools.wraps(original)(request) if wraps else request


def recorded(client: Any) -> Counter[str]:
    client.records.clear()
    assert client().request(7) == 7
    return Counter(client.records)


def test_twice_on_is_once_on_and_off_is_as_before(client: Any) -> None:
    original = client.request
    for _ in range(3):
        assert instrument.instrument() == ("openai", "anthropic", "google", "threads")
    assert instrument.is_instrumented()
    assert recorded(client) == {"openai": 1}
    for _ in range(2):
        instrument.uninstrument()
    assert client.request is original
    assert not instrument.is_instrumented()
    assert recorded(client) == {}


def test_on_off_and_on_again_records_once(client: Any) -> None:
    for _ in range(3):
        instrument.instrument()
        assert recorded(client) == {"openai": 1}
        instrument.uninstrument()
        assert recorded(client) == {}


def test_a_further_call_adds_families_and_takes_none_away(client: Any) -> None:
    assert instrument.instrument(openai=False, google=False, threads=False) == ("anthropic",)
    assert recorded(client) == {}
    assert instrument.instrument(anthropic=False, google=False, threads=False) == ("openai", "anthropic")
    assert recorded(client) == {"openai": 1}


def test_another_library_that_was_there_before_stays(client: Any) -> None:
    theirs = client.request = foreign(client.request, wraps=True)
    instrument.instrument()
    assert recorded(client) == {"openai": 1, "foreign": 1}
    instrument.uninstrument()
    assert client.request is theirs
    assert recorded(client) == {"foreign": 1}


@pytest.mark.parametrize("wraps", [True, False])
def test_another_library_that_came_after_stays_and_ours_serves_again_without_a_second_record(
    client: Any, wraps: bool
) -> None:
    instrument.instrument()
    theirs = client.request = foreign(client.request, wraps=wraps)
    instrument.instrument()
    assert recorded(client) == {"openai": 1, "foreign": 1}
    instrument.uninstrument()
    assert client.request is theirs
    assert recorded(client) == {"foreign": 1}
    instrument.instrument()
    assert recorded(client) == {"openai": 1, "foreign": 1}


def test_ours_is_put_again_where_another_library_put_the_original_back(client: Any) -> None:
    original = client.request
    instrument.instrument()
    client.request = original
    instrument.instrument()
    assert recorded(client) == {"openai": 1}
    instrument.uninstrument()
    assert client.request is original


def test_a_place_that_is_not_there_is_told_and_the_program_goes_on(
    client: Any, failures: Counter[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    missing = PATCH._replace(attribute="renamed")
    monkeypatch.setattr(instrument, "TABLE", (missing, PATCH))
    instrument.instrument()
    assert failures["patching"] == 1
    assert f"{SDK}.Client.renamed is not there in this version" in caplog.text
    assert recorded(client) == {"openai": 1}


def test_a_module_that_is_imported_later_is_patched_then(
    ledger: TemporaryLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "later_sdk.py").write_text(
        "class Client:\n    records = []\n    def request(self, value):\n        return value\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(instrument, "TABLE", (PATCH._replace(module="later_sdk"),))
    monkeypatch.setattr(instrument, "_placed", {})
    instrument.instrument()
    import later_sdk  # type: ignore[import-not-found]

    assert recorded(later_sdk.Client) == {"openai": 1}
    instrument.uninstrument()
    assert recorded(later_sdk.Client) == {}
    del sys.modules["later_sdk"]


def test_switched_off_by_a_setting_nothing_is_patched(client: Any) -> None:
    original = client.request
    assert instrument.instrument(enabled=False) == ()
    assert client.request is original and not instrument.is_instrumented()


def test_a_wrong_setting_is_told_and_calls_are_recorded_all_the_same(client: Any, failures: Counter[str]) -> None:
    instrument.instrument(colour="red", fsync="often")
    assert failures["settings"] == 1
    assert recorded(client) == {"openai": 1}


def test_instrumenting_imports_no_sdk() -> None:
    import subprocess

    program = (
        "import sys, tallybook; tallybook.instrument(); "
        "print([m for m in ('openai', 'anthropic', 'google.genai', 'httpx', 'httpx2', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""


def test_every_row_of_the_table_names_one_place_of_a_known_family() -> None:
    assert {patch.family for patch in TABLE} == set(instrument.FAMILIES)
    assert len({(patch.module, patch.owner, patch.attribute) for patch in TABLE}) == len(TABLE)
    assert tallybook.is_instrumented() is False
