"""How each format counts, and what each host does otherwise, as one table.

The arithmetic of OpenAI-shaped hosts (`openai_usage`) goes by what a usage object shows, so that it is right behind a
proxy whose host tells nothing; this table says which habit that was, for `explain` and the documentation, and holds
each of them to the hosts that are known to have it. A habit that only a host can tell has its arithmetic here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.value import mapping, number, whole

RULES: dict[str, str] = {
    "openai": "input includes cached tokens, output includes reasoning; total = input + output",
    "openai.embeddings": "input only; hosts that tell no input tell it as the total",
    "openai.images": "tokens where the model counts them, pictures always",
    "openai.speech": "characters of the request; tokens only in an event stream",
    "openai.transcription": "tokens or seconds, by the usage's own type",
    "openai.moderation": "counts nothing: free",
    "openai.realtime": "each answer has a usage of its own; the session is their sum, transcription apart",
    "openai.runs": "one usage when the run ends; its steps repeat parts of it",
    "anthropic.messages": "input_tokens excludes the cache: input = input + cache writes + cache reads; "
    "output includes thinking",
    "anthropic.complete": "the legacy endpoint tells no usage",
    "google.generate": "input = prompt + what tools brought in, cached content inside; output = candidates + thoughts",
    "google.interactions": "input = input + tool use, cached content inside; output = output + thoughts",
    "google.live": "each turn has a usage of its own; output = response + thoughts, which the total leaves out",
    "google.embeddings": "input only, by the sum of all texts' tokens, or billable characters",
    "google.images": "pictures that were made",
    "google.predict": "tokens and billable characters of the token metadata",
    "google.video": "videos that were made; their seconds are not told",
    "bedrock.converse": "inputTokens excludes the cache: input = input + cache writes + cache reads",
    "bedrock": "the vendor's own rule; what the body does not tell, headers or invocation metrics do",
    "bedrock.agent": "sum of the model invocations in the trace; without a trace nothing is told",
    "cohere": "billed units, not the tokens that the model saw",
    "rerank": "search units (Cohere), or all tokens as input",
    "ollama": "what was evaluated: a prompt cached from the call before is left out",
    "dashscope": "input includes cached tokens, output includes reasoning; each event of a stream tells all so far",
    "workers_ai": "input and output by usage, where the model tells it",
    "mistral.ocr": "pages",
    "mistral.conversations": "prompt, with what connectors brought in where the total has it, and completion",
    "replicate": "seconds of the hardware, and tokens where the model counts them",
    "huggingface": "generated tokens; the prompt's only where asked for",
    "watsonx": "input tokens of the first result, generated tokens of all",
    "xai.grpc": "completion_tokens excludes reasoning: output = completion + reasoning",
    "video": "seconds of video",
    "deepgram": "length of the sound",
    "sound": "length of the sound, or characters of the text",
}
"""The rule of a format, by its name or the part of it before the dot."""


def rule(format_name: str) -> str:
    """How a format counts, in one sentence; empty for one without a rule of its own."""
    if format_name.endswith(".batch"):
        return "each result by the rule of the answer inside it"
    return RULES.get(format_name) or RULES.get(format_name.partition(".")[0], "")


class Habit(NamedTuple):
    """What some hosts of an OpenAI-shaped interface do otherwise than OpenAI."""

    name: str
    hosts: tuple[str, ...]
    """Providers known for it."""
    text: str
    is_shown: Callable[[Mapping[str, Any]], bool]
    """Whether a usage object shows it."""


def _total_gap(raw: Mapping[str, Any]) -> int | None:
    """What the total has beyond input and output."""
    total = whole(raw.get("total_tokens"))
    asked = whole(raw.get("prompt_tokens", raw.get("input_tokens")))
    said = whole(raw.get("completion_tokens", raw.get("output_tokens")))
    return None if total is None or asked is None or said is None else total - asked - said


def _inside(raw: Mapping[str, Any], name: str) -> int | None:
    return whole(mapping(raw.get("prompt_tokens_details", raw.get("input_tokens_details"))).get(name))


def _reasoning(raw: Mapping[str, Any]) -> int | None:
    details = mapping(raw.get("completion_tokens_details", raw.get("output_tokens_details")))
    return whole(details.get("reasoning_tokens")) or whole(raw.get("reasoning_tokens"))


def _has(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda raw: any(raw.get(name) is not None for name in names)


def _is_reasoning_beside(raw: Mapping[str, Any]) -> bool:
    return bool(_reasoning(raw)) and _total_gap(raw) == _reasoning(raw)


def _is_reasoning_hidden(raw: Mapping[str, Any]) -> bool:
    return not _reasoning(raw) and (_total_gap(raw) or 0) > 0 and not is_audio_beside(raw)


def is_audio_beside(raw: Mapping[str, Any]) -> bool:
    """Mistral: audio input is in the total and not in `prompt_tokens`; sometimes only its seconds are told."""
    gap = _total_gap(raw) or 0
    return gap > 0 and (number(raw.get("prompt_audio_seconds")) is not None or _inside(raw, "audio_tokens") == gap)


def _is_reasoning_left_out(raw: Mapping[str, Any]) -> bool:
    """Vercel's Gemini routes. (Whether a total of a Gemini route leaves it out, the model's name decides.)"""
    said = whole(raw.get("completion_tokens"))
    return "market_cost" in raw and bool(_reasoning(raw)) and (_reasoning(raw) or 0) > (said or 0)


def _is_cache_beyond_input(raw: Mapping[str, Any]) -> bool:
    asked = whole(raw.get("prompt_tokens", raw.get("input_tokens")))
    return asked is not None and (_inside(raw, "cached_tokens") or 0) > asked


HABITS = (
    Habit(
        "reasoning_beside_output", ("x-ai",),
        "completion_tokens excludes reasoning and the total has it: output = completion + reasoning",
        _is_reasoning_beside,
    ),
    Habit(
        "reasoning_from_total", ("google",),
        "reasoning shows only as what the total has more: output = total - input",
        _is_reasoning_hidden,
    ),
    Habit(
        "reasoning_left_out", ("vercel",),
        "on Gemini routes completion and total leave reasoning out: output = completion + reasoning",
        _is_reasoning_left_out,
    ),
    Habit(
        "audio_beside_input", ("mistral",),
        "audio input is in the total and not in prompt_tokens: input = prompt + audio",
        is_audio_beside,
    ),
    Habit(
        "cache_beyond_input", ("azure",),
        "Grok on Azure tells more cached tokens than prompt tokens: cut to the prompt, flagged",
        _is_cache_beyond_input,
    ),
    Habit(
        "cache_hit_and_miss", ("deepseek",),
        "prompt = cache hits + misses; the hits are the cached part",
        _has("prompt_cache_hit_tokens"),
    ),
    Habit(
        "flat_cached_tokens", ("moonshotai", "together"),
        "the cached part of the prompt stands beside it, not in details",
        _has("cached_tokens"),
    ),
    Habit(
        "num_cached_tokens", ("mistral",),
        "the cached part of the prompt stands beside it, not in details",
        _has("num_cached_tokens"),
    ),
    Habit(
        "singular_details", ("writer", "openai"),
        "details are called prompt_token_details and completion_token_details, and may be null",
        _has("prompt_token_details", "completion_token_details"),
    ),
    Habit(
        "cost_in_ticks", ("x-ai",),
        "the cost charged is stated in ticks of 1e-10 USD, searches included; 0 is not told",
        lambda raw: bool(whole(raw.get("cost_in_usd_ticks"))),
    ),
    Habit(
        "own_key", ("openrouter", "vercel"),
        "with the user's own key the host's fee is stated as cost, and the upstream's charge beside it: both count",
        lambda raw: raw.get("is_byok") is True,
    ),
    Habit(
        "cost_of_parts", ("perplexity",),
        "the cost charged is stated with its parts, the search fee among them; usage is cumulative in every chunk",
        lambda raw: mapping(raw.get("cost")).get("total_cost") is not None,
    ),
    Habit(
        "cost_stated", ("openrouter", "vercel"),
        "the cost charged is stated in USD",
        lambda raw: number(raw.get("cost")) is not None and raw.get("is_byok") is not True,
    ),
    Habit(
        "cost_estimated_by_gateway", ("pydantic-gateway",),
        "the gateway's own estimate of the cost is not a charge and is not taken for one",
        _has("pydantic_ai_gateway"),
    ),
    Habit(
        "timings", ("llamacpp",),
        "the cached part of the prompt is the timings' cache_n",
        _has("timings"),
    ),
    Habit(
        "queue_times", ("groq", "huggingface"),
        "times of queue, prompt and completion stand among the counts, in seconds; usage may come in x_groq too, once",
        _has("queue_time"),
    ),
)  # fmt: skip


def shown(raw: Any) -> tuple[Habit, ...]:
    """The habits that a usage object shows, whoever's it is; none for what is no OpenAI-shaped one."""
    if not isinstance(raw, Mapping):
        return ()
    return tuple(habit for habit in HABITS if habit.is_shown(raw))


