"""`tallybook price gpt-5.2 --input 12000 --output 800`, `tallybook price --jsonl cases.jsonl`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from tallybook.cli import figure
from tallybook.cli.host import Host
from tallybook.cli.option import examples, folder_option
from tallybook.cli.show_call import reason
from tallybook.cli.table import clean, wrap
from tallybook.cli.terminal import Page
from tallybook.model.call import Cost
from tallybook.prices.book import PriceBook
from tallybook.query import price_case as asking
from tallybook.query.plain import iso
from tallybook.query.span import between

BATCH = 512
"""Cases priced together: their rates are looked up at once, and a pipe's reader waits for no more than these."""

_LABEL = 12
_AMOUNTS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


@click.command(
    epilog=examples(
        "tallybook price gpt-5.2 --input 12000 --output 800",
        "tallybook price claude-opus-5-5 --input 12000 --cache-read 10000 --output 800 --with inference_geo=us",
        "tallybook price deepseek-v4-pro --input 10000 --output 2000 --at 2026-11-18T02:00Z",
        "tallybook price --jsonl cases.jsonl",
    )
)
@click.argument("model", required=False)
@click.option("--jsonl", "cases", metavar="FILE", help="Many cases, one JSON object a line; - for standard input.")
@click.option("--provider", help="Who serves the model; else told by its name.")
@click.option("--input", "input_", type=click.IntRange(0), help="Input tokens, cached ones included.")
@click.option("--output", type=click.IntRange(0), help="Output tokens, reasoning included.")
@click.option("--cache-read", type=click.IntRange(0), help="Of the input: read from the cache.")
@click.option("--cache-write", type=click.IntRange(0), help="Of the input: written to the cache.")
@click.option("--cache-write-1h", type=click.IntRange(0), help="Of the input: written to the cache for an hour.")
@click.option("--use", "used", multiple=True, metavar="NAME=N", help="What else was used: audio_seconds=90, pages=3 …")
@click.option("--with", "context", multiple=True, metavar="NAME=VALUE", help="service_tier=flex, region=eu-west-1 …")
@click.option("--batch", is_flag=True, help="As part of a batch.")
@click.option("--at", metavar="WHEN", help="Price as of this moment instead of now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@folder_option
@click.pass_obj
def price(
    host: Host, model: str | None, cases: str | None, provider: str | None, input_: int | None, output: int | None,
    cache_read: int | None, cache_write: int | None, cache_write_1h: int | None, used: tuple[str, ...],
    context: tuple[str, ...], batch: bool, at: str | None, as_json: bool, folder: Path | None,
) -> None:  # fmt: skip
    """What a call costs, by the prices in force at a moment: your own, ours, and the price list's.

    With --jsonl it reads cases of {"id", "provider", "model", "timestamp", "usage", "context", "raw_response"} and
    writes {"id", "cost_usd", "cost_status", "reasons"} for each. An unknown cost is null, never 0. Nothing is stored.
    """
    if (model is None) == (cases is None):
        raise click.UsageError("give one MODEL to price, or --jsonl FILE for many cases.")
    settings = host.settings(folder)
    book = PriceBook(settings.folder if settings.folder.is_dir() else None, prices_file=settings.prices_file)
    for fault in book.faults:
        host.remark(host.err_page.warn(f"Warning: {clean(str(fault))}"))
    if cases is not None:
        with _opened(cases) as lines:
            _many(host, lines, book)
        return
    now_us = host.now_us()
    moment = now_us if at is None else between(at, None, now_us, host.zone).since_us or now_us
    amounts = zip(_AMOUNTS, (input_, output, cache_read, cache_write, cache_write_1h), strict=True)
    data = {
        "provider": provider,
        "model": model,
        "usage": {**{name: amount for name, amount in amounts if amount is not None}, **_numbers(used)},
        "context": {**dict(map(_pair, context)), **({"batch": True} if batch else {})},
    }
    case = asking.case_of(data, moment)
    case = case._replace(doubts=tuple([doubt for doubt in case.doubts if doubt != asking.MOMENT_MISSING]))
    cost = asking.priced([case], book)[0]
    if as_json:
        plain = {"model": model, "at": iso(moment), "status": cost.status, "total_nanousd": None}
        plain |= msgspec.to_builtins(cost)
        host.say(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
        return
    for line in text(f"{case.calls[0].provider}/{model}" if case.calls else str(model), moment, cost, host.page):
        host.say(line)


def _opened(name: str) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    return Path(name).open("rb")


def _many(host: Host, lines: Iterable[bytes], book: PriceBook) -> None:
    encode = msgspec.json.Encoder().encode
    now_us = host.now_us()
    source = (line for line in lines if line.strip())
    while batch := list(islice(source, BATCH)):
        host.out.write(b"".join([encode(one) + b"\n" for one in asking.answers(batch, book, now_us)]).decode())


def _pair(text: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not is_pair or not name:
        raise click.UsageError(f"{text!r} is no NAME=VALUE.")
    return name.strip(), value.strip()


def _numbers(texts: Iterable[str]) -> dict[str, float]:
    found = {}
    for name, value in map(_pair, texts):
        try:
            found[name] = float(value)
        except ValueError:
            raise click.UsageError(f"--use {name}={value}: {value!r} is no number.") from None
    return found


def text(name: str, moment: int, cost: Cost, page: Page) -> Iterator[str]:
    """The price of one call as text."""
    yield page.bold(f"{clean(name)} on {iso(moment)}")
    parts = (
        ("Input", cost.input_nanousd), ("Cache read", cost.cache_read_nanousd),
        ("Cache write", cost.cache_write_nanousd), ("Output", cost.output_nanousd), ("Fees, units", cost.tools_nanousd),
    )  # fmt: skip
    for label, amount in parts:
        if amount:
            yield _line(label, figure.money(amount, page), page)
    yield _line("Total", f"{page.bold(figure.money(cost.total_nanousd, page))} ({cost.status})", page)
    told = [("Price", cost.price), ("Why", "; ".join(map(reason, cost.reasons)))]
    for label, value in told:
        if value:
            for number, line in enumerate(wrap(clean(value), None if page.width is None else page.width - _LABEL - 2)):
                yield _line("" if number else label, line.strip(), page)


def _line(label: str, value: str, page: Page) -> str:
    return f"  {page.dim(label.ljust(_LABEL))}{value}"
