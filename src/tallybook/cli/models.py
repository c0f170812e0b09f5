"""`tallybook models --top=5`, `tallybook models list`, `tallybook models show NAME`."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import click
import msgspec

from tallybook.cli import ranked
from tallybook.cli.figure import short
from tallybook.cli.option import Command, examples, folder_option
from tallybook.cli.table import Column, Row, clean, remark, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, format_options
from tallybook.model.errors import InputError
from tallybook.prices import registry
from tallybook.prices.registry import ModelInfo
from tallybook.registry import not_found
from tallybook.store.open import open_prices

_COLUMNS = (
    Column("Model", min_width=18),
    Column("Maker", rank=4),
    Column("Context", is_right=True, rank=1),
    Column("Output", is_right=True, rank=2),
    Column("In $/M", is_right=True),
    Column("Out $/M", is_right=True),
    Column("Retires", rank=5),
    Column("Recommended for", rank=3, min_width=16),
    Column("Capabilities", rank=6, min_width=20),
)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The registry, or what of it was asked for."""

    models: list[ModelInfo]
    provider: str | None = None
    capabilities: list[str] = []


def _unless_subcommand(function: Command) -> Command:
    @functools.wraps(function)
    def run(**given: Any) -> None:
        if click.get_current_context().invoked_subcommand is None:
            function(**given)

    return run


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "tallybook models --top=5",
        "tallybook models --sort cost --compare previous",
        "tallybook models --by provider,model --project shop",
        "tallybook models list --capability vision",
        "tallybook models show claude-opus-5",
    ),
)
@_unless_subcommand
@ranked.options("Models", top=10)
def models(view: View, **given: Any) -> None:
    """The most used models with calls, tokens, cost, shares and times. The last 30 days by default.

    With `list` or `show`: the registry of models, used or not.
    """
    ranked.show(view, "models", "model", "🤖", **given)


@models.command(
    "list",
    epilog=examples(
        "tallybook models list --provider anthropic",
        "tallybook models list --capability vision --capability reasoning --json",
        "tallybook models list --retired --csv",
    ),
)
@click.option("--provider", metavar="X", help="Only models of this maker.")
@click.option("--capability", multiple=True, metavar="X", help="Only models with this; repeated: with all of them.")
@click.option("--retired", is_flag=True, help="Also models that were retired.")
@format_options
@folder_option
def list_(provider: str | None, capability: tuple[str, ...], retired: bool, **given: Any) -> None:
    """The registry: context window, largest output, price per million tokens, capabilities, recommended use."""
    view = View(click.get_current_context().obj, given, (None, None))
    _check(provider, capability)
    found = registry.every(
        open_prices(view.settings), view.now_us, provider=provider, capability=capability, retired=retired
    )
    view.show(
        "model_registry",
        Listed(models=found, provider=provider, capabilities=list(capability)),
        lines=lambda page: lines(found, page),
        rows=lambda: map(_row, found),
    )


def _check(provider: str | None, capability: Iterable[str]) -> None:
    if provider is not None and not registry.names(provider):
        raise InputError(
            f"no model of {provider!r} is in the registry", field="--provider",
            hint=f"one of {', '.join(registry.providers())}",
        )  # fmt: skip
    for word in capability:
        if word not in registry.capabilities():
            raise InputError(
                f"{word!r} is no capability", field="--capability", hint=f"one of {', '.join(registry.capabilities())}"
            )


def lines(found: list[ModelInfo], page: Page) -> Iterator[str]:
    """The registry as a table."""
    if not found:
        yield "No model has all of that."
        return
    rows = [
        Row(
            (
                clean(model.name),
                model.provider,
                short(model.context_window, page),
                short(model.max_output, page),
                _price(model, "input", page),
                _price(model, "output", page),
                "" if model.retires is None else str(model.retires),
                _words(model.recommended_for),
                _words(model.capabilities),
            )
        )
        for model in found
    ]
    yield from table_lines(_COLUMNS, rows, page)
    yield from remark(f"{len(found)} models; prices in USD per million tokens, as of now. docs/models.md", page)


def _price(model: ModelInfo, part: str, page: Page) -> str:
    price = model.pricing.get(part)
    return page.dash if price is None else f"{price:,.6f}".rstrip("0").rstrip(".") if price else "0"


def _words(words: Iterable[str]) -> str:
    return ", ".join(word.replace("_", " ") for word in words)


def _row(model: ModelInfo) -> dict[str, Any]:
    row = msgspec.structs.asdict(model)
    prices = row.pop("pricing")
    for name in ("input", "output", "cache_read", "cache_write"):
        row[f"{name}_usd_per_mtok"] = prices.get(name)
    return {key: _cell(value) for key, value in row.items()}


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(value)
    return value.isoformat() if isinstance(value, date) else value


@models.command(
    epilog=examples("tallybook models show gpt-5.1", "tallybook models show anthropic/claude-opus-5 --json")
)
@click.argument("name")
@click.option("--provider", metavar="X", help="Who sells it, where the name alone does not tell.")
@format_options
@folder_option
def show(name: str, provider: str | None, **given: Any) -> None:
    """Everything known of one model, by any spelling of its name."""
    view = View(click.get_current_context().obj, given, (None, None))
    found = registry.info(name, open_prices(view.settings), view.now_us, provider=provider)
    if found is None:
        raise not_found(name)
    view.show("model", found, lines=lambda page: details(found, page), rows=lambda: [_row(found)])


def details(model: ModelInfo, page: Page) -> Iterator[str]:
    """One model as text."""
    yield page.bold(f"{clean(model.name)}") + page.dim(f"  {model.provider}")
    sizes = [("Context window", model.context_window), ("Largest output", model.max_output)]
    facts = [(label, "unknown" if size is None else f"{size:,} tokens") for label, size in sizes]
    for part in model.pricing:
        facts.append((part.replace("_", " ").capitalize(), f"${_price(model, part, page)} per million tokens"))
    if not model.pricing:
        facts.append(("Price", "unknown; own prices stand in prices.toml"))
    facts.append(("Capabilities", _words(model.capabilities) or "unknown"))
    facts.append(("Recommended for", _words(model.recommended_for) or page.dash))
    facts.append(("Released", page.dash if model.released is None else str(model.released)))
    facts.append(("Status", _status(model)))
    if model.aliases:
        facts.append(("Also called", ", ".join(model.aliases)))
    if model.source is not None:
        facts.append(("Source", f"{model.source}, {model.checked}"))
    for label, text in facts:
        yield from wrap(f"  {label + ':':17} {text}", page.width, " " * 20)


def _status(model: ModelInfo) -> str:
    if model.retires is not None:
        return f"{model.status}, {'since' if model.status == 'retired' else 'on'} {model.retires}"
    return model.status if model.not_before is None else f"{model.status}, not retired before {model.not_before}"
