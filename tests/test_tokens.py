"""The public names: no ledger is needed, and what a ledger has learnt corrects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tallybook
from tallybook.model.errors import InputError
from tallybook.prices import ratio
from tallybook.prices.tokens import basis

TEXT = "The ledger of model calls. " * 100


def test_tokens_are_estimated_without_a_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_DIR", str(tmp_path / "absent"))
    assert 2 <= tallybook.estimate_tokens("Hello, world!") <= 6
    assert tallybook.estimate_tokens("") == 0
    assert tallybook.truncate_to_tokens(TEXT, 50, "gpt-5").startswith("The ledger of model calls.")
    assert not (tmp_path / "absent").exists()
    with pytest.raises(InputError, match="max_tokens"):
        tallybook.truncate_to_tokens(TEXT, -1)


def test_a_setting_that_cannot_be_used_does_not_stop_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_FSYNC", "sometimes")
    assert tallybook.estimate_tokens("Hello, world!") > 0


def test_what_the_ledger_learnt_corrects_and_is_read_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYBOOK_DIR", str(tmp_path))
    plain = tallybook.estimate_tokens(TEXT, "acme-1")
    for step, factor in enumerate((1.5, 1.2)):
        ratios = ratio.Ratios()
        for _ in range(5):
            ratios.add("acme-1", basis(), 1_000, round(1_000 * factor))
        ratio.write(tmp_path, ratios)
        os.utime(tmp_path / ratio.FILE_NAME, ns=(step, step))
        assert tallybook.estimate_tokens(TEXT, "acme-1") == pytest.approx(plain * factor, abs=1)
    assert tallybook.estimate_tokens(TEXT, "another") == plain
