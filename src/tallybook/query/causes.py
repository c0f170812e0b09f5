"""Why a provider's export and the ledger differ: what the figures themselves speak for, each with its evidence.

A cause is said only where something in the two sides shows it; it remains a likelihood. The checks know the habits of
exports and of capture: other keys, days cut elsewhere, batches and discounts, cached tokens, streams without usage,
fees that are no tokens, spans that do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from tallybook.model.question import Filter, Question
from tallybook.prices.naming import provider_id
from tallybook.query.bills.base import Bill, rezoned
from tallybook.query.reconcile import Cause, Figures, Pair, Reconciliation, canonical, compare
from tallybook.query.span import local
from tallybook.store.base import CallStore

NAMED = 3
"""Models, keys and days named in one cause; the rest is counted."""
BATCH_SHARE = 0.5
SLACK = 0.03
"""How near a ratio must lie to half, or to the others', to be taken for a batch or a discount."""


def explain(
    store: CallStore, bill: Bill, found: Reconciliation, zones: Sequence[str], filters: Sequence[Filter] = ()
) -> list[Cause]:
    """Likely causes of the differences, the plainest first. `zones` are tried for the days."""
    if found.is_within:
        return []
    causes = [
        *_nothing(found),
        *_one_key(found),
        *_window(store, bill, found, filters),
        *_zone(store, bill, found, zones, filters),
        *_not_recorded(found),
        *_not_exported(found),
        *_fees(bill),
        *_unpriced(found),
        *_batch_and_discount(bill, found),
        *_cached(found),
        *_estimated(found),
        *_more_calls(found),
    ]
    return (
        causes
        or [*_more_money(found)]
        or [
            Cause(
                code="unexplained",
                text="nothing in the two sides tells why",
                remedy="`tallybook calls --model …` lists single calls; compare some with the provider's log",
            )
        ]
    )


def _nothing(found: Reconciliation) -> Iterator[Cause]:
    if not found.total.ledger.requests:
        yield Cause(
            code="not_recorded",
            text=f"the ledger has no call of {found.provider} in this span",
            remedy="check the folder (--dir) and that the programs call tallybook.instrument()",
            cost_nanousd=found.total.bill.cost_nanousd,
        )


def _one_key(found: Reconciliation) -> Iterator[Cause]:
    """The export covers several keys or projects, and the ledger agrees with one of them, or with all but one."""
    if len(found.keys) < 2 or found.total.is_within or not found.total.ledger.requests:
        return
    name = next(iter(found.keys[0].by))
    whole, ledger = found.total.bill, found.total.ledger
    for pair in found.keys:
        if found.tolerance.within(pair.bill, ledger):
            yield Cause(
                code="other_keys",
                text=f"the ledger agrees with {name} {pair.by[name]} alone; the export has {len(found.keys)}",
                remedy=f"export that {name} only, or record the programs that use the others",
                cost_nanousd=_less(whole.cost_nanousd, pair.bill.cost_nanousd),
            )
            return
    for pair in found.keys:
        rest = Figures(
            **{field: _less(getattr(whole, field), getattr(pair.bill, field)) for field in _COMPARED}  # type: ignore[arg-type]
        )
        if found.tolerance.within(rest, ledger):
            yield Cause(
                code="other_keys",
                text=f"without {name} {pair.by[name]} the export agrees with the ledger: its calls are not recorded",
                remedy="record the programs that use it, or leave it out of the export",
                cost_nanousd=pair.bill.cost_nanousd,
            )
            return
    if (whole.cost_nanousd or 0) > (ledger.cost_nanousd or 0) or (whole.input_tokens or 0) > (ledger.input_tokens or 0):
        yield Cause(
            code="other_keys",
            text=f"the export covers {len(found.keys)} {name}s; the ledger knows only what its programs call",
            remedy="--key-by project (or metadata.KEY) compares them one by one",
        )


_COMPARED = ("input_tokens", "output_tokens", "requests", "cost_nanousd")


def _less(whole: int | None, part: int | None) -> int | None:
    return None if whole is None else whole - (part or 0)


