"""What explains the disagreements that `bench/accuracy.py` finds: one row for each heading of docs/accuracy.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Call, Cost
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of, key_of
from tallybook.providers.sse import looks_like_sse
from tallybook.query.explain import Explained, priced


class Doubt(NamedTuple):
    """One figure that differs from ours."""

    check: str
    file: str
    id: Any
    told: Any
    ours: Any
    seen: Explained | None = None


class Book:
    """Rates by key, kept for the whole run."""

    def __init__(self) -> None:
        self._book = PriceBook()

    def cost(self, call: Call) -> Cost:
        """What a call costs by its tokens."""
        return cost_of(call, self._book.rates([key_of(call)])[key_of(call)])

    def priced(self, found: list[Explained]) -> list[Explained]:
        """As `explain` prices them."""
        return priced(found, self._book)


def raw_of(one: Explained) -> dict[str, Any]:
    """The provider's own usage object of a single answer."""
    return one.usage_raw if isinstance(one.usage_raw, dict) else {}


_USAGE_TEXT = re.compile(
    rb'"(usage|usageMetadata|usage_metadata|tokens|billed_units)"\s*:\s*\{\s*"|_eval_count"|[tT]okenCount"|token_count"'
)
"""What any usage in a body looks like, whatever the format."""


def _no_usage_anywhere(doubt: Doubt) -> bool:
    return doubt.check == "usage" and doubt.seen is not None and not _USAGE_TEXT.search(doubt.seen.seen.exchange.body)


def _is_stream(doubt: Doubt) -> bool:
    body = b"" if doubt.seen is None else doubt.seen.seen.exchange.body
    return looks_like_sse(body) or body[:1] == b"\0" or body.count(b"\n{") > 0


def _vercel_thoughts(doubt: Doubt) -> bool:
    seen = doubt.seen
    return (
        doubt.check == "total"
        and seen is not None
        and seen.provider == "vercel"
        and (seen.model or "").startswith("google/")
    )


def _has_iterations(doubt: Doubt) -> bool:
    if doubt.check not in ("input", "extraction") or doubt.seen is None:
        return False
    return any(item.get("type") == "compaction" for item in raw_of(doubt.seen).get("iterations") or ())


def _told_elsewhere(doubt: Doubt) -> bool:
    """Counts that a total holds and the parts do not, by exactly what we have more."""
    if doubt.check != "extraction" or doubt.seen is None:
        return False
    raw, told, ours = raw_of(doubt.seen), doubt.told, doubt.ours
    return told[0] == ours[0] and told[1] < ours[1] == raw.get("total_tokens", 0) - raw.get("prompt_tokens", 0)


def _mistral_cache(doubt: Doubt) -> bool:
    raw = raw_of(doubt.seen) if doubt.seen is not None else {}
    return (
        doubt.check == "extraction" and bool(raw.get("num_cached_tokens")) and doubt.ours[2] == raw["num_cached_tokens"]
    )


def _edited_total(doubt: Doubt) -> bool:
    raw = raw_of(doubt.seen) if doubt.seen is not None else {}
    is_small = doubt.check == "total" and doubt.told < max(
        raw.get("promptTokenCount", 0), raw.get("candidatesTokenCount", 0)
    )
    return is_small and doubt.seen is not None and doubt.seen.seen.exchange.is_url_guessed


def _live_thoughts(doubt: Doubt) -> bool:
    raw = raw_of(doubt.seen) if doubt.seen is not None else {}
    return (
        doubt.check == "total"
        and "responseTokenCount" in raw
        and doubt.ours - doubt.told == raw.get("thoughtsTokenCount")
    )


def _in_progress(doubt: Doubt) -> bool:
    body = b"" if doubt.seen is None else doubt.seen.seen.exchange.body
    return doubt.check == "usage" and re.search(rb'"status"\s*:\s*"(queued|in_progress)"', body) is not None


def _is_cut(doubt: Doubt) -> bool:
    seen = doubt.seen
    return doubt.check == "usage" and seen is not None and (seen.status == "incomplete" or not seen.seen.exchange.body)


