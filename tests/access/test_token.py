"""Tokens for pages: read back as they were signed, by who has the secret, until their time is over."""

from __future__ import annotations

import pytest

from tallybook.access.token import PREFIX, Signer, token_of
from tallybook.model.errors import InputError
from tallybook.store.memory_state import MemoryState

MINUTE_US = 60_000_000


def test_a_token_is_read_back_until_its_time_is_over() -> None:
    state, signer = MemoryState(), Signer()
    token = token_of(minutes=2, now_us=0, user="ada", project="shop")
    text = signer.sign(state, token)
    assert text.startswith(PREFIX)
    assert signer.read(text, 2 * MINUTE_US - 1) == token
    assert signer.read(text, 2 * MINUTE_US) is None


def test_another_process_of_the_same_ledger_reads_it_and_another_ledger_does_not() -> None:
    state = MemoryState()
    text = Signer().sign(state, token_of(minutes=2, now_us=0, chat="c"))
    other, stranger = Signer(), Signer()
    assert other.read(text, 1) is None and other.is_stale(0)
    other.load(state, 0)
    stranger.sign(MemoryState(), token_of(minutes=2, now_us=0, chat="c"))
    assert other.read(text, 1) is not None
    assert stranger.read(text, 1) is None


def test_no_changed_byte_goes_unseen() -> None:
    signer = Signer()
    text = signer.sign(MemoryState(), token_of(minutes=2, now_us=0, chat="c"))
    for at, char in enumerate(text):
        assert signer.read(text[:at] + ("A" if char != "A" else "B") + text[at + 1 :], 1) is None, at
    for odd in ("", PREFIX, f"{PREFIX}.", f"{PREFIX}é.é", text + "é", PREFIX + "A" * 100_000):
        assert signer.read(odd, 1) is None


@pytest.mark.parametrize(
    "wrong", [{"minutes": 0}, {"minutes": 100_000}, {"chat": None}, {"chat": ""}, {"user": "x" * 100_000}]
)
def test_a_token_for_everything_or_for_ever_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        token_of(**{"minutes": 5, "now_us": 0, "chat": "c", **wrong})  # type: ignore[arg-type]
