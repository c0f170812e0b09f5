"""Failures of ours end in one place: counted always, told once, never raised."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from tallybook.capture import guard


def test_a_contained_failure_is_told_once_and_counted_always(
    failures: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        with guard.contained("reading"):
            raise ValueError("odd")
    assert failures == {"reading": 3}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == [
        "tallybook: reading: ValueError: odd (the application is not affected; told once, counted further)"
    ]


def test_each_kind_is_told_by_itself(failures: Counter[str], caplog: pytest.LogCaptureFixture) -> None:
    guard.failed("one", None, "first")
    guard.failed("two", None, "second")
    assert len(caplog.messages) == 2
    assert failures == {"one": 1, "two": 1}


def test_what_had_recovered_is_told_again(failures: Counter[str], caplog: pytest.LogCaptureFixture) -> None:
    guard.failed("disk", OSError("full"))
    guard.recovered("disk")
    guard.recovered("never failed")
    guard.failed("disk", OSError("full again"))
    assert len(caplog.messages) == 2
    assert failures["disk"] == 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_meant_to_end_the_program_passes(failures: Counter[str], kind: type[BaseException]) -> None:
    with pytest.raises(kind), guard.contained("reading"):
        raise kind
    assert not failures


def test_an_exception_that_fails_at_its_own_text_is_contained_as_well(failures: Counter[str]) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with guard.contained("reading"):
        raise Mute
    assert failures == {"reading": 1}


def test_a_listener_hears_the_first_of_a_kind_and_may_fail_itself(
    failures: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, str]] = []

    def listen(what: str, error: BaseException | None, message: str) -> None:
        heard.append((what, message))
        raise ValueError("the listener's own")

    monkeypatch.setattr(guard, "_listeners", [])
    guard.on_first(listen)
    guard.on_first(listen)
    guard.failed("reading", None, "one")
    guard.failed("reading", None, "two")
    assert heard == [("reading", "one")]
    assert failures == {"reading": 2, "failure_unnoted": 1}


def test_in_tests_a_contained_failure_is_raised() -> None:
    with pytest.raises(AssertionError, match="contained: reading"), guard.contained("reading"):
        raise ValueError("odd")
