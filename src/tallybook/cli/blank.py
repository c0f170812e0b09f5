"""What is said when there is nothing to show: where was looked, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tallybook.cli import figure
from tallybook.cli.table import clean, wrap
from tallybook.model.question import Filter
from tallybook.query.filters import told

if TYPE_CHECKING:
    from tallybook.cli.view import View


def blank(view: View, noun: str = "calls") -> Iterator[str]:
    """Lines for an empty ledger, or for one with no call in the scope."""
    page = view.page
    at = view.store.latest_us()
    if at is None:
        yield from empty(view)
        return
    about = " and ".join(told(view.scope.filters))
    label = view.scope.span.label
    span = "at all" if view.scope.span.since_us is None and view.scope.span.until_us is None else f"in: {label}"
    text = f"No {noun} {span}{f', with {clean(about)}' if about else ''} (times in {view.zone})."
    yield from wrap(text, page.width)
    yield page.dim(f"The latest call is of {figure.moment(at, view.zone, page)}, {figure.age(at, view.now_us)}.")
    sought = _without_stars(view.scope.filters)
    if sought:
        text = f"A * is no wildcard here: ~{clean(sought)} finds all that contain it."
        yield from (page.dim(line) for line in wrap(text, page.width))
    if about:
        yield from (page.dim(line) for line in wrap("`--by` on `costs` shows which values there are.", page.width))


def _without_stars(filters: Sequence[Filter]) -> str:
    """What the first wanted value with a `*` seems to look for; empty when none has one."""
    wanted = [one.value for one in filters if one.op in ("eq", "in", "contains")]
    values = [text for value in wanted for text in (value if isinstance(value, tuple) else (value,))]
    return next((max(text.split("*"), key=len) for text in values if "*" in text and text.strip("*")), "")


def empty(view: View) -> Iterator[str]:
    """Lines for a ledger without any call."""
    page = view.page
    folder = view.settings.folder
    state = "is empty" if folder.is_dir() else "does not exist yet"
    yield f"No calls yet: the ledger {clean(folder)} {state}."
    yield ""
    yield "To record the calls of a program, add one line before it makes them:"
    yield ""
    yield "    import tallybook; tallybook.instrument()"
    yield ""
    yield from wrap(
        "If it has that line, it may write elsewhere: compare TALLYBOOK_DIR in its environment.", page.width
    )
    yield "To look around first:"
    yield ""
    yield "    tallybook demo"
    yield ""
    yield page.dim("`tallybook doctor` looks for the reason when calls are missing.")
