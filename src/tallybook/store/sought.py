"""Free text sought in what calls sent and answered: the words of a search, and where in a call they stand.

A call is found when each word and each "quoted phrase" stands somewhere in its prompt or its response, whatever the
case. Texts are the values of the stored JSON, not its names; where only a preview was kept, the preview.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tallybook.model.call import Call
from tallybook.model.errors import InputError
from tallybook.model.limits import SEARCH_CHARS, SEARCH_WORDS

_AROUND = 60
"""Characters of a snippet before and after what was found."""
_WORD = re.compile(r'"([^"]*)"|([^\s"]+)')
_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f\ud800-\udfff]+')


class Hit(NamedTuple):
    """A call that was found."""

    call: Call
    place: str
    """Where the first word stands: `prompt[0].content`, `response`, `prompt_preview`."""
    snippet: str
    """The text around it on one line."""


class Searched(NamedTuple):
    """What a search found, newest first, and how far it came."""

    hits: list[Hit]
    reached: tuple[int, str] | None
    """Start and id of the call before which it goes on; `None` when all was looked through."""


def words_of(text: str) -> tuple[str, ...]:
    """The words and phrases of a search, in lower case. Raises InputError when there are none, or too many."""
    found = tuple(dict.fromkeys(
        word for quoted, plain in _WORD.findall(text) if (word := (quoted.strip() or plain).lower())
    ))  # fmt: skip
    if not found:
        raise InputError("nothing to search for", field="q", hint='words, or "a phrase in quotes"')
    if len(found) > SEARCH_WORDS or len(text) > SEARCH_CHARS:
        raise InputError(
            f"a search has at most {SEARCH_WORDS} words and {SEARCH_CHARS:,} characters", field="q", hint="say less"
        )
    return found


def needle_of(words: tuple[str, ...]) -> str:
    """A text that is in the stored JSON, in lower case, of every call that has the words; empty where none is certain.

    The longest piece of a word that JSON writes as it is and that is ASCII or of a script without case: what becomes
    of other letters in lower case is not the same everywhere.
    """
    pieces: list[str] = []
    for word in words:
        for piece in _SPECIAL.split(word):
            is_plain = piece.isascii() or piece.lower() == piece.upper()
            pieces += [piece] if is_plain else re.findall(r"[\x20-\x7e]+", piece)
    return max(pieces, key=len, default="")


def found_in(words: tuple[str, ...], call: Call, body: Mapping[str, Any] | None) -> Hit | None:
    """The call as found, or `None` when it has not all the words."""
    left = set(words)
    first: tuple[int, str, str, int, int] | None = None
    for place, text in _texts(call, body):
        lower = text.lower()
        for word in [word for word in words if word in left and word in lower]:
            left.discard(word)
            told = (words.index(word), place, text, lower.index(word), len(word))
            first = told if first is None else min(first, told)
    if left or first is None:
        return None
    _, place, text, at, length = first
    return Hit(call, place, _snippet(text, at, length))


def _texts(call: Call, body: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    for side, preview in (("prompt", call.prompt_preview), ("response", call.response_preview)):
        kept = None if body is None else body.get(side)
        if kept is not None:
            yield from _leaves(side, kept)
        elif preview is not None:
            yield f"{side}_preview", preview


def _leaves(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with its place."""
    waiting = [(place, value)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, Mapping):
            waiting.extend((f"{place}.{name}", inner) for name, inner in reversed(list(value.items())))
        elif isinstance(value, list | tuple):
            waiting.extend((f"{place}[{number}]", value[number]) for number in range(len(value) - 1, -1, -1))


def _snippet(text: str, at: int, length: int) -> str:
    start, end = max(0, at - _AROUND), at + length + _AROUND
    inner = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{inner}{'…' if end < len(text) else ''}"
