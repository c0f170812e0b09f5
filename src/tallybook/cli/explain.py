"""`tallybook explain response.json`, `… | tallybook explain -`, `tallybook explain --jsonl records.jsonl`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from tallybook.cli import figure
from tallybook.cli.host import Host
from tallybook.cli.option import examples, folder_option
from tallybook.cli.show_call import reason
from tallybook.cli.table import Column, Row, clean, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.model.call import Call, Cost
from tallybook.model.usage import Usage
from tallybook.prices.book import PriceBook
from tallybook.query import explain as asking
from tallybook.query.explain import Explained
from tallybook.query.interaction import named, read_any, read_record
from tallybook.query.plain import iso
from tallybook.query.rules import rule_of
from tallybook.query.span import between

BATCH = 512
"""Records counted together: their prices are looked up at once, and a pipe's reader waits for no more than these."""

_LABEL = 14


@click.command(
    epilog=examples(
        "tallybook explain response.json",
        "curl … | tallybook explain - --model gpt-5.2",
        "tallybook explain answer.sse --provider azure --model my-deployment --json",
        "tallybook explain --jsonl recordings.jsonl > counted.jsonl",
    )
)
@click.argument("file", required=False)
@click.option(
    "--jsonl", "records", metavar="FILE", help="Many recorded exchanges, one JSON object a line; - for standard input."
)
@click.option("--provider", help="Who answered, where neither record nor model tells.")
@click.option(
    "--api", help="The endpoint's kind where nothing else tells: chat, responses, messages, generate, converse …"
)
@click.option("--model", help="The model asked for, where the response does not name it.")
@click.option("--url", help="The URL that was asked; it tells provider and endpoint, and the model with some.")
@click.option("--at", metavar="WHEN", help="Price as of this moment instead of when the response says it was made.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@folder_option
@click.pass_obj
def explain(
    host: Host, file: str | None, records: str | None, provider: str | None, api: str | None, model: str | None,
    url: str | None, at: str | None, as_json: bool, folder: Path | None,
) -> None:  # fmt: skip
    """How one raw response is counted and priced: usage by part, the rule, the price with its date, what was odd.

    FILE (or - for standard input) holds one response as the provider sent it: JSON, server-sent events, JSON lines, a
    JSON array; or one recorded exchange with its request. Nothing is stored and nothing is sent anywhere.
    """
    if (file is None) == (records is None):
        raise click.UsageError("give one FILE (or -) to explain, or --jsonl FILE for many records.")
    settings = host.settings(folder)
    book = PriceBook(settings.folder if settings.folder.is_dir() else None, prices_file=settings.prices_file)
    at_us = None if at is None else between(at, None, host.now_us(), host.zone).since_us
    told = {"provider": provider, "api": api, "model": model, "url": url}
    if records is not None:
        with _opened(records) as lines:
            _many(host, lines, book, told, at_us)
        return
    assert file is not None
    with _opened(file) as stream:
        seen = named(read_any(stream.read()), **told)
    found = asking.priced([asking.counted(seen, host.now_us(), at_us)], book)[0]
    if as_json:
        host.say(msgspec.json.format(msgspec.json.encode(plain(found)), indent=2).decode())
        return
    for line in text(found, host.page):
        host.say(line)


def _opened(name: str) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    return Path(name).open("rb")


def _many(host: Host, lines: Iterable[bytes], book: PriceBook, told: dict[str, str | None], at_us: int | None) -> None:
    encode = msgspec.json.Encoder().encode
    now_us = host.now_us()
    source = (line for line in lines if not line.isspace())
    while batch := list(islice(source, BATCH)):
        found = asking.priced([asking.counted(named(read_record(line), **told), now_us, at_us) for line in batch], book)
        _write(host, b"".join([encode(asking.line_of(one)) + b"\n" for one in found]))


def _write(host: Host, lines: bytes) -> None:
    """JSON is UTF-8 whatever the terminal's encoding is; a letter it lacks must not stop a run."""
    buffer = getattr(host.out, "buffer", None)
    if buffer is None:
        host.out.write(lines.decode())
        return
    host.out.flush()
    buffer.write(lines)


def plain(found: Explained) -> dict[str, Any]:
    """All that `explain` tells, as one object: the line of `--jsonl`, and cost by part, price, rule and error."""
    cost, rule = found.cost, None if found.format is None else rule_of(found.format, found.usage_raw)
    return {
        **asking.line_of(found),
        "cost": _cost_parts(cost),
        "further": [
            {"name": call.name, "model": call.model, "usage": asking.plain_usage(call.usage), "cost": _cost_parts(part)}
            for call, part in zip(found.further, found.further_costs or [Cost()] * len(found.further), strict=True)
        ],
        "priced_at": iso(found.calls[0].started_at_us) if found.calls else None,
        "priced_as": _priced_as(found),
        "rule": None if rule is None else {"text": rule.text, "source": rule.source},
        "usage_raw": found.usage_raw,
        "error_type": found.error_type,
        "error_message": found.error_message,
    }


def _cost_parts(cost: Cost) -> dict[str, Any]:
    parts = {
        name: getattr(cost, f"{name}_nanousd") for name in ("input", "cache_read", "cache_write", "output", "tools")
    }
    return {
        "total_usd": None if cost.total_nanousd is None else cost.total_nanousd / 1e9,
        **{f"{name}_usd": None if amount is None else amount / 1e9 for name, amount in parts.items()},
        "status": cost.status,
        "price": cost.price,
        "reasons": cost.reasons,
    }


def _priced_as(found: Explained) -> str | None:
    if not found.calls:
        return None
    call = found.calls[0]
    return f"{call.provider}/{call.response_model or call.model or '?'}"


def text(found: Explained, page: Page) -> Iterator[str]:
    """The explanation as text."""
    name = found.format.name if found.format is not None else "no wire format known here"
    yield page.bold(f"{clean(name)} of {clean(found.provider)}")
    yield from _facts(found, page)
    if found.calls:
        yield ""
        yield from _parts(found, page)
        yield from _remarks(found, page)
    if found.flags:
        yield ""
        for flag in found.flags:
            yield f"  {page.warn('Note')} {clean(FLAGS.get(flag, flag.replace('_', ' ')))}"


FLAGS = {
    "usage_missing": "The response tells no usage: tokens and cost are unknown, not 0.",
    "body_unreadable": "The body is cut or no JSON; what could be read was counted.",
    "unrecognised": "Nothing tells what this is: say --provider and --api, or --url.",
    "several_records": "This file holds many records: --jsonl FILE counts them all.",
    "no_model_call": "This endpoint makes no model call that is billed by use.",
    "further_models": "Other models worked inside this call; they are billed besides.",
    "several_responses": "There are several responses in this body; the figures are their sum.",
    "output_placeholder": "The stream broke off before its final usage: how much was written is unknown.",
    "usage_estimated": "The answer broke off: what it told so far was counted, and no less was used.",
    "total_differs": "The provider's own total is not the sum of its parts.",
    "parts_exceed_input": "The provider told more cached or written tokens than input; they were cut down to it.",
    "parts_exceed_output": "The provider told more reasoning than output; it was cut down to it.",
    "reasoning_from_total": "Reasoning shows only as what the total has more than input and output; it was added.",
}
"""What a flag means, where its name alone says too little."""


def _facts(found: Explained, page: Page) -> Iterator[str]:
    model = found.model or found.seen.model
    answered = found.response_model
    if answered is not None and model is not None and answered != model:
        model = f"{model}, answered by {answered}"
    tools = [f"{tool.name}{' (run by the provider)' if tool.server_side else ''}" for tool in found.tool_calls]
    rule = None if found.format is None else rule_of(found.format, found.usage_raw)
    facts = [
        ("Status", found.status + (f" ({', '.join(found.finish_reasons)})" if found.finish_reasons else "")),
        ("Error", ": ".join(part for part in (found.error_type, found.error_message) if part)),
        ("Model", model or answered),
        ("Response id", found.response_id),
        ("Tier", found.service_tier),
        ("Tool calls", ", ".join(tools)),
        ("Rule", rule and rule.text),
        ("Source", rule and rule.source),
    ]
    for label, value in facts:
        if value:
            for number, line in enumerate(wrap(clean(value), None if page.width is None else page.width - _LABEL - 2)):
                name = label if number == 0 else ""
                yield f"  {page.dim(f'{name:<{_LABEL}}')}{line.strip()}"


def _parts(found: Explained, page: Page) -> Iterator[str]:
    rows = [*_rows(found.usage or Usage(), _own_cost(found), page)]
    for call, cost in zip(found.further, found.further_costs or [Cost()] * len(found.further), strict=True):
        rows.append(_further(call, cost, page))
    total = figure.exact(found.cost.total_nanousd, page) if found.cost.total_nanousd is not None else found.cost.status
    tokens = None if found.usage is None else found.usage.total_tokens
    rows.append(Row(("Total", figure.count(tokens, page), total), "total"))
    columns = (Column("Part"), Column("Tokens", is_right=True), Column("Cost", is_right=True))
    for line in table_lines(columns, rows, page):
        yield f"  {line}"


def _own_cost(found: Explained) -> Cost:
    """The cost by part without what other models were billed, which has lines of its own."""
    return found.own_cost if found.own_cost is not None else found.cost


def _further(call: Call, cost: Cost, page: Page) -> Row:
    name = f"{(call.name or 'other model').replace('_', ' ')}: {clean(call.model or 'model not told')}"
    return Row((name, figure.count(call.usage.total_tokens, page), figure.exact(cost.total_nanousd, page)))


def _rows(use: Usage, cost: Cost, page: Page) -> Iterator[Row]:
    parts: list[tuple[str, int | None, int | None]] = [
        ("Input", use.input_tokens, cost.input_nanousd),
        ("  read from cache", use.cache_read_tokens, cost.cache_read_nanousd),
        ("  written to cache, 5 min", use.cache_write_5m_tokens, cost.cache_write_nanousd),
        ("  written to cache, 1 h", use.cache_write_1h_tokens, None),
        ("  audio", use.input_audio_tokens, None),
        ("  images", use.input_image_tokens, None),
        ("Output", use.output_tokens, cost.output_nanousd),
        ("  reasoning", use.reasoning_tokens, None),
        ("  audio", use.output_audio_tokens, None),
        ("  images", use.output_image_tokens, None),
    ]
    for name, tokens, nanousd in parts:
        if tokens or nanousd or not name.startswith(" "):
            yield Row((name, figure.count(tokens, page), "" if nanousd is None else figure.exact(nanousd, page)))
    for kind, count in use.requests.items():
        yield Row((f"{kind.replace('_', ' ')}, uses", figure.count(count, page), ""))
    if cost.tools_nanousd:
        yield Row(("Fees of tools and requests", "", figure.exact(cost.tools_nanousd, page)))
    for kind, count in use.quantities.items():
        yield Row((kind.replace("_", " "), figure.count(count, page), ""))


def _remarks(found: Explained, page: Page) -> Iterator[str]:
    cost = found.cost
    if cost.input_nanousd is not None and (cost.cache_read_nanousd or cost.cache_write_nanousd):
        yield page.dim("  The cost of input is without its cached parts.")
    if cost.status != "priced" or cost.reasons:
        why = ", ".join(reason(clean(word)) for word in cost.reasons)
        line = f"  Cost {cost.status}{': ' + why if why else ''}"
        yield page.warn(line) if cost.status in ("unpriced", "partial") else page.dim(line)
    if cost.price:
        yield page.dim(f"  Price: {clean(cost.price)}")
    if cost.status != "reported":
        verb = "Looked for a price of" if cost.status == "unpriced" else "Priced as"
        yield page.dim(f"  {verb} {clean(_priced_as(found))} on {iso(found.calls[0].started_at_us)}")