def _older_price(doubt: Doubt) -> bool:
    """The other project's figure is what our list says for an earlier day."""
    if doubt.check != "price" or doubt.seen is None or not doubt.seen.calls:
        return False
    book, call = PriceBook(), doubt.seen.calls[0]
    starts = {rate.since_us - 1 for rate in book.rates([key_of(call)])[key_of(call)] if rate.since_us}
    costs = [
        cost_of(msgspec.structs.replace(call, started_at_us=at), book.rates([key_of(call)])[key_of(call)])
        for at in starts
    ]
    return any(abs((cost.total_nanousd or 0) - (cost.tools_nanousd or 0) - doubt.told) <= 2 for cost in costs)


def _audio_as_text(doubt: Doubt) -> bool:
    is_audio = doubt.seen is not None and doubt.seen.usage is not None and bool(doubt.seen.usage.input_audio_tokens)
    return doubt.check == "price" and is_audio and "audio" in (doubt.seen.response_model or "")


def _flex_as_standard(doubt: Doubt) -> bool:
    is_flex = doubt.seen is not None and "flex" in (doubt.seen.service_tier or "").lower()
    return doubt.check == "price" and is_flex and doubt.ours * 2 == doubt.told


def _rounded_cost(doubt: Doubt) -> bool:
    is_round = doubt.check == "tokens" and doubt.told % 1_000_000 == 0 and abs(doubt.told - doubt.ours) < 500_000
    return is_round and doubt.seen is not None and doubt.seen.provider == "perplexity"


def _attachment_fee(doubt: Doubt) -> bool:
    used = {} if doubt.seen is None or doubt.seen.usage is None else doubt.seen.usage.requests
    return doubt.check == "tokens" and doubt.ours - doubt.told == 5_000_000 * used.get("attachment_search", 0)


def _successors_price(doubt: Doubt) -> bool:
    """xAI's charge is that of the model which took the retired one's place."""
    if doubt.check != "tokens" or doubt.seen is None or not (doubt.seen.response_model or "").startswith("grok-4-fast"):
        return False
    call = msgspec.structs.replace(doubt.seen.calls[0], cost=None, model="grok-4.3", response_model="grok-4.3")
    return Book().cost(call).total_nanousd == doubt.told


def _billed_as_opus(doubt: Doubt) -> bool:
    return doubt.check == "agent" and doubt.ours * 5 == doubt.told * 3


# Each explanation: its name (a heading in docs/accuracy.md) and which doubts it explains. The first that holds counts.
EXPLANATIONS: tuple[tuple[str, Callable[[Doubt], bool]], ...] = (
    ("A response still in progress", _in_progress),
    ("A stream that was not asked for its usage", lambda doubt: _no_usage_anywhere(doubt) and _is_stream(doubt)),
    ("A body that was cut or is empty", _is_cut),
    ("An endpoint that tells no usage", _no_usage_anywhere),
    ("Vercel's gateway leaves Gemini's thoughts out", _vercel_thoughts),
    ("Gemini Live leaves thoughts out of its total", _live_thoughts),
    ("Compactions are billed besides the top level", _has_iterations),
    ("Thoughts that show only in the total", _told_elsewhere),
    ("Mistral's num_cached_tokens", _mistral_cache),
    ("A total that was edited by hand", _edited_total),
    ("List prices that have changed since", _older_price),
    ("Audio that the other project bills as text", _audio_as_text),
    ("Flex that the other project bills as standard", _flex_as_standard),
    ("Perplexity states its cost in thousandths of a dollar", _rounded_cost),
    ("xAI's fee for searching an attachment", _attachment_fee),
    ("A retired model billed as its successor", _successors_price),
    ("The agent SDK's bill under another model's name", _billed_as_opus),
)


def explained(doubt: Doubt) -> str | None:
    """The name of the explanation of a doubt; `None` where there is none."""
    return next((name for name, holds in EXPLANATIONS if holds(doubt)), None)
