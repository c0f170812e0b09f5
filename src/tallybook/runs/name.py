"""The name of a run, from its first message: its first words, without marks of formatting."""

from __future__ import annotations

import re
from typing import Any

NAME_CHARS = 60
_EMPHASIS = re.compile(r"[*`~]+|(?<!\w)_+|_+(?!\w)")
_MARKS = re.compile(r"!?\[|\]\([^)]*\)|<[^>]{1,40}>|[#>\]|]+")
_READ_CHARS = 2_000


def text_of(content: Any) -> str:
    """The text of a message's content: itself, or the text parts of a list as providers have them."""
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple):
        return "\n".join(text for part in content if (text := text_of(part)))
    if isinstance(content, dict):
        for key in ("text", "content", "parts", "input_text"):
            if key in content:
                return text_of(content[key])
    return ""


def name_of(content: Any) -> str | None:
    """The first line with words of a message, at most `NAME_CHARS` characters, cut between words; `None` for none."""
    for line in text_of(content)[:_READ_CHARS].splitlines():
        words = " ".join(_MARKS.sub(" ", _EMPHASIS.sub("", line)).split())
        if not any(one.isalnum() for one in words):
            continue
        if len(words) <= NAME_CHARS:
            return words
        cut = words[: NAME_CHARS - 1]
        at = cut.rfind(" ")
        return f"{cut[:at] if at > NAME_CHARS // 2 else cut}…"
    return None
