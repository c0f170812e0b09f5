"""Learning how far token estimates are off: stored answers, whose text and provider's count are both in the ledger.

Only calls whose whole answer was stored teach (`LLM_STORE_RESPONSES`): visible text alone, no tools and no reasoning,
a count that the provider gave, and a stored text of exactly the length that the call recorded, so that nothing was cut
or masked. Without such calls nothing is learnt and nothing is corrected.
"""

from __future__ import annotations

from tallybook.model.call import Call
from tallybook.model.question import Filter
from tallybook.prices import tokenizer, tokens
from tallybook.prices.ratio import FACTOR_MAX, FACTOR_MIN, Ratios
from tallybook.store.base import CallStore

CALLS_MAX = 40
"""Answers read at one time: each costs some milliseconds, and a ratio needs few."""
LOOKED_AT_MAX = 2_000
"""Calls looked at for such answers, newest first."""
TOKENS_MIN = 20
"""Shorter answers say little: one token more or less is much of them."""


def learn(store: CallStore, ratios: Ratios, *, calls_max: int = CALLS_MAX) -> int:
    """Take the newest answers since the last time into `ratios`; the number taken."""
    since_us = ratios.until_us + 1 if ratios.until_us else None
    calls = store.calls((Filter("status", "eq", "ok"),), since_us=since_us, limit=LOOKED_AT_MAX)
    taken = 0
    for call in calls:
        if taken >= calls_max:
            break
        if _teaches(call) and _take(store, ratios, call):
            taken += 1
    if calls:
        ratios.until_us = max(ratios.until_us, calls[0].started_at_us)
    return taken


def _teaches(call: Call) -> bool:
    usage = call.usage
    return (
        bool(call.response_model or call.model)
        and bool(call.response_chars)
        and (usage.output_tokens or 0) >= TOKENS_MIN
        and not (usage.reasoning_tokens or usage.output_audio_tokens or usage.output_image_tokens)
        and not call.tool_calls
        and not usage.requests
        and not any(flag.startswith("usage_") for flag in call.flags)
    )


def _take(store: CallStore, ratios: Ratios, call: Call) -> bool:
    body = store.body(call.call_id)
    text = None if body is None else body.get("response")
    if not isinstance(text, str) or len(text) != call.response_chars:
        return False
    model = call.response_model or call.model or ""
    actual = call.usage.output_tokens or 0
    estimates = {"characters": tokens.raw(text, model, "characters")}
    if tokenizer.is_installed():
        estimates["tokenizer"] = tokens.raw(text, model, "tokenizer")
    if any(not FACTOR_MIN <= actual / max(1, estimate) <= FACTOR_MAX for estimate in estimates.values()):
        return False  # Reasoning that the provider does not tell apart, or several choices of which one was stored.
    for basis, estimate in estimates.items():
        ratios.add(model, basis, estimate, actual)  # type: ignore[arg-type]
    return True
