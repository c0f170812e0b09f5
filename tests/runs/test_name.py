"""Names of runs from their first message."""

from __future__ import annotations

import pytest

from tallybook.runs.name import NAME_CHARS, name_of


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("Hello", "Hello"),
        ("\n\n# Plan a *trip* to `Rome`\nwith details", "Plan a trip to Rome"),
        ("What are **tides**, and `my_var`?", "What are tides, and my_var?"),
        ("[a link](https://example.com) here", "a link here"),
        ("---\n***\nreal words", "real words"),
        ([{"type": "image_url"}, {"type": "text", "text": "What is this?"}], "What is this?"),
        ({"parts": [{"text": "from Gemini"}]}, "from Gemini"),
        ("", None),
        (None, None),
        ("!!!", None),
        (17, None),
    ],
)
def test_the_first_words_are_the_name(content, name):
    assert name_of(content) == name


def test_a_long_message_is_cut_between_words():
    name = name_of("word " * 100)
    assert len(name) <= NAME_CHARS and name.endswith("word…")
    assert len(name_of("x" * 500)) == NAME_CHARS
