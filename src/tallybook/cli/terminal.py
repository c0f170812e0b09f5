"""What the output goes to: its width, whether it takes colour and more than ASCII. Also all colours used.

It reads the conventions of terminals and systems (NO_COLOR, FORCE_COLOR, TERM, COLUMNS,
TZ), which are no settings of ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TextIO

NARROWEST = 40
"""Columns assumed at least. A terminal below shows wrapped lines; nothing readable fits there."""


class Page(NamedTuple):
    """How to draw. A pipe has no width: nothing is left out or cut there."""

    width: int | None = None
    has_color: bool = False
    has_unicode: bool = True
    is_terminal: bool = False

    def bold(self, text: str) -> str:
        """Headings and totals."""
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        """Side remarks and rules."""
        return self._paint("2", text)

    def good(self, text: str) -> str:
        """Falling cost, success."""
        return self._paint("32", text)

    def bad(self, text: str) -> str:
        """Failures."""
        return self._paint("31", text)

    def warn(self, text: str) -> str:
        """Incomplete coverage, things set aside."""
        return self._paint("33", text)

    def accent(self, text: str) -> str:
        """Bars and marks."""
        return self._paint("36", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_color and text else text

    def mark(self, picture: str) -> str:
        """A picture before a heading, with its space, where the encoding has it."""
        return f"{picture} " if self.has_unicode and picture else ""

    @property
    def dash(self) -> str:
        """What stands for an unknown value."""
        return "\N{EN DASH}" if self.has_unicode else "-"

    @property
    def dot(self) -> str:
        """Separator of remarks in a line."""
        return "·" if self.has_unicode else "|"


def page_of(stream: TextIO, environ: Mapping[str, str]) -> Page:
    """The page of an output stream."""
    is_terminal = stream.isatty()
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("_", "-")
    has_unicode = encoding.startswith("utf")
    if not is_terminal:
        return Page(width=None, has_color=bool(environ.get("FORCE_COLOR")), has_unicode=has_unicode)
    has_color = "NO_COLOR" not in environ and environ.get("TERM") != "dumb"
    return Page(_width(stream, environ), has_color, has_unicode, True)


def _width(stream: TextIO, environ: Mapping[str, str]) -> int:
    given = environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return max(NARROWEST, int(given))
    try:
        return max(NARROWEST, os.get_terminal_size(stream.fileno()).columns or 80)
    except (OSError, ValueError):
        return 80


def local_zone(environ: Mapping[str, str], etc: Path = Path("/etc")) -> str:
    """IANA name of the system's zone: TZ, else where /etc/localtime points, else /etc/timezone, else UTC."""
    given = environ.get("TZ", "").lstrip(":")
    if given and not given.startswith("/"):
        if _is_zone(given):
            return _plain_name(given)
        return "UTC" if given in ("UTC0", "GMT0") else _from_etc(etc)
    return _from_etc(etc)


def _from_etc(etc: Path) -> str:
    try:
        target = str((etc / "localtime").resolve())
    except OSError:
        target = ""
    _, found, name = target.partition("zoneinfo/")
    if found and _is_zone(name):
        return _plain_name(name)
    try:
        name = (etc / "timezone").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return "UTC"
    return _plain_name(name) if _is_zone(name) else "UTC"


def _plain_name(name: str) -> str:
    return "UTC" if name in ("Etc/UTC", "Etc/UCT", "Zulu", "Etc/Zulu", "UCT", "Universal", "Etc/Universal") else name


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo  # here, because UTC needs it not

    if name == "UTC":
        return True
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def stdout_page() -> Page:
    """The page of standard output."""
    return page_of(sys.stdout, os.environ)
