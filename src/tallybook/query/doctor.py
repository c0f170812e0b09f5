"""Examination of the ledger: why data is missing or unpriced, and how to mend it.

What all calls tell is counted by questions; what needs a look at single records (flags, reasons) is looked up in the
latest `SAMPLE` calls or in one example of each group, so that an examination of millions takes a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import metadata

import msgspec

from tallybook.alert.episode import SKEW_US
from tallybook.config import Settings
from tallybook.model.call import Call
from tallybook.model.errors import InputError, SettingError
from tallybook.model.question import Filter, Question
from tallybook.query import currency, folder, served
from tallybook.query.finding import Finding
from tallybook.store.base import CallStore

SAMPLE = 1_000
MODELS_MAX = 20
"""Models named one by one. Beyond: summed up."""
SDKS = ("openai", "anthropic", "google-genai")

_REASONS = {
    "unknown_model": (
        "no price is known for it",
        "give its price in prices.toml (docs/prices.md), or upgrade genai-prices",
    ),
    "usage_missing": ("the response told no token counts", None),
    "no_prices": ("prices were not looked up", None),
}
_FLAGS = {
    "usage_estimated": "tokens were estimated, because the stream broke off before it told them",
    "usage_missing": "the response told no token counts",
    "parts_exceed_input": "the provider told more cached than total input; kept as sent",
    "parts_exceed_output": "the provider told more reasoning than total output; kept as sent",
    "negative_tokens": "the provider told a negative number of tokens; kept as sent",
    "metadata_dropped": "metadata was too large and left out (limit 16 kB)",
    "record_cut": "the record was too large; raw usage and parameters were left out (limit 1 MB)",
    "field_cut": "an identifier was too long and cut (limit 1,000 characters)",
    "body_unreadable": "a response body could not be read as what its endpoint sends",
}


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """Findings in the order they were looked for."""

    folder: str
    findings: list[Finding]

    @property
    def is_bad(self) -> bool:
        """Whether anything is lost or cannot be read."""
        return any(finding.grade == "bad" for finding in self.findings)


def examine(store: CallStore | None, settings: Settings, now_us: int) -> Examined:
    """Look at everything. `store` is `None` when it could not be opened."""
    findings = list(folder.examine(settings, [] if store is None else store.warnings()))
    findings.extend(served.examine(settings.folder, now_us))
    of_prices = list(prices(settings))
    findings.extend(of_prices)
    if store is not None and not any(finding.grade == "bad" for finding in of_prices):
        findings.extend(_calls(store, now_us))
    findings.extend(_currency(settings))
    findings.extend(installed())
    return Examined(folder=str(settings.folder), findings=findings)


def prices(settings: Settings) -> Iterator[Finding]:
    """Mistakes in the user's own prices: a bad row is left out, a file that cannot be read stops all pricing."""
    from tallybook.prices.book import PriceBook

    try:
        cache = settings.folder if settings.folder.is_dir() else None
        faults = PriceBook(cache, prices_file=settings.prices_file).faults
    except SettingError as error:
        yield Finding(check="prices", grade="bad", text=str(error), remedy=error.hint)
        return
    for fault in faults:
        yield Finding(check="prices", grade="warn", text=str(fault), remedy=fault.hint)


def _calls(store: CallStore, now_us: int) -> Iterator[Finding]:
    figures = store.ask(
        Question(measures=("calls", "unpriced_calls", "estimated_calls", "errors", "first_at_us", "last_at_us"))
    ).dicts()[0]
    if not figures["calls"]:
        yield Finding(
            check="calls", grade="warn", text="the ledger has no calls",
            remedy="add `tallybook.instrument()` before the first call; compare TALLYBOOK_DIR of program and shell",
        )  # fmt: skip
        return
    age_s = max(0, now_us - figures["last_at_us"]) // 1_000_000
    yield Finding(
        check="calls", grade="good", text=f"{figures['calls']:,} calls, the latest {_age(age_s)}",
        facts={name: figures[name] for name in ("calls", "first_at_us", "last_at_us")},
    )  # fmt: skip
    yield from _clock(store, now_us)
    yield from unpriced(store, figures["unpriced_calls"])
    yield from _partial(store, figures["calls"])
    yield from _streams(store)
    yield from _sampled(store.calls(limit=SAMPLE))


