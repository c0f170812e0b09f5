"""Does the ledger match the invoice? A provider's export beside the ledger, by day, model and key.

What is compared is what the export tells: tokens, requests, money. Two figures agree when they differ by no more than
the tolerance, a share of the larger one, or by less than a floor below which nobody looks. Days are cut where the
export cuts them. Calls that the ledger cannot price lack in its cost; they are counted and named as a cause.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from tallybook.model.errors import InputError
from tallybook.model.question import Filter, Question
from tallybook.prices import naming, registry
from tallybook.query.bills.base import DAY, Bill, Line
from tallybook.query.span import local, midnight_us
from tallybook.store.base import CallStore

TOKENS_FLOOR = 50
REQUESTS_FLOOR = 1
"""Differences up to these never count, whatever the tolerance."""

_MEASURES = (
    "calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_nanousd",
    "unpriced_calls", "estimated_calls",
)  # fmt: skip
_CLAUDE_TURNED = re.compile(r"^claude-(\d(?:-\d)?)-(opus|sonnet|haiku|fable)$")
_BEHIND = re.compile(r"\s*\(.*\)$")


class Figures(msgspec.Struct, kw_only=True):
    """Sums of one side. `None` is not told."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    requests: int | None = None
    cost_nanousd: int | None = None
    unpriced_calls: int = 0
    estimated_calls: int = 0

    def add(self, **values: int | None) -> None:
        """Add what is told."""
        for name, value in values.items():
            if value is not None:
                setattr(self, name, (getattr(self, name) or 0) + value)


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides of one day, model, key, or of the whole."""

    by: dict[str, Any]
    bill: Figures
    ledger: Figures
    is_within: bool


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A likely reason for a difference, with what speaks for it and what to do."""

    code: str
    text: str
    remedy: str | None = None
    cost_nanousd: int | None = None
    """How much of the difference it would explain, where that can be told."""


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How much two figures may differ: a share of the larger one, or an amount below which nobody looks."""

    share: float = 0.01
    floor_nanousd: int = 10_000_000

    def agree(self, bill: int | None, ledger: int | None, floor: int) -> bool:
        """Whether two figures agree. What the export does not tell is no difference."""
        if bill is None:
            return True
        return abs(bill - (ledger or 0)) <= max(floor, self.share * max(abs(bill), abs(ledger or 0)))

    def within(self, bill: Figures, ledger: Figures) -> bool:
        """Whether money and tokens agree; requests too where nothing else is told."""
        checks = [
            self.agree(bill.cost_nanousd, ledger.cost_nanousd, self.floor_nanousd),
            self.agree(bill.input_tokens, ledger.input_tokens, TOKENS_FLOOR),
            self.agree(bill.output_tokens, ledger.output_tokens, TOKENS_FLOOR),
        ]
        if bill.cost_nanousd is None and bill.input_tokens is None and bill.output_tokens is None:
            checks.append(self.agree(bill.requests, ledger.requests, REQUESTS_FLOOR))
        return all(checks)


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison."""

    form: str
    provider: str
    zone: str
    since_us: int
    until_us: int
    tolerance: Tolerance
    total: Pair
    days: list[Pair]
    models: list[Pair]
    keys: list[Pair]
    causes: list[Cause] = []
    remarks: list[str] = []

    @property
    def is_within(self) -> bool:
        """Whether all that was compared agrees: the whole, each day, each model, each key where asked for."""
        return self.total.is_within and all(pair.is_within for pair in (*self.days, *self.models, *self.keys))


class Side(msgspec.Struct, kw_only=True):
    """The ledger's figures of the provider in the export's window."""

    rows: list[dict[str, Any]]
    """By day, model and, where asked for, key."""
    warnings: list[str]


def canonical(name: str | None) -> str | None:
    """A model's name as both sides are compared by it: the registry's, else lower case without a date."""
    if name is None:
        return None
    slug = _BEHIND.sub("", name.strip()).lower().replace(" ", "-")
    for spelling in (name, slug, slug.replace(".", "-")):
        found = registry.find(spelling)
        if found is not None:
            return found
    bare = slug.rpartition("/")[2]
    bare = re.sub(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2})$", "", bare)
    turned = _CLAUDE_TURNED.match(bare.replace(".", "-"))
    if turned is not None:
        return registry.find(f"claude-{turned.group(2)}-{turned.group(1)}") or bare
    return bare


def compare(
    store: CallStore,
    bill: Bill,
    *,
    tolerance: Tolerance,
    since_us: int | None = None,
    until_us: int | None = None,
    filters: Sequence[Filter] = (),
    key_by: str | None = None,
) -> Reconciliation:
    """Both sides by day, model and key. Raises InputError when no line of the export lies in the span."""
    lines = [
        line
        for line in bill.lines
        if (since_us is None or line.start_us >= since_us) and (until_us is None or line.start_us < until_us)
    ]
    if not lines:
        raise InputError(
            "no line of the export lies in that span of time", field="--since",
            hint="leave --since and --until out to compare the export's own span",
        )  # fmt: skip
    bill = bill._replace(lines=lines)
    first, last = min(line.start_us for line in lines), _end(bill)
    side = ask(store, bill, first, last, filters, key_by)
    by_day = _paired(
        "day", _billed(bill, lambda line: str(local(line.start_us, bill.zone).date())), side, lambda row: row["time"],
        tolerance,
    )  # fmt: skip
    models: list[Pair] = []
    remarks = [*bill.remarks, *side.warnings]
    if bill.has_models:
        models = _paired(
            "model", _billed(bill, lambda line: canonical(line.model) or _named(line)), side,
            lambda row: canonical(row["model"]), tolerance,
        )  # fmt: skip
    else:
        remarks.append("the export is not grouped by model: export it by model to see which one differs")
    return Reconciliation(
        form=bill.form,
        provider=bill.provider,
        zone=bill.zone,
        since_us=first,
        until_us=last,
        tolerance=tolerance,
        total=_total(bill, side, tolerance),
        days=sorted(by_day, key=lambda pair: pair.by["day"]),
        models=sorted(models, key=_weight, reverse=True),
        keys=sorted(_keys(bill, side, key_by, tolerance), key=_weight, reverse=True),
        remarks=remarks,
    )