def _window(store: CallStore, bill: Bill, found: Reconciliation, filters: Sequence[Filter]) -> Iterator[Cause]:
    answer = store.ask(
        Question(measures=("calls", "first_at_us", "last_at_us"), dimensions=("provider",), filters=tuple(filters))
    )
    rows = [row for row in answer.dicts() if provider_id(row["provider"] or "") == found.provider and row["calls"]]
    if not rows:
        return
    first = min(row["first_at_us"] for row in rows)
    last = max(row["last_at_us"] for row in rows)
    days = [pair for pair in found.days if not pair.is_within and not pair.ledger.requests]
    before = [pair for pair in days if pair.by["day"] < str(local(first, found.zone).date())]
    after = [pair for pair in days if pair.by["day"] > str(local(last, found.zone).date())]
    for pairs, text in ((before, "begins only on"), (after, "ends on")):
        if pairs:
            day = local(first if pairs is before else last, found.zone).date()
            yield Cause(
                code="outside_ledger",
                text=f"the ledger {text} {day}: {len(pairs)} days of the export lie outside it",
                remedy=f"compare {'--since' if pairs is before else '--until'} {day}",
                cost_nanousd=_sum(pairs),
            )
    if bill.form.endswith("JSON") and any("has_more" in remark for remark in found.remarks):
        yield Cause(code="pages_missing", text="the export's last page says that more follow", remedy="give all pages")


def _zone(
    store: CallStore, bill: Bill, found: Reconciliation, zones: Sequence[str], filters: Sequence[Filter]
) -> Iterator[Cause]:
    """The whole agrees and days do not: they are cut elsewhere."""
    off = [pair for pair in found.days if not pair.is_within]
    if len(off) < 2:
        return
    for zone in dict.fromkeys(zones):
        if zone == found.zone:
            continue
        again = compare(store, rezoned(bill, zone), tolerance=found.tolerance, filters=filters)
        if again.total.is_within and all(pair.is_within for pair in again.days):
            yield Cause(
                code="day_zone",
                text=f"days that begin at midnight in {zone} agree, those of {found.zone} do not",
                remedy=f"--day-zone {zone}",
            )
            return
    if found.total.is_within:
        yield Cause(
            code="day_zone",
            text=f"the whole agrees, {len(off)} days do not: they may begin at another hour than midnight {found.zone}",
            remedy="--day-zone ZONE, the zone that the provider's page is set to",
        )


def _not_recorded(found: Reconciliation) -> Iterator[Cause]:
    missing = [
        pair for pair in found.models if not pair.is_within and not pair.ledger.requests and _is_model(pair.by["model"])
    ]
    if missing and found.total.ledger.requests:
        yield Cause(
            code="models_not_recorded",
            text=f"the ledger has no call of {_list([str(pair.by['model']) for pair in missing])}",
            remedy="other programs or keys use them, or their client is not instrumented (`tallybook doctor`)",
            cost_nanousd=_sum(missing),
        )


def _not_exported(found: Reconciliation) -> Iterator[Cause]:
    """Models that only the ledger has: exports of OpenAI cover one endpoint each."""
    extra = [
        pair
        for pair in found.models
        if not pair.is_within and pair.ledger.requests and not (pair.bill.cost_nanousd or pair.bill.input_tokens)
    ]
    if extra and found.total.bill.requests != 0:
        why = (
            "OpenAI exports usage by endpoint (completions, embeddings, images …)"
            if found.provider == "openai"
            else ("another account, workspace or project may have served it")
        )
        yield Cause(
            code="not_in_export",
            text=f"the export has nothing of {_list([str(pair.by['model']) for pair in extra])}, the ledger has",
            remedy=f"{why}: compare with the export that has them, or leave them out with --model",
        )


def _is_model(name: str | None) -> bool:
    return name is not None and not name.startswith("(")


def _fees(bill: Bill) -> Iterator[Cause]:
    by_item: dict[str, int] = {}
    for line in bill.lines:
        if line.item is not None and line.cost_nanousd:
            by_item[line.item] = by_item.get(line.item, 0) + line.cost_nanousd
    if by_item:
        items = sorted(by_item, key=lambda item: -by_item[item])
        yield Cause(
            code="fees",
            text=f"the export holds fees that are not tokens of a model: {_list(items)}",
            remedy="the ledger counts a tool's fee with its call, where it knows one; storage and training it cannot",
            cost_nanousd=sum(by_item.values()),
        )


def _unpriced(found: Reconciliation) -> Iterator[Cause]:
    """Calls without a price, where the export has more money than the ledger."""
    if found.total.bill.cost_nanousd is None:
        return
    pairs = found.models or [found.total]
    lacking = [
        pair
        for pair in pairs
        if pair.ledger.unpriced_calls
        and not pair.is_within
        and (pair.bill.cost_nanousd or 0) > (pair.ledger.cost_nanousd or 0)
    ]
    if lacking:
        calls = sum(pair.ledger.unpriced_calls for pair in lacking)
        names = f": {_list([str(pair.by['model']) for pair in lacking])}" if found.models else ""
        wholly = [pair for pair in lacking if pair.ledger.cost_nanousd is None]
        yield Cause(
            code="unpriced",
            text=f"{calls:,} calls in the ledger have no price{names}",
            remedy="`tallybook doctor` tells why; a price in prices.toml and `tallybook reprice` mend it",
            cost_nanousd=_sum(wholly) if wholly else None,
        )


