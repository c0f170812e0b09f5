"""One row of a file of prices (`prices.toml`, or our own overlay): whom and when it is for, and what it changes.

A row sets a price, adds what a price lacks (`mode = "fill"`), changes some of its amounts (`"amend"`), or
multiplies it (`multiply`). The format is in `docs/prices.md`. A mistake in one row is told with its line and leaves
the other rows as they are: a file is cut at its `[[price]]` headings, and each piece is read by itself.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import msgspec

from tallybook.model.errors import SettingError
from tallybook.model.money import nanousd, picousd_per_token
from tallybook.prices import naming
from tallybook.prices.base import DAY_MINUTES, Key, Rate
from tallybook.prices.facts import NAMES, host_of

Mode = Literal["set", "fill", "amend", "multiply"]

PARTS = (
    "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "input_audio", "input_image",
    "output_audio", "output_image", "reasoning", "cache_read_audio", "cache_read_image",
)  # fmt: skip
"""Fields of a row in USD per million tokens; with `_picousd` those of a rate."""

UNITS: dict[str, tuple[str, int]] = {
    "audio_second": ("audio_ms", 1_000), "audio_minute": ("audio_ms", 60_000), "audio_hour": ("audio_ms", 3_600_000),
    "character": ("characters", 1), "million_characters": ("characters", 1_000_000),
    "page": ("pages", 1), "thousand_pages": ("pages", 1_000), "annotated_page": ("annotated_pages", 1),
    "image": ("images", 1), "search": ("search_units", 1), "thousand_searches": ("search_units", 1_000),
}  # fmt: skip
"""Names in a row's `units`: which of `Usage.quantities` they price, and how many of them the price is for."""

_OTHERS = frozenset(
    (
        "provider", "model", "except", "service_tier", "batch", "since", "until", "hours", "days", "holidays",
        "above_input_tokens", "request", "tools", "once", "units", "units_instead", "free", "mode", "multiply",
        "parts", "where", "base_url", "deployment", "project", "estimated", "confirms", "source", "checked", "note",
    )
)  # fmt: skip
_KNOWN = _OTHERS | set(PARTS)
_GROUPS = {"tokens": frozenset(PARTS), "tools": frozenset(("tools",)), "units": frozenset(("units",)),
           "request": frozenset(("request",))}  # fmt: skip
_HINT = "mend the row, see docs/prices.md for the format; the other rows hold meanwhile"
_HEADING = re.compile(r"^[ \t]*\[\[[ \t]*price[ \t]*\]\][^\n]*$", re.MULTILINE)
_CLOCK = re.compile(r"^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")


class Row(NamedTuple):
    """One row. Globs are in lower case."""

    name: str
    """File and number, as it stands in `Cost.price`."""
    providers: tuple[str, ...]
    """The price list's ids, or `*`."""
    models: tuple[str, ...]
    others: tuple[str, ...]
    """Models that the row is not for, though one of `models` matches."""
    tier: str | None
    any_tier: bool
    """Whether the row is for all tiers: a multiplier that names none."""
    mode: Mode
    rate: Rate
    factor: Fraction
    parts: frozenset[str]
    """What is multiplied."""
    where: tuple[tuple[str, tuple[str, ...]], ...]
    """Facts (`prices.facts`) that must be told, and globs one of which must match; `!` in front turns it round."""
    base_url: str | None = None
    deployment: str | None = None
    project: str | None = None
    confirms: tuple[str, ...] = ()
    """Doubts of the price list that the row settles."""

    def names(self, key: Key, facts: Mapping[str, str]) -> bool:
        """Whether the row is for this key, whatever the tier."""
        if "*" not in self.providers and naming.provider_id(key.provider) not in self.providers:
            return False
        model = key.model.lower()
        if not any(_is_like(model, glob) for glob in self.models) or any(_is_like(model, glob) for glob in self.others):
            return False
        return (
            all(name in facts and _is_one(facts[name], globs) for name, globs in self.where)
            and (_fits(key.base_url, self.base_url) or _fits(host_of(key.base_url), self.base_url))
            and _fits(key.deployment or key.model, self.deployment)
            and _fits(key.project, self.project)
        )


def _is_like(text: str, glob: str) -> bool:
    return text == glob or ("*" in glob and fnmatchcase(text, glob.replace("[", "[[]")))


def _is_one(text: str, globs: tuple[str, ...]) -> bool:
    return any(not _is_like(text, glob[1:]) if glob.startswith("!") else _is_like(text, glob) for glob in globs)


def _fits(told: str | None, glob: str | None) -> bool:
    return glob is None or (told is not None and _is_like(told.lower(), glob))


class File(NamedTuple):
    """What a file of prices holds: its good rows in order, and an error for each bad one."""

    rows: tuple[Row, ...]
    faults: tuple[SettingError, ...]


