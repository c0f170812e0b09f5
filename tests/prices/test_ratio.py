"""The running ratio: off without data, forgets what is old, and does not believe what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallybook.prices import ratio
from tallybook.prices.ratio import CALLS_MIN, ESTIMATED_MAX, MODELS_MAX, Ratios


def taught(estimated: int, actual: int, calls: int = CALLS_MIN) -> Ratios:
    found = Ratios()
    for _ in range(calls):
        found.add("New-Model", "characters", estimated, actual)
    return found


def test_nothing_is_corrected_without_data() -> None:
    assert Ratios().factor("new-model", "characters") == Ratios().factor(None, "tokenizer") == 1.0


def test_enough_texts_correct_their_model_and_basis_alone() -> None:
    found = taught(300, 390)
    assert found.factor("new-model", "characters") == pytest.approx(1.3)
    assert found.factor("NEW-model ", "characters") == pytest.approx(1.3)
    assert found.factor("new-model", "tokenizer") == found.factor("another", "characters") == 1.0


def test_few_texts_or_few_tokens_do_not_correct() -> None:
    assert taught(1_000, 1_300, CALLS_MIN - 1).factor("new-model", "characters") == 1.0
    assert taught(10, 13).factor("new-model", "characters") == 1.0


@pytest.mark.parametrize("actual", [100, 900])
def test_a_ratio_that_no_tokenizer_has_is_not_believed(actual: int) -> None:
    assert taught(300, actual).factor("new-model", "characters") == 1.0


@pytest.mark.parametrize(("estimated", "actual"), [(0, 5), (5, 0), (-1, 5)])
def test_empty_counts_teach_nothing(estimated: int, actual: int) -> None:
    assert taught(estimated, actual).models == {}


def test_what_is_new_outweighs_what_is_old() -> None:
    found = taught(ESTIMATED_MAX, ESTIMATED_MAX)
    for _ in range(50):
        found.add("new-model", "characters", ESTIMATED_MAX // 10, ESTIMATED_MAX * 15 // 100)
    assert found.factor("new-model", "characters") == pytest.approx(1.5, abs=0.02)
    assert found.models["new-model"]["characters"].estimated <= ESTIMATED_MAX


def test_ratios_are_kept_in_a_file(tmp_path: Path) -> None:
    found = taught(300, 390)
    found.until_us = 7
    ratio.write(tmp_path, found)
    assert ratio.read(tmp_path) == found
    assert [path.name for path in tmp_path.iterdir()] == [ratio.FILE_NAME]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"models": 3}'])
def test_a_missing_or_damaged_file_is_learnt_anew(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / ratio.FILE_NAME).write_bytes(content)
    assert ratio.read(tmp_path) == Ratios()


def test_of_too_many_models_those_with_most_tokens_are_kept(tmp_path: Path) -> None:
    found = Ratios()
    for number in range(MODELS_MAX + 5):
        found.add(f"model-{number}", "characters", number + 1, number + 1)
    ratio.write(tmp_path, found)
    kept = ratio.read(tmp_path).models
    assert len(kept) == MODELS_MAX
    assert "model-4" not in kept and "model-5" in kept
