"""What a question over HTTP says: its parameters in any spelling, and the scope that they come to.

Names may be camelCase or snake_case, several values come by repetition. A name that nothing takes is refused with the
ones that it may have meant, so that a misspelt filter never gives figures of everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from starlette.requests import Request

from tallybook.model.errors import InputError, SettingError
from tallybook.model.question import Filter
from tallybook.query import currency, filters, span
from tallybook.query.slice import Condition, conditions
from tallybook.query.totals import Scope
from tallybook.server.context import Context
from tallybook.server.error import HttpError
from tallybook.server.identity import identity_of
from tallybook.server.route import Param
from tallybook.server.scope import confined

_ALIASES = {
    "tz": "timezone", "zone": "timezone", "time_zone": "timezone", "user_id": "user", "agent_name": "agent",
    "project_id": "project", "session_id": "session", "run_id": "run", "from": "since", "start": "since",
    "start_date": "since", "to": "until", "end": "until", "end_date": "until", "group_by": "by", "grain": "interval",
    "tags": "tag", "env": "environment", "page_size": "limit", "error_type": "error",
}  # fmt: skip
PERIODS = {"today": "day", "day": "day", "week": "week", "month": "month"}
_SHORT = 8
"""Words that are told all when one is wrong. Of more only those near it."""
_EXACT = {"session": "session_id", "run": "run_id", "error": "error_type"}
"""Filters that the command line does not have."""

SCOPE = (
    Param("since", "From then on: a date, a time, `7d`, `24h`, `today`, `yesterday`.", example="7d"),
    Param("until", "Up to then; a date is included."),
    Param("days", "Today and the days before, so many in all.", "integer"),
    Param("period", "The current `today`, `week` or `month`."),
    Param("timezone", "IANA name; days and hours are local there. Default: that of the settings, else UTC."),
    Param("currency", "Currency of `cost`; needs a file of rates unless USD."),
    *(
        Param(name, f"Only this {name}. Repeated: any of them; `!x` not x, `~x` contains x, `-` has none.", many=True)
        for name in filters.OPTIONS
    ),
    Param("session", "Only this session.", many=True),
    Param("run", "Only this run.", many=True),
    Param("error", "Only this type of error.", many=True),
    Param("metadata", "Only calls with this metadata, as `key=value`.", many=True),
    Param("filter", "`field:op:value`, op one of eq, ne, in, not_in, contains, gte, lt, exists, missing.", many=True),
)
"""Parameters of every question."""
BY = Param("by", "What to group by: dimensions, by commas or repetition.", many=True, example="model")
COMPARE = Param("compare", "`previous`: beside the same length of time before.")
TOP = Param("top", "Groups at most.", "integer")


def plain_name(name: str) -> str:
    """`userId` and `user_id` as the one name that is used here."""
    if name.startswith("metadata."):
        return name
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
    return _ALIASES.get(snake, snake)


class Given:
    """The parameters of one request."""

    def __init__(self, request: Request, own: Iterable[Param] = ()) -> None:
        """`own` are those beside `SCOPE`. Raises InputError for any other."""
        self._values: dict[str, list[str]] = {}
        self._known = {param.name for param in (*SCOPE, *own)} | {plain_name(param.name) for param in own}
        for name, value in request.query_params.multi_items():
            plain = plain_name(name)
            if plain.startswith("metadata.") and len(plain) > len("metadata."):
                self._values.setdefault("metadata", []).append(f"{plain.removeprefix('metadata.')}={value}")
                continue
            if plain not in self._known:
                raise unknown("parameter", name, self._known)
            self._values.setdefault(plain, []).append(value)

    def refuse_beyond(self, allowed: Iterable[str]) -> None:
        """Raise HttpError 403 for a parameter that a page's token may not ask by."""
        for name in self._values.keys() - set(allowed):
            raise HttpError(403, "forbidden", f"a token may not ask by {name[:100]!r}", field=name[:100])

    def one(self, name: str) -> str | None:
        """The value of a parameter that is given once; an empty one is none. Raises InputError."""
        values = [value for value in self._values.get(name, ()) if value]
        if len(values) > 1:
            raise InputError(f"{name} is given {len(values)} times", field=name, hint="give it once")
        return values[0] if values else None

    def many(self, name: str) -> tuple[str, ...]:
        """All values of a parameter."""
        return tuple(value for value in self._values.get(name, ()) if value)

    def words(self, name: str) -> tuple[str, ...]:
        """Values by commas or repetition."""
        return tuple(part.strip() for value in self.many(name) for part in value.split(",") if part.strip())

    def count(self, name: str, default: int, most: int, least: int = 1) -> int:
        """A whole number. Raises InputError beyond its limits."""
        text = self.one(name)
        if text is None:
            return default
        if not re.fullmatch(r"\d{1,12}", text) or not least <= int(text) <= most:
            raise InputError(f"{name} is a whole number from {least} to {most:,}, not {text[:40]!r}", field=name)
        return int(text)

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str | None:
        """One of some words. Raises InputError."""
        text = self.one(name)
        if text is not None and text not in allowed:
            raise unknown(name, text, allowed)
        return default if text is None else text

    def flag(self, name: str) -> bool:
        """Whether a parameter says yes."""
        return self.choice(name, ("true", "false", "1", "0", "yes", "no")) in ("true", "1", "yes")

    @property
    def is_compared(self) -> bool:
        """Whether `compare=previous` is said."""
        return self.choice("compare", ("previous",)) is not None

    def by(self, default: Sequence[str] = ()) -> tuple[str, ...]:
        """Dimensions to group by."""
        words = self.words("by")
        return filters.dimensions(words) if words else tuple(default)

    def scope(self, request: Request, context: Context, *, days: int | None = None) -> Scope:
        """Span, filters and currency. Without a time: the last `days`, or all. A key's project holds.

        Raises InputError.
        """
        settings = context.settings
        zone = self.one("timezone") or settings.timezone or "UTC"
        span.zone_of(zone)
        code = (self.one("currency") or settings.currency).strip().upper()
        asked = {name: self.many(name) for name in filters.OPTIONS}
        found = filters.build(asked, self.many("metadata"))
        said = [condition(text) for text in self.many("filter")]
        exact = [_among(field, self.many(name)) for name, field in _EXACT.items() if self.many(name)]
        return Scope(
            span=self._span(context.now_us(), zone, days),
            filters=confined(identity_of(request), (*found, *exact, *conditions(said))),
            rates=self._rates(code, settings.rates_file),
        )

    def _rates(self, code: str, file: Path | None) -> currency.Rates | None:
        """The rates of a currency. That one is asked for which the server has no rates of is the asker's mistake."""
        try:
            return currency.load(code, file)
        except SettingError as error:
            if self.one("currency") is None:
                raise
            raise InputError(str(error), field="currency", hint="ask in USD, or set TALLYBOOK_RATES") from error

    def _span(self, now_us: int, zone: str, days: int | None) -> span.Span:
        since, until, period = self.one("since"), self.one("until"), self.choice("period", (*PERIODS, "all"))
        said = self.count("days", 0, 100_000) if self.one("days") is not None else None
        if sum((bool(since or until), said is not None, period is not None)) > 1:
            raise InputError("give one of since/until, days or period", field="since")
        if since or until:
            return span.between(since, until, now_us, zone)
        if period == "all" or (period is None and said is None and days is None):
            return span.everything(now_us, zone)
        if period is not None:
            return span.current(PERIODS[period], now_us, zone)  # type: ignore[arg-type]
        return span.last_days(said or days or 1, now_us, zone)


def condition(text: str) -> Condition:
    """`field:op:value`; values of `in` and `not_in` by commas. Raises InputError."""
    field, _, rest = text.partition(":")
    op, _, value = rest.partition(":")
    if not field or not op:
        raise InputError(
            f"{text[:100]!r} is not field:op:value", field="filter", hint="for example filter=duration_us:gte:5000000"
        )
    values: list[Any] = value.split(",")
    return Condition(field, op, values if op in ("in", "not_in") else value)


def _among(field: str, values: tuple[str, ...]) -> Filter:
    return Filter(field, "eq", values[0]) if len(values) == 1 else Filter(field, "in", values)


def unknown(kind: str, word: str, known: Iterable[str]) -> InputError:
    """The refusal of a word, with those it may have meant."""
    names = sorted(known)
    near = get_close_matches(word[:100], names, n=3, cutoff=0.5) if len(names) > _SHORT else []
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
    return InputError(f"unknown {kind} {word[:100]!r}", field=word[:100], hint=hint)