def read(text: str, name: str) -> File:
    """The rows of a text. Every error names the file, the line, the row's number and what is allowed."""
    rows: list[Row] = []
    faults: list[SettingError] = []
    calendars: dict[str, tuple[int, ...]] = {}
    for number, (line, piece) in enumerate(_pieces(text)):
        where = f"{name}, line {line}" + (f", price {number}" if number else "")
        try:
            data = tomllib.loads(piece, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            faults.append(SettingError(f"{where}: {_placed(str(error), line)}", hint=_HINT))
            continue
        try:
            if number == 0:
                calendars = _calendars(data)
            else:
                rows.extend(_rows(data, f"{name}: price {number}", calendars))
        except (ValueError, ArithmeticError, TypeError) as error:
            faults.append(SettingError(f"{where}: {error}", hint=_HINT))
    return File(tuple(rows), tuple(faults))


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of what stands before the first row, and of each row."""
    starts = [found.start() for found in _HEADING.finditer(text)]
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        yield text.count("\n", 0, start) + 1, text[start:end]


def _placed(message: str, line: int) -> str:
    """TOML's message with the line of the file instead of that of the piece."""
    return re.sub(r"at line (\d+)", lambda found: f"at line {int(found[1]) + line - 1}", message)


def _calendars(data: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """`[holidays]` before the first row: days by the calendar's name."""
    calendars = data.pop("holidays", {})
    if data or not isinstance(calendars, dict):
        raise ValueError(f"only [[price]] rows and [holidays] may stand here, not {sorted(data) or 'holidays = …'}")
    found = {}
    for name, days in calendars.items():
        if not isinstance(days, list) or not all(type(day) is date for day in days):
            raise ValueError(f"holidays.{name} must be a list of dates such as [2026-10-01]")
        found[name] = tuple(sorted((day - date(1970, 1, 1)).days for day in days))
    return found


def _rows(data: dict[str, Any], name: str, calendars: Mapping[str, tuple[int, ...]]) -> list[Row]:
    """The rows of one `[[price]]` table: one for each stretch of its hours."""
    found = data.pop("price", [])
    if data or len(found) != 1:
        raise ValueError(f"only [[price]] rows may stand here, not {sorted(data)}")
    row: dict[str, Any] = found[0]
    unknown = row.keys() - _KNOWN
    if unknown:
        raise ValueError(f"unknown field {sorted(unknown)[0]!r}; known: {', '.join(sorted(_KNOWN))}")
    mode = _mode(row)
    rate = _rate(row, name, mode, calendars)
    tier = naming.tier(row.get("service_tier"), bool(row.get("batch")))
    factor = _factor(row["multiply"]) if mode == "multiply" else Fraction(1)
    base = Row(
        name=name,
        providers=tuple([each if each == "*" else naming.provider_id(each) for each in _texts(row, "provider")]),
        models=_lower(_texts(row, "model")),
        others=_lower(_texts(row, "except", needed=False)),
        tier=tier,
        any_tier=tier is None and mode != "set" and "service_tier" not in row and "batch" not in row,
        mode=mode,
        rate=rate,
        factor=factor,
        parts=_parts(row),
        where=_where(row),
        base_url=_glob(row, "base_url"),
        deployment=_glob(row, "deployment"),
        project=_glob(row, "project"),
        confirms=_texts(row, "confirms", needed=False),
    )
    return [
        base._replace(rate=msgspec.structs.replace(rate, from_minute=start, to_minute=end))
        for start, end in _hours(row.get("hours"))
    ]


def _mode(row: Mapping[str, Any]) -> Mode:
    prices = [part for part in (*PARTS, "tools", "units", "request") if part in row]
    if "multiply" in row:
        if prices or row.get("free") or "mode" in row:
            raise ValueError(
                f"a row that multiplies sets no price of its own, but this has {prices or 'free, or mode'}"
            )
        return "multiply"
    mode = row.get("mode", "set")
    if mode not in ("set", "fill", "amend"):
        raise ValueError(f"mode must be set, fill or amend, not {mode!r}")
    if not prices and not row.get("free") and not (mode == "amend" and ("confirms" in row or "estimated" in row)):
        raise ValueError("a row needs a price, a fee per request, units, multiply, or free = true")
    return mode  # type: ignore[no-any-return]


def _rate(row: Mapping[str, Any], name: str, mode: Mode, calendars: Mapping[str, tuple[int, ...]]) -> Rate:
    prices = {part + "_picousd": picousd_per_token(_amount(row[part], part)) for part in PARTS if part in row}
    above = row.get("above_input_tokens", 0)
    if not isinstance(above, int) or isinstance(above, bool) or above < 0:
        raise ValueError(f"above_input_tokens must be a whole number of tokens, not {above!r}")
    since, until = _moment(row.get("since"), "since"), _moment(row.get("until"), "until")
    if since is not None and until is not None and until <= since:
        raise ValueError("until must be later than since")
    days = row.get("days", "")
    if days not in ("", "work", "rest"):
        raise ValueError(f"days must be work or rest, not {days!r}")
    calendar = row.get("holidays")
    if calendar is not None and calendar not in calendars:
        raise ValueError(f"no calendar {calendar!r} under [holidays]; known: {', '.join(calendars) or 'none'}")
    from tallybook.prices.listed import lacking  # here, because that module reads rows of its own

    rate = Rate(
        request_nanousd=nanousd(_amount(row.get("request", 0), "request")),
        tools_nanousd={kind: nanousd(_amount(fee, f"tools.{kind}")) for kind, fee in _table(row, "tools").items()},
        tools_once=_texts(row, "once", needed=False),
        units_attousd=dict(_unit(unit, amount) for unit, amount in _table(row, "units").items()),
        units_instead=bool(row.get("units_instead", False)),
        above_input_tokens=above,
        since_us=since,
        until_us=until,
        days=days,
        holidays=calendars.get(calendar, ()) if calendar else (),
        price=name,
        is_free=bool(row.get("free", False)),
        estimated=row.get("estimated"),
        lacking=lacking(_texts(row, "model")[0], prices) if mode == "set" else (),
    )
    return msgspec.structs.replace(rate, **prices)


def _texts(row: Mapping[str, Any], field: str, *, needed: bool = True) -> tuple[str, ...]:
    value = row.get(field)
    if value is None and not needed:
        return ()
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(each, str) and each for each in found):
        raise ValueError(f"{field} must be given as text, or as a list of texts")
    return tuple(found)


def _lower(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([text.lower() for text in texts])


def _glob(row: Mapping[str, Any], field: str) -> str | None:
    found = _texts(row, field, needed=False)
    if len(found) > 1:
        raise ValueError(f"{field} must be one text; a * stands for anything")
    return found[0].lower() if found else None


def _table(row: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = row.get(field, {})
    if not isinstance(value, dict):
        raise ValueError(f"{field} must be a table of USD per use")
    return value


def _where(row: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    value = row.get("where", {})
    if not isinstance(value, dict) or not value.keys() <= NAMES:
        raise ValueError(f"where must be a table of facts; known: {', '.join(sorted(NAMES))}")
    return tuple([(name, _lower(_texts(value, name))) for name in sorted(value)])


def _parts(row: Mapping[str, Any]) -> frozenset[str]:
    given = _texts(row, "parts", needed=False)
    if not given:
        return frozenset().union(*_GROUPS.values())
    unknown = [part for part in given if part not in PARTS and part not in _GROUPS]
    if unknown:
        raise ValueError(f"parts: unknown {unknown[0]!r}; known: {', '.join((*_GROUPS, *PARTS))}")
    return frozenset().union(*[_GROUPS.get(part, frozenset((part,))) for part in given])


def _unit(unit: str, amount: Any) -> tuple[str, int]:
    if unit not in UNITS:
        raise ValueError(f"units: unknown {unit!r}; known: {', '.join(UNITS)}")
    name, count = UNITS[unit]
    return name, unit_attousd(_amount(amount, f"units.{unit}"), count)


def unit_attousd(price_usd: Decimal, count: int) -> int:
    """Price of one unit in atto-USD, from the price of `count` of them in USD, rounded half to even."""
    return round(Fraction(price_usd) * 10**18 / count)


def _amount(value: Any, field: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise ValueError(f"{field} must be a number of USD, not {value!r}")
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{field} must not be negative, infinite or NaN")
    return amount


def _factor(value: Any) -> Fraction:
    """A factor as a number, or as a fraction in text: `"5/3"`."""
    if isinstance(value, str):
        try:
            factor = Fraction(value)
        except (ValueError, ZeroDivisionError):
            raise ValueError(f'multiply must be a number such as 0.85 or "5/3", not {value!r}') from None
    else:
        factor = Fraction(_amount(value, "multiply"))
    if factor < 0:
        raise ValueError("multiply must not be negative")
    return factor


def _moment(value: Any, field: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    else:
        raise ValueError(f"{field} must be a date such as 2026-10-01 (UTC), not {value!r}")
    return int(moment.timestamp()) * 1_000_000


def _hours(value: Any) -> list[tuple[int, int]]:
    """Stretches of minutes of the UTC day; one over midnight becomes two."""
    if value is None:
        return [(0, DAY_MINUTES)]
    found: list[tuple[int, int]] = []
    for text in value if isinstance(value, list) else [value]:
        clock = _CLOCK.match(text) if isinstance(text, str) else None
        if clock is None:
            raise ValueError(f'hours must be UTC times such as "01:00-04:00", not {text!r}')
        start, end = int(clock[1]) * 60 + int(clock[2]), int(clock[3]) * 60 + int(clock[4])
        if max(start, end) > DAY_MINUTES or start == end:
            raise ValueError(f"hours must lie between 00:00 and 24:00 and not be empty, not {text!r}")
        found += [(start, end)] if start < end else [(start, DAY_MINUTES), (0, end)]
    return [stretch for stretch in found if stretch[0] < stretch[1]]