def of_host(provider: str) -> tuple[Habit, ...]:
    """The habits that a provider is known for."""
    return tuple(habit for habit in HABITS if provider in habit.hosts)


def timed(usage: Usage | None, timings: Any) -> tuple[Usage | None, tuple[str, ...]]:
    """llama.cpp: a usage with the cached part that its timings tell, or their counts where there is no usage."""
    told = mapping(timings)
    cached = whole(told.get("cache_n"))
    if usage is None:
        fresh, said = whole(told.get("prompt_n")), whole(told.get("predicted_n"))
        if fresh is None or said is None:
            return None, ()
        return settled(Usage(input_tokens=fresh + (cached or 0), output_tokens=said, cache_read_tokens=cached))
    if cached is None or usage.cache_read_tokens is not None:
        return usage, ()
    return settled(msgspec.structs.replace(usage, cache_read_tokens=cached))


def told(format_name: str, raw: Any) -> str:
    """The rule by which a usage was counted, with the habits it shows, as one text for people."""
    found = [rule(format_name)] if rule(format_name) else []
    if format_name.startswith("openai."):
        found += [habit.text for habit in shown(raw)]
    return "; ".join(found)


_LEAST_SOUND_MS = {"groq": 10_000}
"""Hosts that bill a recording as no shorter than this: https://console.groq.com/docs/speech-to-text"""


def least_billed(provider: str | None, usage: Usage) -> Usage:
    """The usage with its sound as long as the host bills it."""
    least, sound_ms = _LEAST_SOUND_MS.get(provider or "", 0), usage.quantities.get("audio_ms", 0)
    if not 0 < sound_ms < least:
        return usage
    return msgspec.structs.replace(usage, quantities={**usage.quantities, "audio_ms": least})
