"""Token accounting of OpenAI-shaped `usage` objects, with the habits of the hosts that copy them.

OpenAI's own rule: cached input is inside the input, reasoning inside the output, total = input + output. What
hosts do otherwise shows in the object itself, so that no host name is needed:

- cached tokens flat in `usage` (DeepSeek, Moonshot, Together, Mistral, LiteLLM);
- reasoning beside the output: total = input + output + reasoning (xAI chat), or reasoning greater than the output
  (Gemini behind Vercel's gateway), or only visible as what the total has more (Gemini's OpenAI endpoint);
- audio input beside the input (Mistral: 9 + 375 audio + 201 = 585).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.model.money import nanousd
from tallybook.model.usage import Usage, is_sound
from tallybook.providers.accounting import settled
from tallybook.providers.value import mapping, number, uses, whole, word


class Counted(NamedTuple):
    """A usage in normal form, what was odd in it, and a cost that the host stated."""

    usage: Usage
    flags: tuple[str, ...] = ()
    cost_nanousd: int | None = None


_PLAIN_KEYS = frozenset(
    (
        "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
        "input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details",
    )
)  # fmt: skip
"""OpenAI's own keys; a usage with only these needs no look for the habits of other hosts."""


class _Inside(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    cached_tokens: int | None = None
    audio_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Outside(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class _Plain(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """OpenAI's own chat usage, to the letter."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _Inside | None = None
    completion_tokens_details: _Outside | None = None


_CHAT_KEYS = frozenset(_Plain.__struct_fields__)
_NOTHING_INSIDE = _Inside()
_NOTHING_OUTSIDE = _Outside()


def _plainly(raw: Mapping[str, Any]) -> Usage | None:
    """The usage of OpenAI's own form with nothing odd in it, by the shortest way; `None` sends it the long way."""
    if type(raw) is not dict or not raw.keys() <= _CHAT_KEYS:
        return None
    try:
        told = msgspec.convert(raw, _Plain)
    except msgspec.ValidationError:
        return None
    if told.total_tokens != told.prompt_tokens + told.completion_tokens:
        return None
    inside = told.prompt_tokens_details or _NOTHING_INSIDE
    outside = told.completion_tokens_details or _NOTHING_OUTSIDE
    usage = Usage(
        input_tokens=told.prompt_tokens,
        output_tokens=told.completion_tokens,
        cache_read_tokens=inside.cached_tokens,
        cache_write_5m_tokens=inside.cache_write_tokens,
        input_audio_tokens=inside.audio_tokens,
        input_image_tokens=inside.image_tokens,
        reasoning_tokens=outside.reasoning_tokens,
        output_audio_tokens=outside.audio_tokens,
        output_image_tokens=outside.image_tokens,
    )
    return usage if is_sound(usage) else None


def counted(raw: Mapping[str, Any], model: str | None = None) -> Counted:
    """The normal form of an OpenAI-shaped `usage`, in chat's names (`prompt_tokens`) or Responses' (`input_tokens`).

    `model` is the one that answered; it matters for Vercel's gateway only, whose Gemini routes leave the reasoning
    out of output and total.
    """
    plain = _plainly(raw)
    if plain is not None:
        return Counted(plain)
    return _counted(raw, model)


def _counted(raw: Mapping[str, Any], model: str | None) -> Counted:
    """The long way, for usage objects of any host."""
    get = raw.get
    asked = get("prompt_tokens")
    said = get("completion_tokens")
    input_tokens = whole(asked if asked is not None else get("input_tokens"))
    output_tokens = whole(said if said is not None else get("output_tokens"))
    total = whole(get("total_tokens"))
    inside = get("prompt_tokens_details")
    if inside is None:
        inside = get("input_tokens_details") or get("prompt_token_details") or get("input_token_details")
    outside = get("completion_tokens_details")
    if outside is None:
        outside = get("output_tokens_details") or get("completion_token_details") or get("output_token_details")
    flags: tuple[str, ...] = ()
    cache_read = cache_write = audio_in = image_in = reasoning = audio_out = image_out = None
    if inside:
        inside = mapping(inside)
        cache_read = whole(inside.get("cached_tokens"))
        cache_write = whole(inside.get("cache_write_tokens"))
        if cache_write is None:
            cache_write = whole(inside.get("cache_creation_tokens"))
        audio_in = whole(inside.get("audio_tokens"))
        image_in = whole(inside.get("image_tokens"))
    if outside:
        outside = mapping(outside)
        reasoning = whole(outside.get("reasoning_tokens"))
        audio_out = whole(outside.get("audio_tokens"))
        image_out = whole(outside.get("image_tokens"))
    is_plain = raw.keys() <= _PLAIN_KEYS
    if not is_plain:
        if cache_read is None:
            cache_read = _first(
                raw, "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens"
            )
        if cache_write is None:
            cache_write = _first(raw, "cache_write_tokens", "cache_creation_input_tokens")
        if reasoning is None:
            reasoning = whole(get("reasoning_tokens"))
    if total is not None and input_tokens is not None:
        if output_tokens is None:
            output_tokens = max(total - input_tokens, 0) if "completion_tokens" in raw else None
        elif total != input_tokens + output_tokens:
            if audio_in is None and raw.get("prompt_audio_seconds") is not None:
                audio_in = max(total - input_tokens - output_tokens, 0)  # Mistral: in the total, outside the prompt.
            input_tokens, output_tokens, reasoning, flags = _reconciled(
                input_tokens, output_tokens, total, reasoning, audio_in
            )
        elif reasoning and "market_cost" in raw and (reasoning > output_tokens or (model or "").startswith("google/")):
            output_tokens += reasoning
    usage = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read,
        cache_write_5m_tokens=cache_write,
        input_audio_tokens=audio_in,
        input_image_tokens=image_in,
        reasoning_tokens=reasoning,
        output_audio_tokens=audio_out,
        output_image_tokens=image_out,
        requests={} if is_plain else server_tools(raw),
        quantities={} if is_plain else _quantities(raw),
    )
    usage, found = settled(usage)
    if found:
        flags += found
    if not is_plain and isinstance(searched := get("search_context_size"), str) and searched:
        flags += (f"search_context:{searched}",)  # Perplexity's fee for a request goes by it.
    return Counted(usage, flags, None if is_plain else stated_cost(raw))


def _reconciled(
    input_tokens: int, output_tokens: int, total: int, reasoning: int | None, audio: int | None
) -> tuple[int, int, int | None, tuple[str, ...]]:
    """Input, output and reasoning that fit a total which is not their sum, and a flag where nothing fits."""
    gap = total - input_tokens - output_tokens
    if gap < 0:
        return input_tokens, output_tokens, reasoning, ("total_below_parts",)
    if reasoning == gap:
        return input_tokens, output_tokens + gap, reasoning, ()
    if audio == gap:
        return input_tokens + gap, output_tokens, reasoning, ()
    if not reasoning:
        return input_tokens, output_tokens + gap, gap, ("reasoning_from_total",)
    return input_tokens, output_tokens + gap, reasoning, ("total_above_parts",)


def _first(raw: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = whole(raw.get(name))
        if value is not None:
            return value
    return None


def server_tools(raw: Mapping[str, Any]) -> dict[str, int]:
    """Uses of the host's own tools that its usage object counts (OpenRouter, xAI, Perplexity)."""
    found: dict[str, int] = {}
    for key in ("server_tool_use_details", "server_tool_use"):
        searches = uses(mapping(raw.get(key)).get("web_search_requests"))
        if searches:
            found["web_search"] = searches
    for key, value in mapping(raw.get("server_side_tool_usage_details")).items():
        count = uses(value)
        if count and key.endswith("_calls"):
            name = key.removesuffix("_calls")
            found[{"code_interpreter": "code_execution"}.get(name, name)] = count
    queries = uses(raw.get("num_search_queries"))
    if queries:
        found.setdefault("web_search", queries)
    return found


def _quantities(raw: Mapping[str, Any]) -> dict[str, int]:
    seconds = number(raw.get("prompt_audio_seconds"))
    return {"audio_ms": round(seconds * 1000)} if seconds else {}


_COST_NANOUSD_MAX = 10**18
"""A thousand million dollars: what is stated beyond is no cost of one call, and would not fit its column."""


def stated_cost(raw: Mapping[str, Any]) -> int | None:
    """What the host says the call cost, in nano-USD; `None` for none, and for one beyond all sense.

    OpenRouter and Vercel: `cost` in USD; with the user's own key (`is_byok`) it is only the host's fee, and the
    upstream's charge comes on top. Perplexity: `cost.total_cost`. xAI: ticks of 1e-10 USD, where 0 means not told.
    """
    stated = _stated(raw)
    return stated if stated is not None and 0 <= stated <= _COST_NANOUSD_MAX else None


def _stated(raw: Mapping[str, Any]) -> int | None:
    ticks = whole(raw.get("cost_in_usd_ticks"))
    if ticks:
        return (ticks + 5) // 10
    cost = raw.get("cost")
    if isinstance(cost, Mapping):
        amount = number(cost.get("total_cost"))
        return None if amount is None else nanousd(amount)
    amount = number(cost)
    if isinstance(cost, str):
        try:
            return nanousd(cost)
        except ValueError:
            return None
    if amount is None:
        return None
    if raw.get("is_byok") is True:
        upstream = number(mapping(raw.get("cost_details")).get("upstream_inference_cost"))
        if upstream is None:
            upstream = number(raw.get("market_cost"))
        return None if upstream is None else nanousd(amount) + nanousd(upstream)
    return nanousd(amount)


def retention(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """How long the prompt's cache was asked to live, as the flag that prices go by: later models charge for it.

    Source: https://developers.openai.com/api/docs/guides/prompt-caching, `prompt_cache_retention`.
    """
    asked = word(parameters.get("prompt_cache_retention"))
    return () if asked is None else (f"cache_ttl:{asked}",)
