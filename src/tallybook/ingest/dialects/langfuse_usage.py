"""Usage as Langfuse's clients tell it, in our normal form.

Three shapes: OpenAI's own object, counted by OpenAI's rules; `input`, `output` and `total` with a unit; and free keys
(`usageDetails`: `input`, `input_cached_tokens`, `cache_creation_input_tokens`, `output_reasoning_tokens` …). Free keys
add up, as Langfuse itself adds them: `input` is what is left beside `input_…`, so all keys of the input together are
the input. A `total` tells where a sender meant it otherwise: where it fits `input` + `output` alone, the other keys are
parts of them. Source: https://langfuse.com/docs/observability/features/token-and-cost-tracking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.model.money import nanousd
from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.openai_usage import counted
from tallybook.providers.value import mapping, number, whole

TOTAL_DIFFERS = "total_differs"
ONLY_TOTAL = "only_total_told"
_COST_USD_MAX = 1e9

_INPUT = frozenset(("input", "input_tokens", "prompt_tokens", "prompt", "prompttokens", "inputtokens"))
_OUTPUT = frozenset(("output", "output_tokens", "completion_tokens", "completion", "completiontokens", "outputtokens"))
_TOTAL = frozenset(("total", "total_tokens", "totaltokens"))
_WRITE_1H = re.compile(r"cache.*(creation|write).*1h|1h.*cache.*(creation|write)")
_WRITE = re.compile(r"cache.*(creation|write)|(creation|write).*cache")
_READ = re.compile(r"cached|cache")
_REASONING = re.compile(r"reasoning|thinking|thought")
_OPENAI = frozenset((
    "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
    "input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details",
))  # fmt: skip
_UNITS = {"CHARACTERS": ("characters", 1), "IMAGES": ("images", 1), "SECONDS": ("audio_ms", 1000),
          "MILLISECONDS": ("audio_ms", 1)}  # fmt: skip


class Told(NamedTuple):
    """A usage in normal form, what was odd in it, and what was received."""

    usage: Usage
    flags: tuple[str, ...] = ()
    raw: Any = None


def told(usage: Any, details: Any, model: str | None) -> Told:
    """What `usage` and `usageDetails` tell; details go before. Never raises."""
    raw = {key: value for key, value in mapping(details).items() if value is not None}
    if not raw:
        raw = {key: value for key, value in mapping(usage).items() if value is not None and not key.endswith("Cost")}
    if not raw:
        return Told(Usage())
    unit = raw.get("unit")
    if isinstance(unit, str) and unit.upper() in _UNITS:
        return _in_units(raw, unit.upper())
    if raw.keys() <= _OPENAI and ("total_tokens" in raw or any(key.endswith("_details") for key in raw)):
        found = counted(raw, model)
        return Told(found.usage, found.flags, raw)
    found_usage, flags = _added({str(key).lower(): value for key, value in raw.items()})
    return Told(found_usage, flags, raw)


def _in_units(raw: Mapping[str, Any], unit: str) -> Told:
    name, times = _UNITS[unit]
    total = number(raw.get("total"))
    if total is None:
        total = (number(raw.get("input")) or 0) + (number(raw.get("output")) or 0)
    count = round(total * times) if 0 < total < 1e12 else 0
    return Told(Usage(quantities={name: count} if count else {}), (), dict(raw))


class _Sums:
    """Counts by field; a field stays unknown until a key of it is met."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}

    def add(self, field: str, count: int) -> None:
        self.of[field] = self.of.get(field, 0) + count

    def side(self, name: str) -> int:
        return sum(count for field, count in self.of.items() if _side(field) == name)


def _side(field: str) -> str:
    is_output = field in ("output", "other_output", "reasoning_tokens") or field.startswith("output_")
    return "output" if is_output else "input"


def _field(key: str) -> str | None:
    """The field of ours that a key counts; `input` and `output` alone are what is left beside the others."""
    if key in _INPUT:
        return "input"
    if key in _OUTPUT:
        return "output"
    if _WRITE_1H.search(key):
        return "cache_write_1h_tokens"
    if _WRITE.search(key):
        return "cache_write_5m_tokens"
    is_output = "output" in key or "completion" in key
    if _READ.search(key) and not is_output:
        return "cache_read_tokens"
    if _REASONING.search(key):
        return "reasoning_tokens"
    for kind in ("audio", "image"):
        if kind in key and ("input" in key or "prompt" in key or is_output):
            return f"{'output' if is_output else 'input'}_{kind}_tokens"
    if is_output:
        return "other_output"
    return "other_input" if "input" in key or "prompt" in key else None


def _added(raw: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...]]:
    sums = _Sums()
    total: int | None = None
    for key, value in raw.items():
        count = whole(value)
        if count is None or isinstance(value, bool) or count < 0:
            continue
        if key in _TOTAL:
            total = count
        elif (field := _field(key)) is not None:
            sums.add(field, count)
    if not sums.of:
        return Usage(), (ONLY_TOTAL,) if total else ()
    inputs, outputs, flags = _sides(sums, total)
    has_input = any(_side(field) == "input" for field in sums.of)
    has_output = any(_side(field) == "output" for field in sums.of)
    whole_usage = Usage(input_tokens=inputs if has_input else None, output_tokens=outputs if has_output else None)
    parts: dict[str, Any] = {field: count for field, count in sums.of.items() if field.endswith("_tokens")}
    usage, faults = settled(msgspec.structs.replace(whole_usage, **parts))
    return usage, (*flags, *faults)


def _sides(sums: _Sums, total: int | None) -> tuple[int, int, tuple[str, ...]]:
    """Input and output: all keys of a side together, or its first key alone where the total says so."""
    all_in, all_out = sums.side("input"), sums.side("output")
    base_in, base_out = sums.of.get("input", all_in), sums.of.get("output", all_out)
    if total is None or total == all_in + all_out:
        return all_in, all_out, ()
    for inputs, outputs in ((base_in, base_out), (all_in, base_out), (base_in, all_out)):
        if total == inputs + outputs:
            return inputs, outputs, ()
    return all_in, all_out, (TOTAL_DIFFERS,)


def cost_usd(usage: Any, details: Any) -> float | None:
    """The sender's own reckoning of the cost: a total, else the sum of its parts; `None` where none is told."""
    costs = {key: amount for key, value in mapping(details).items() if (amount := number(value)) is not None}
    if not costs:
        usage = mapping(usage)
        names = {"inputCost": "input", "outputCost": "output", "totalCost": "total"}
        costs = {name: amount for key, name in names.items() if (amount := number(usage.get(key))) is not None}
    if not costs:
        return None
    amount = costs["total"] if "total" in costs else sum(costs.values())
    return nanousd(amount) / 1e9 if 0 <= amount < _COST_USD_MAX else None
