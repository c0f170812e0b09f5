"""What all tests share: recorded traffic where it is present, a clean environment, a ledger, failures that show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.capture import guard, instrument, recorder
from tallybook.testing import TemporaryLedger

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded provider traffic; tests that need it are skipped where it is absent."""
    place = Path(os.environ.get("TALLYBOOK_CORPUS") or ROOT.parent / "shared" / "corpus")
    if not place.is_dir():
        pytest.skip(f"no recorded traffic at {place}; set TALLYBOOK_CORPUS")
    return place


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the person who runs the tests reaches them, and no test writes to that person's folder."""
    for name in tuple(os.environ):
        if name.startswith(("TALLYBOOK_", "LLM_")) and name != "TALLYBOOK_CORPUS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("TALLYBOOK_DIR", str(tmp_path_factory.getbasetemp() / "ledger"))


def _raise(what: str, error: BaseException | None, message: str) -> None:
    raise AssertionError(f"contained: {what}: {message}") from error


@pytest.fixture(autouse=True)
def _failures_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of ours that an application would not notice fails the test that caused it."""
    monkeypatch.setattr(guard, "hook", _raise)


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> guard.Counter[str]:
    """For tests of containment: failures end as in an application, and are counted here from nothing."""
    monkeypatch.setattr(guard, "hook", guard._contain)
    monkeypatch.setattr(guard, "counters", guard.Counter())
    monkeypatch.setattr(guard, "_told", set())
    return guard.counters


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[TemporaryLedger]:
    """A fresh recorder with a folder of its own; nothing is patched unless the test does so, or stays patched."""
    folder = tmp_path / "ledger"
    recorder.forget()
    recorder.configure(folder=folder)
    yield TemporaryLedger(folder)
    instrument.uninstrument()
    recorder.forget()