def _age(seconds: int) -> str:
    for length, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            number = seconds // length
            return f"{number:,} {noun}{'' if number == 1 else 's'} ago"
    return "just now"


def _clock(store: CallStore, now_us: int) -> Iterator[Finding]:
    answer = store.ask(Question(measures=("calls", "last_at_us"), since_us=now_us + SKEW_US))
    calls, last_us = answer.rows[0]
    if calls:
        ahead = (last_us - now_us) // 60_000_000
        yield Finding(
            check="clock", grade="warn", text=f"{calls:,} calls are in the future, by up to {ahead:,} minutes",
            remedy="a machine that records has a wrong clock, or this one has: compare them with `date -u`",
            facts={"calls": calls, "ahead_minutes": ahead},
        )  # fmt: skip
    else:
        yield Finding(check="clock", grade="good", text="no call is in the future")


def unpriced(store: CallStore, missing: int) -> Iterator[Finding]:
    """Calls without a cost, by model, each with the reason that its latest call gives."""
    if not missing:
        yield Finding(check="unpriced", grade="good", text="every call has a cost")
        return
    filters = (Filter("cost_status", "eq", "unpriced"),)
    failed = store.ask(Question(measures=("calls",), filters=(*filters, Filter("status", "ne", "ok")))).rows[0][0]
    rows = store.ask(
        Question(
            measures=("calls",), dimensions=("provider", "model"), filters=(*filters, Filter("status", "eq", "ok")),
            limit=MODELS_MAX,
        )
    ).rows  # fmt: skip
    for provider, model, count in rows:
        example = store.calls(
            [*filters, Filter("status", "eq", "ok"), Filter("provider", "eq", provider), Filter("model", "eq", model)],
            limit=1,
        )
        reasons = example[0].cost.reasons if example and example[0].cost is not None else ()
        text, remedy = _why(reasons)
        near = nearest(provider, model) if model and "unknown_model" in reasons else None
        if near is not None:
            remedy = f"if it is {near}, give it that price in prices.toml (docs/prices.md); or upgrade genai-prices"
        yield Finding(
            check="unpriced", grade="warn",
            text=f"{count:,} calls of {model or 'an unnamed model'} ({provider}) have no cost: {text}",
            remedy=remedy or "see `tallybook show " + (example[0].call_id if example else "ID") + "` for one of them",
            facts={"provider": provider, "model": model, "calls": count, "reasons": list(reasons), "nearest": near},
        )  # fmt: skip
    if failed:
        yield Finding(
            check="unpriced", grade="note",
            text=f"{failed:,} calls that failed or broke off told no tokens, and so have no cost",
            remedy="providers do not bill requests that they refused; those cut off may be billed",
            facts={"calls": failed},
        )  # fmt: skip


def nearest(provider: str, model: str) -> str | None:
    """The listed model whose name is most like this one, of the same provider first; `None` when none is like it."""
    from difflib import get_close_matches  # here, with the price list, because only unknown models need them

    from tallybook.prices import listed

    known = listed.names()
    bare = model.rsplit("/", 1)[-1].lower()
    own = {name: f"{name} ({provider})" for name in known.get(provider, ())}
    every = {name: f"{name} ({by})" for by, found in known.items() for name in found}
    for names in (own, every):
        near = get_close_matches(bare, names, n=1, cutoff=0.75)
        if near:
            return names[near[0]]
    return None


def _why(reasons: Sequence[str]) -> tuple[str, str | None]:
    for reason in reasons:
        if reason in _REASONS:
            return _REASONS[reason]
        if reason.startswith("no_price_for:"):
            what = reason.partition(":")[2].replace("_", " ")
            return f"its price list has none for {what}", "give it in prices.toml (docs/prices.md)"
    return ", ".join(reason.replace("_", " ") for reason in reasons) or "no reason was recorded", None