def _batch_and_discount(bill: Bill, found: Reconciliation) -> Iterator[Cause]:
    """Tokens agree and money does not, by the same factor."""
    ratios: dict[str, float] = {}
    for pair in found.models:
        mine, theirs = pair.bill.cost_nanousd, pair.ledger.cost_nanousd
        priced = pair.ledger.unpriced_calls <= SLACK * (pair.ledger.requests or 0)
        if mine and theirs and not pair.is_within and priced and _tokens_agree(found, pair):
            ratios[str(pair.by["model"])] = mine / theirs
    halved = [name for name, ratio in ratios.items() if abs(ratio - BATCH_SHARE) <= SLACK]
    batched = {canonical(line.model) for line in bill.lines if line.is_batch}
    if halved or (batched and any(not pair.is_within and pair.by["model"] in batched for pair in found.models)):
        names = halved or [str(name) for name in batched]
        yield Cause(
            code="batch",
            text=f"{_list(names)} cost about half of what the ledger says, as batches and flex calls do",
            remedy="their calls must be recorded as batches (is_batch) or with their service tier",
        )
    others = [ratio for ratio in ratios.values() if abs(ratio - BATCH_SHARE) > SLACK]
    if len(others) > 1 and max(others) - min(others) <= SLACK:
        change = sum(others) / len(others) - 1
        yield Cause(
            code="discount",
            text=f"{len(others)} models cost {abs(change):.0%} {'less' if change < 0 else 'more'} than list prices",
            remedy="a negotiated price, regional premium or tax: prices.toml takes your own prices and multipliers",
        )


def _tokens_agree(found: Reconciliation, pair: Pair) -> bool:
    """Whether the tokens agree; where the export has none, the single ratio of its money must speak alone."""
    bare = msgspec.structs.replace(pair.bill, cost_nanousd=None)
    return found.tolerance.within(bare, pair.ledger)


def _cached(found: Reconciliation) -> Iterator[Cause]:
    for pair in (*found.models, found.total):
        mine, theirs = pair.bill.cache_read_tokens or 0, pair.ledger.cache_read_tokens or 0
        total = pair.bill.input_tokens or 0
        if total and not pair.is_within and abs(mine - theirs) > max(1_000, 0.02 * total):
            name = pair.by.get("model", "the whole")
            yield Cause(
                code="cached_tokens",
                text=f"{name}: {mine:,} tokens read from the cache in the export, {theirs:,} in the ledger",
                remedy="calls imported without cache figures, or a client that adds cached tokens to the input twice",
            )
            return


def _estimated(found: Reconciliation) -> Iterator[Cause]:
    number = found.total.ledger.estimated_calls
    if number:
        yield Cause(
            code="estimated",
            text=f"{number:,} calls in the ledger have estimated figures: streams that broke off or told no usage",
            remedy="OpenAI-shaped streams tell it with stream_options.include_usage (TALLYBOOK_STREAM_USAGE=auto asks)",
        )


def _more_calls(found: Reconciliation) -> Iterator[Cause]:
    bill, ledger = found.total.bill, found.total.ledger
    if bill.requests and (ledger.requests or 0) > bill.requests * (1 + found.tolerance.share) + 1:
        yield Cause(
            code="recorded_more",
            text=f"the ledger has {ledger.requests or 0:,} calls, the export {bill.requests:,}",
            remedy="failed calls are not billed; calls recorded twice have the same model, time and tokens",
        )


def _more_money(found: Reconciliation) -> Iterator[Cause]:
    """Nothing else speaks, and the ledger has more than was billed."""
    bill, ledger = found.total.bill.cost_nanousd, found.total.ledger.cost_nanousd or 0
    if bill is not None and ledger > bill:
        yield Cause(
            code="not_billed_yet",
            text="the ledger has more than the export",
            remedy="exports lag by hours to a day, leave out free credits and other workspaces; export again later",
            cost_nanousd=ledger - bill,
        )


def _sum(pairs: Sequence[Pair]) -> int | None:
    known = [pair.bill.cost_nanousd for pair in pairs if pair.bill.cost_nanousd is not None]
    return sum(known) if known else None


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
