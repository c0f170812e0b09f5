"""One call as text: facts, tokens and cost by part, tool calls, bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tallybook.cli import figure
from tallybook.cli.calls import cost as cost_text
from tallybook.cli.table import Column, Row, clean, cut, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.model.call import Call, Cost
from tallybook.query.totals import Scope

BODY_LINES = 12
"""Lines of a prompt or response shown. Beyond: cut, `--full` shows all."""

_LABEL = 13

REASONS = {
    "unknown_model": "no price is known for this model",
    "usage_missing": "the response told no token counts",
    "no_prices": "prices were not looked up",
}
"""What a cost's reasons mean."""


def reason(text: str) -> str:
    """A cost's reason in words."""
    if text.startswith("no_price_for:"):
        return f"no price for {text.partition(':')[2].replace('_', ' ')}"
    return REASONS.get(text, text.replace("_", " "))


def lines(call: Call, body: dict[str, Any] | None, scope: Scope, page: Page, *, is_full: bool) -> Iterator[str]:
    """Everything that is known of a call."""
    yield page.bold(f"Call {clean(call.call_id)}")
    yield from _facts(call, scope, page)
    yield ""
    yield from _cost(call, scope, page)
    if call.tool_calls:
        yield ""
        yield page.bold("Tool calls")
        for tool in call.tool_calls:
            yield from _tool(tool, page, is_full=is_full)
    shown = body or {}
    for title, value, preview, chars in (
        ("Prompt", shown.get("prompt"), call.prompt_preview, call.prompt_chars),
        ("Response", shown.get("response"), call.response_preview, call.response_chars),
    ):
        if value is not None or preview is not None:
            yield ""
            about = (
                "" if chars is None else f" ({figure.plural(chars, 'character')}{', preview' if value is None else ''})"
            )
            yield page.bold(title) + page.dim(about)
            yield from _body(preview if value is None else value, page, is_full=is_full)
    if body is None and call.prompt_preview is None and call.response_preview is None:
        yield ""
        yield from (
            page.dim(line)
            for line in wrap("Bodies were not kept (TALLYBOOK_PROMPTS, TALLYBOOK_RESPONSES).", page.width)
        )


def _facts(call: Call, scope: Scope, page: Page) -> Iterator[str]:
    zone = scope.span.zone
    finish = f" ({', '.join(clean(reason) for reason in call.finish_reasons)})" if call.finish_reasons else ""
    status = page.bad(call.status) if call.status == "error" else call.status
    answered = call.response_model
    model = clean(call.model or answered or page.dash)
    if call.model is not None and answered is not None and answered != call.model:
        model += f", answered by {clean(answered)}"
    taken = figure.duration(call.duration_us, page)
    if call.ttft_us is not None:
        taken += f", first token after {figure.duration(call.ttft_us, page)}"
    how = [word for word, is_so in (("streamed", call.is_stream), ("batch", call.is_batch)) if is_so]
    if call.retries:
        how.append(figure.plural(call.retries, "retry", "retries"))
    facts: list[tuple[str, Any]] = [
        ("Status", f"{status}{finish}"),
        ("Error", ": ".join(clean(part) for part in (call.error_type, call.error_message) if part)),
        ("HTTP status", call.http_status if call.status != "ok" else None),
        (
            "When",
            f"{figure.second(call.started_at_us, zone)} {zone}, {figure.age(call.started_at_us, scope.span.now_us)}",
        ),
        ("Model", model),
        ("Provider", call.provider + (f" at {call.base_url}" if call.base_url else "")),
        ("Operation", call.operation if call.name is None else f"{call.name} ({call.operation})"),
        ("Took", taken + (f" ({', '.join(how)})" if how else "")),
        ("Project", call.project),
        ("Environment", call.environment),
        ("User", call.user_id),
        ("Session", call.session_id),
        ("Run", call.run_id),
        ("Agent", call.agent_name),
        ("Parent", call.parent_id),
        ("Tags", ", ".join(call.tags)),
        ("Branch", call.git_branch),
        ("Tier", call.service_tier),
        ("Metadata", _pairs(call.metadata)),
        ("Parameters", _pairs(call.parameters)),
        ("Response id", call.response_id),
        ("Source", call.source),
        ("Prompt hash", call.prompt_hash),
        ("Flags", ", ".join(call.flags)),
    ]
    for label, value in facts:
        if value not in (None, ""):
            text = str(value) if "\x1b" in str(value) and label == "Status" else clean(value)
            for number, line in enumerate(wrap(text, None if page.width is None else page.width - _LABEL - 2)):
                name = label if number == 0 else ""
                yield f"  {page.dim(f'{name:<{_LABEL}}')}{line.strip()}"


