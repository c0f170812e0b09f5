"""What stands above and below every report: title with span and filters; coverage, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tallybook.cli import figure
from tallybook.cli.table import clean, wrap
from tallybook.cli.terminal import Page
from tallybook.query.span import Span
from tallybook.query.totals import Coverage, Head

MODELS_NAMED = 3
"""Models without a price that are named in the line below a report; `doctor` names all."""

NAMES = {
    "user_id": "user", "agent_name": "agent", "session_id": "session", "run_id": "run", "task": "operation",
    "hour_of_day": "hour", "day_of_week": "weekday", "git_branch": "branch", "response_model": "answering model",
    "error_type": "error", "cost_status": "cost status", "service_tier": "service tier", "is_stream": "streamed",
    "is_batch": "batch",
}  # fmt: skip
"""Dimensions as headings call them."""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def name(dimension: str) -> str:
    """A dimension as headings call it."""
    return NAMES.get(dimension, dimension.removeprefix("metadata."))


def value(dimension: str, found: object) -> str:
    """One value of a dimension as text."""
    if found is None:
        return f"(no {name(dimension)})"
    if dimension == "day_of_week" and isinstance(found, int):
        return _DAYS[found]
    if dimension == "hour_of_day":
        return f"{found:02d}:00"
    if isinstance(found, bool):
        return "yes" if found else "no"
    return clean(found)


def title(text: str, picture: str, filters: Sequence[str], span: Span, page: Page) -> list[str]:
    """`📊 Last 30 days:` and, when there is something to say, filters and zone."""
    found = [page.bold(f"{page.mark(picture)}{text}:")]
    about = [clean(filter_) for filter_ in filters]
    if about:
        about.append(span.zone)
        found.extend(page.dim(line) for line in wrap(f" {page.dot} ".join(about), page.width))
    return found


def above(head: Head, picture: str, page: Page, text: str | None = None) -> list[str]:
    """The title of a report."""
    return title(text or head.span.label, picture, head.filters, head.span, page)


def coverage(found: Coverage, page: Page) -> Iterator[str]:
    """What a total lacks: `3 of 120 calls unpriced: model-x (2), model-y (1)`. Nothing when it lacks nothing."""
    without_price = found.unpriced_calls - found.unpriced_failed_calls
    if without_price:
        named = [f"{clean(model or 'no model')} ({number:,})" for model, number in found.unpriced[:MODELS_NAMED]]
        if len(found.unpriced) > MODELS_NAMED:
            named.append(f"{len(found.unpriced) - MODELS_NAMED} more")
        text = f"{without_price:,} of {figure.plural(found.calls, 'call')} unpriced: {', '.join(named)}"
        for line in wrap(text, page.width, "  "):
            yield page.warn(line)
    if found.unpriced_failed_calls:
        calls = figure.plural(found.calls, "call")
        text = f"{found.unpriced_failed_calls:,} of {calls} failed without telling tokens: unpriced"
        for line in wrap(text, page.width, "  "):
            yield page.dim(line)
    if found.partial_calls:
        text = f"{found.partial_calls:,} of {figure.plural(found.calls, 'call')} with only a part of their cost known"
        for line in wrap(text, page.width, "  "):
            yield page.warn(line)
    if found.estimated_calls:
        text = f"{found.estimated_calls:,} of {figure.plural(found.calls, 'call')} with an estimated cost"
        for line in wrap(text, page.width, "  "):
            yield page.dim(line)


def below(head: Head, page: Page) -> Iterator[str]:
    """What a reader must know of the figures above: coverage, comparison, files set aside."""
    found = [*coverage(head.coverage, page)]
    if head.compared is not None:
        found.extend(page.dim(line) for line in wrap(f"Compared with {head.compared.label}.", page.width, "  "))
    found.extend(warnings(head.warnings, page))
    if found:
        yield ""
        yield from found


def warnings(found: Sequence[str], page: Page) -> Iterator[str]:
    """What was set aside or is no longer known."""
    for warning in found:
        yield from (page.warn(line) for line in wrap(f"Warning: {clean(warning)}", page.width, "  "))