def _partial(store: CallStore, calls: int) -> Iterator[Finding]:
    rows = store.ask(
        Question(
            measures=("calls",),
            dimensions=("cost_status",),
            filters=(Filter("cost_status", "in", ("partial", "estimated")),),
        )
    ).rows
    for status, count in rows:
        example = store.calls([Filter("cost_status", "eq", status)], limit=1)
        reasons = example[0].cost.reasons if example and example[0].cost is not None else ()
        about = f"; the latest: {', '.join(reason.replace('_', ' ') for reason in reasons)}" if reasons else ""
        what = "know only a part of their cost" if status == "partial" else "have an estimated cost"
        yield Finding(
            check=str(status), grade="note", text=f"{count:,} of {calls:,} calls {what}{about}",
            facts={"calls": count, "reasons": list(reasons)},
        )  # fmt: skip


def _streams(store: CallStore) -> Iterator[Finding]:
    streams = (Filter("is_stream", "eq", True), Filter("status", "eq", "ok"))
    answer = store.ask(
        Question(
            measures=("calls",), dimensions=("provider", "model"),
            filters=(*streams, Filter("input_tokens", "missing"), Filter("output_tokens", "missing")), limit=MODELS_MAX,
        )
    )  # fmt: skip
    for provider, model, count in answer.rows:
        yield Finding(
            check="streams", grade="warn",
            text=f"{count:,} streams of {model or 'an unnamed model'} ({provider}) ended without token counts",
            remedy="let TALLYBOOK_STREAM_USAGE be auto, or ask for them: stream_options={'include_usage': True}",
            facts={"provider": provider, "model": model, "calls": count},
        )  # fmt: skip
    if not answer.rows:
        yield Finding(check="streams", grade="good", text="every stream that ended told its tokens")


def _sampled(calls: Sequence[Call]) -> Iterator[Finding]:
    flags = Counter(flag for call in calls for flag in set(call.flags))
    for flag, count in flags.most_common():
        yield Finding(
            check="flags", grade="note",
            text=f"{flag}: {count:,} of the latest {len(calls):,} calls ({count / len(calls):.1%}): "
            + _FLAGS.get(flag, "see docs/journal.md"),
            facts={"flag": flag, "calls": count, "of": len(calls)},
        )  # fmt: skip
    timed = [call for call in calls if call.ttft_us is not None and call.duration_us]
    same = sum(call.ttft_us == call.duration_us for call in timed)
    if same and same * 10 > len(timed):
        yield Finding(
            check="ttft", grade="warn",
            text=f"{same:,} of {len(timed):,} first-token times equal the whole duration: something fills them in",
            remedy="leave ttft_ms out of records where it was not measured", facts={"calls": same, "of": len(timed)},
        )  # fmt: skip


def _currency(settings: Settings) -> Iterator[Finding]:
    try:
        rates = currency.load(settings.currency, settings.rates_file)
    except (SettingError, InputError) as error:
        yield Finding(check="currency", grade="bad", text=str(error), remedy=error.hint)
        return
    if rates is not None:
        yield Finding(
            check="currency", grade="good", text=f"{rates.currency} rates up to {rates.last_day} in {rates.where}"
        )


def installed() -> Iterator[Finding]:
    """The SDKs that `instrument()` watches, as installed beside this command, against the versions it was tried on."""
    from tallybook.capture.patches.table import TABLE  # here, because only this check needs capture

    for package in SDKS:
        rows = [patch for patch in TABLE if patch.package == package]
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        since, before = max(patch.since for patch in rows), min(patch.before for patch in rows)
        facts = {"package": package, "version": version}
        if numbers < since:
            least = ".".join(map(str, since))
            yield Finding(
                check="sdk", grade="warn", text=f"{package} {version} is older than {least}, the oldest watched",
                remedy=f"upgrade it: pip install -U '{package}>={least}'", facts=facts,
            )  # fmt: skip
        elif numbers >= before:
            yield Finding(
                check="sdk", grade="warn", text=f"{package} {version} is newer than any tried, but is watched",
                remedy="compare a few calls with their responses, and upgrade tallybook", facts=facts,
            )  # fmt: skip
        else:
            yield Finding(
                check="sdk", grade="good", text=f"{package} {version} is watched by instrument()", facts=facts
            )
