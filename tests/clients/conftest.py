"""A replay server and a ledger for each test; a contained failure of ours fails the test that caused it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.capture import guard
from tallybook.testing import ReplayServer, TemporaryLedger, temporary_ledger


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer(ids="fixed", now=lambda: 1_767_268_800) as running:
        yield running


@pytest.fixture
def contained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Failures that were contained during the test; a test that expects one takes it off the list."""
    found: list[str] = []

    def note(what: str, error: BaseException | None, message: str) -> None:
        found.append(f"{what}: {message}\n{''.join(traceback.format_exception(error)) if error else ''}")

    monkeypatch.setattr(guard, "hook", note)
    yield found
    assert found == []


@pytest.fixture
def ledger(contained: list[str], tmp_path: Path) -> Iterator[TemporaryLedger]:
    with temporary_ledger(project="tests") as made:
        yield made