def ask(
    store: CallStore,
    bill: Bill,
    since_us: int,
    until_us: int,
    filters: Sequence[Filter] = (),
    key_by: str | None = None,
    zone: str | None = None,
) -> Side:
    """The ledger's figures of the bill's provider, by day in the bill's zone (or another), model and key."""
    dimensions = ("provider", "model", "is_batch", *(() if key_by is None else (key_by,)))
    answer = store.ask(
        Question(
            measures=_MEASURES, dimensions=dimensions, filters=tuple(filters), since_us=since_us, until_us=until_us,
            grain="day", zone=zone or bill.zone,
        )
    )  # fmt: skip
    rows = []
    for row in answer.dicts():
        if naming.provider_id(row["provider"] or "") == bill.provider:
            row["key"] = row[key_by] if key_by is not None else None
            rows.append(row)
    return Side(rows=rows, warnings=list(answer.warnings))


def _end(bill: Bill) -> int:
    """The end of the last line; of single moments, that of the day they lie in."""
    last = max(line.end_us for line in bill.lines)
    if all(line.end_us - line.start_us <= 1 for line in bill.lines):
        return midnight_us(local(last - 1, bill.zone).date() + DAY, bill.zone)
    return last


def _named(line: Line) -> str:
    return f"({line.item})" if line.item else "(no model)"


def _billed(bill: Bill, by: Callable[[Line], Any]) -> dict[Any, Figures]:
    found: dict[Any, Figures] = {}
    for line in bill.lines:
        found.setdefault(by(line), Figures()).add(
            input_tokens=line.input_tokens,
            output_tokens=line.output_tokens,
            cache_read_tokens=line.cache_read_tokens,
            cache_write_tokens=line.cache_write_tokens,
            requests=line.requests,
            cost_nanousd=line.cost_nanousd,
        )
    return found


def _recorded(rows: Iterable[dict[str, Any]], by: Callable[[dict[str, Any]], Any]) -> dict[Any, Figures]:
    found: dict[Any, Figures] = {}
    for row in rows:
        found.setdefault(by(row), Figures()).add(
            requests=row["calls"],
            **{name: row[name] for name in _MEASURES if name != "calls"},
        )
    return found


def _paired(
    name: str, billed: dict[Any, Figures], side: Side, by: Callable[[dict[str, Any]], Any], tolerance: Tolerance
) -> list[Pair]:
    recorded = _recorded(side.rows, by)
    template = next(iter(billed.values()), Figures())
    found = []
    for value in dict.fromkeys((*billed, *recorded)):
        # What one side lacks altogether is nothing, not unknown: the export tells all it has.
        mine = billed.get(value) or _zero(template)
        theirs = recorded.get(value, Figures(requests=0))
        found.append(Pair(by={name: value}, bill=mine, ledger=theirs, is_within=tolerance.within(mine, theirs)))
    return found


def _zero(like: Figures) -> Figures:
    def zero(value: int | None) -> int | None:
        return None if value is None else 0

    return Figures(
        input_tokens=zero(like.input_tokens), output_tokens=zero(like.output_tokens), requests=zero(like.requests),
        cost_nanousd=zero(like.cost_nanousd),
    )  # fmt: skip


def _total(bill: Bill, side: Side, tolerance: Tolerance) -> Pair:
    mine = _billed(bill, lambda line: None)[None]
    theirs = _recorded(side.rows, lambda row: None).get(None, Figures(requests=0))
    return Pair(by={}, bill=mine, ledger=theirs, is_within=tolerance.within(mine, theirs))


def _keys(bill: Bill, side: Side, key_by: str | None, tolerance: Tolerance) -> list[Pair]:
    """By key, else by project, as the export has them; the ledger's side where it was said what stands for them."""
    has_keys = any(line.key is not None for line in bill.lines)
    billed = _billed(bill, lambda line: line.key if has_keys else line.project)
    if list(billed) == [None]:
        return []
    name = "key" if has_keys else "project"
    if key_by is not None:
        return _paired(name, billed, side, lambda row: row["key"], tolerance)
    return [Pair(by={name: value}, bill=mine, ledger=Figures(), is_within=True) for value, mine in billed.items()]


def _weight(pair: Pair) -> tuple[int, int]:
    """The largest difference in money first, else in tokens."""
    money = abs((pair.bill.cost_nanousd or 0) - (pair.ledger.cost_nanousd or 0)) if pair.bill.cost_nanousd else 0
    tokens = sum(
        abs((getattr(pair.bill, name) or 0) - (getattr(pair.ledger, name) or 0))
        for name in ("input_tokens", "output_tokens")
    )
    return money, tokens
