"""The model registry, by the seed's name and shape: `MODEL_REGISTRY`, and what is asked of it.

    from tallybook import MODEL_REGISTRY, get_model_info
    MODEL_REGISTRY["claude-sonnet-4"]["context_window"]      # 200000
    get_model_info("openai/gpt-4o-2024-08-06").max_output    # 16384

Prices are those in force now, with the own prices of the ledger's folder where it has some. No network.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tallybook import config
from tallybook.model.errors import NotFound, TallybookError
from tallybook.prices import registry
from tallybook.prices.book import PriceBook
from tallybook.prices.registry import ModelInfo


def get_model_info(name: str, provider: str | None = None) -> ModelInfo:
    """What is known of a model, by any spelling of its name. Raises NotFound with the nearest names."""
    found = registry.info(name, _book(), _now_us(), provider=provider)
    if found is None:
        raise not_found(name)
    return found


def list_models(
    provider: str | None = None, capabilities: Iterable[str] = (), *, retired: bool = False
) -> list[ModelInfo]:
    """The models of one maker or all, with all these capabilities; those that were retired only on request."""
    return registry.every(_book(), _now_us(), provider=provider, capability=capabilities, retired=retired)


def not_found(name: str) -> NotFound:
    """The error for a name that nobody knows."""
    from difflib import get_close_matches  # here, because only a mistake needs it

    near = get_close_matches(name.lower(), registry.names(), n=3, cutoff=0.6)
    hint = f"did you mean {', '.join(near)}?" if near else "`tallybook models list` names the models in the registry"
    return NotFound(f"no model is known by the name {name!r}", hint=hint)


class _Registry(Mapping[str, Mapping[str, Any]]):
    """The registry as the seed has it: a dictionary a model, by name or alias. Read-only; filled when asked."""

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        known = registry.find(name)
        found = None if known is None else registry.info(known, _book(), _now_us())
        if found is None:
            raise KeyError(name)
        return {
            "provider": found.provider,
            "context_window": found.context_window,
            "max_output": found.max_output,
            "pricing": dict(found.pricing),
            "capabilities": list(found.capabilities),
            "recommended_for": list(found.recommended_for),
        }

    def __iter__(self) -> Iterator[str]:
        return iter(registry.names())

    def __len__(self) -> int:
        return len(registry.names())


MODEL_REGISTRY: Mapping[str, Mapping[str, Any]] = _Registry()


def _now_us() -> int:
    return time.time_ns() // 1000


def _book() -> PriceBook:
    """The prices in force for the ledger's folder; without its own where the settings cannot be read."""
    try:
        settings = config.load()
    except TallybookError:
        return PriceBook()
    return PriceBook(settings.folder if settings.folder.is_dir() else None, prices_file=settings.prices_file)
