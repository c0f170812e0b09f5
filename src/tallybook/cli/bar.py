"""Bars, sparklines and heat cells out of block characters; `#` where the encoding has only ASCII."""

from __future__ import annotations

from collections.abc import Sequence

from tallybook.cli.terminal import Page

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_SHADES = "·░▒▓█"
_ASCII_SHADES = ".-+*#"


def bar(share: float | None, width: int, page: Page) -> str:
    """A bar of `share` (0 to 1) of `width` columns; something is visible for anything above 0."""
    if not share or share < 0:
        return ""
    if not page.has_unicode:
        return "#" * max(1, round(min(1.0, share) * width))
    eighths = max(1, round(min(1.0, share) * width * 8))
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def sparkline(values: Sequence[float | None], page: Page) -> str:
    """One character a value; a value of 0 or unknown is blank."""
    top = max((value for value in values if value), default=0)
    if not page.has_unicode or top <= 0:
        return ""
    return "".join(
        " " if not value or value < 0 else _LEVELS[min(7, max(0, -(-int(value * 8 * 1000 / top) // 1000) - 1))]
        for value in values
    )


def squeezed(values: Sequence[float | None], width: int) -> list[float]:
    """At most `width` values, neighbours added together."""
    known = [value or 0.0 for value in values]
    if len(known) <= width:
        return known
    step = -(-len(known) // width)
    return [sum(known[start : start + step]) for start in range(0, len(known), step)]


def cell(value: float, top: float, page: Page) -> str:
    """One heat cell: five shades, the lightest for nothing at all."""
    shades = _SHADES if page.has_unicode else _ASCII_SHADES
    if value <= 0 or top <= 0:
        return shades[0]
    return shades[min(4, 1 + int(value / top * 3.999))]
