"""Figures as people read them: money, counts, durations, shares, changes, moments. Unknown is a dash, never 0."""

from __future__ import annotations

from datetime import datetime
from math import floor, log10
from typing import TYPE_CHECKING

from tallybook.cli.terminal import Page
from tallybook.query.span import local

if TYPE_CHECKING:
    from tallybook.query.totals import Totals

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "CN¥", "INR": "₹", "KRW": "₩", "BRL": "R$"}
WHOLE = ("JPY", "KRW")
"""Currencies without a smaller unit."""


def money(nano: int | None, page: Page, currency: str = "USD", *, is_partial: bool = False) -> str:
    """`$12.40`, `$0.0031`, a dash when unknown; `+` when it lacks calls without a price."""
    if nano is None:
        return page.dash
    symbol = SYMBOLS.get(currency, f"{currency} ")
    if not page.has_unicode and not symbol.isascii():
        symbol = f"{currency} "
    amount = abs(nano) / 1e9
    if nano == 0 or amount >= 0.1:
        text = f"{amount:,.{0 if currency in WHOLE and amount >= 10 else 2}f}"
    elif amount >= 0.0001:
        text = f"{amount:.4f}"
        text = text[:-2] if text.endswith("00") else text.rstrip("0")
    else:
        text = f"{amount:.{1 - floor(log10(amount))}f}".rstrip("0")
    return f"{'-' if nano < 0 else ''}{symbol}{text}{'+' if is_partial else ''}"


def exact(nano: int | None, page: Page) -> str:
    """`$0.0001485`: USD to the last nano-dollar and at least to the cent, so that shown parts add up to their total."""
    if nano is None:
        return page.dash
    whole, rest = divmod(abs(nano), 1_000_000_000)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}${whole:,}.{decimals}"


def cost(totals: Totals, page: Page, currency: str = "USD") -> str:
    """The cost of totals: `unpriced` where no call has a price, `$12.40+` where some lack one."""
    if totals.cost_nano is None:
        return "unpriced" if totals.calls else page.dash
    return money(totals.cost_nano, page, currency, is_partial=totals.unpriced_calls > 0)


def count(value: float | None, page: Page) -> str:
    """`1,234,567`."""
    return page.dash if value is None else f"{value:,.0f}"


def short(value: float | None, page: Page) -> str:
    """`1.2M`, `34k`, `512`."""
    if value is None:
        return page.dash
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            scaled = value / size
            return f"{scaled:.1f}{letter}" if abs(scaled) < 99.95 else f"{scaled:.0f}{letter}"
    return f"{value:.0f}"


def duration(us: float | None, page: Page) -> str:
    """`340ms`, `1.2s`, `2m 05s`, `1h 03m`, `3d 4h`."""
    if us is None:
        return page.dash
    if us == 0:
        return "0ms"
    seconds = us / 1_000_000
    if seconds < 0.9995:
        return f"{us / 1000:.0f}ms" if us >= 10_000 else f"{us / 1000:.1f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours < 48 else f"{hours // 24}d {hours % 24}h"


def percent(share: float | None, page: Page) -> str:
    """`74%`; below one percent `0.3%`, and `<0.1%` rather than a 0 that is none."""
    if share is None:
        return page.dash
    value = share * 100
    if value == 0 or abs(value) >= 1 or value < 0:
        return f"{value:.0f}%"
    return "<0.1%" if value < 0.05 else f"{value:.1f}%"


def change(now: float | None, then: float | None, page: Page, *, more_is_bad: bool | None = None) -> str:
    """`+12%`, `-3%`, `new`; coloured where more is good or bad."""
    if now is None or then is None:
        return page.dash
    if not then:
        return "new" if now else "0%"
    value = (now - then) / then * 100
    text = f"{value:+.0f}%" if abs(value) < 1000 else f"x{now / then:.0f}"
    if more_is_bad is None or abs(value) < 0.5:
        return "0%" if abs(value) < 0.5 else text
    return page.bad(text) if (value > 0) == more_is_bad else page.good(text)


def moment(unix_us: int | None, zone: str, page: Page) -> str:
    """Local date and time to the minute."""
    return page.dash if unix_us is None else f"{local(unix_us, zone):%Y-%m-%d %H:%M}"


def second(unix_us: int, zone: str) -> str:
    """Local date and time to the second."""
    return f"{local(unix_us, zone):%Y-%m-%d %H:%M:%S}"


def hour(value: int) -> str:
    """`10am`, `12pm`, `12am`."""
    return f"{(value - 1) % 12 + 1}{'am' if value % 24 < 12 else 'pm'}"


def size(value: int) -> str:
    """`512 B`, `1.2 MB`, in powers of 1000."""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def plural(number: int, noun: str, many: str | None = None) -> str:
    """`1 call`, `1,204 calls`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def calls(number: int) -> str:
    """`1 call ` or `2 calls`: the numbers of a right-aligned column stand under each other."""
    return f"{number:,} call " if number == 1 else f"{number:,} calls"


def age(unix_us: int, now_us: int) -> str:
    """`just now`, `5 minutes ago`, `3 days ago`."""
    seconds = max(0, now_us - unix_us) // 1_000_000
    for length, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            return f"{plural(seconds // length, noun)} ago"
    return "just now"


def day(text: str) -> str:
    """`2026-11-22` as `Sun 22 Nov`."""
    at = datetime.fromisoformat(text)
    return f"{at:%a} {at.day} {at:%b}"