def _pairs(values: dict[str, Any]) -> str:
    return "  ".join(
        f"{key}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for key, value in values.items()
    )


def _cost(call: Call, scope: Scope, page: Page) -> Iterator[str]:
    use, cost = call.usage, call.cost or Cost()

    def amount(nanousd: int | None) -> str:
        return "" if nanousd is None else figure.money(scope.amount(nanousd, call.started_at_us), page, scope.currency)

    writes = [part for part in (use.cache_write_5m_tokens, use.cache_write_1h_tokens) if part is not None]
    parts: list[tuple[str, int | None, int | None]] = [
        ("Input", use.input_tokens, cost.input_nanousd),
        ("  from cache", use.cache_read_tokens, cost.cache_read_nanousd),
        ("  written to cache", sum(writes) if writes else None, cost.cache_write_nanousd),
        ("  audio", use.input_audio_tokens, None),
        ("  images", use.input_image_tokens, None),
        ("Output", use.output_tokens, cost.output_nanousd),
        ("  reasoning", use.reasoning_tokens, None),
        ("  audio", use.output_audio_tokens, None),
        ("  images", use.output_image_tokens, None),
        ("Server tools", sum(use.requests.values()) if use.requests else None, cost.tools_nanousd),
    ]
    table = [
        Row((name, figure.count(tokens, page), amount(nanousd)))
        for name, tokens, nanousd in parts
        if tokens or nanousd or (tokens is not None and not name.startswith(" "))
    ]
    table.append(Row(("Total", figure.count(use.total_tokens, page), cost_text(call, scope, page)), "total"))
    for line in table_lines(
        (Column("Part"), Column("Tokens", is_right=True), Column("Cost", is_right=True)), table, page
    ):
        yield f"  {line}"
    if cost.input_nanousd is not None and (cost.cache_read_nanousd or cost.cache_write_nanousd):
        yield page.dim("  The cost of input is without its cached parts.")
    if cost.status not in ("priced",) or cost.reasons:
        why = ", ".join(reason(clean(text)) for text in cost.reasons)
        text = f"  Cost {cost.status}{': ' + why if why else ''}"
        yield page.warn(text) if cost.status in ("unpriced", "partial") else page.dim(text)
    if cost.price:
        yield page.dim(f"  Price: {clean(cost.price)}")
    if use.quantities:
        yield page.dim(f"  Quantities: {_pairs(dict(use.quantities))}")


def _tool(tool: Any, page: Page, *, is_full: bool) -> Iterator[str]:
    about = [text for text, is_so in (("run by the provider", tool.server_side),) if is_so]
    if tool.duration_us is not None:
        about.append(figure.duration(tool.duration_us, page))
    head = f"  {clean(tool.name)}{' (' + ', '.join(about) + ')' if about else ''}"
    yield head + (page.bad(f"  failed: {clean(tool.error)}") if tool.error else "")
    width = None if page.width is None or is_full else page.width - 4
    for label, text in (("in: ", tool.arguments), ("out: ", tool.result)):
        if text is not None:
            line = f"{label}{clean(text)}"
            yield f"    {page.dim(line if width is None else cut(line, width, page))}"


def _body(value: Any, page: Page, *, is_full: bool) -> Iterator[str]:
    text = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    width = None if page.width is None else page.width - 2
    found: list[str] = []
    for line in text.splitlines():
        # Newlines are the body's own; all other control characters are made harmless.
        found.extend(wrap(clean(line.replace("\t", "    ")), width))
        if not is_full and len(found) > BODY_LINES:
            break
    for line in found if is_full else found[:BODY_LINES]:
        yield f"  {line}"
    if not is_full and len(found) > BODY_LINES:
        yield page.dim("  … more: --full" if page.has_unicode else "  ... more: --full")
