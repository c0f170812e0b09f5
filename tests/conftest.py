"""What all tests share: the corpus of recorded traffic where it is present, and a clean environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
