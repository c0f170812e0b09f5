"""One run as text: its execution tree with status, tokens, cost and time at every node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tallybook.cli import figure
from tallybook.cli.calls import ID_CHARS
from tallybook.cli.table import Column, Row, clean, cut, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.query.runs import Node, Tree, walk
from tallybook.query.totals import Scope

REPEATS = 4
"""As many like leaves in a row are drawn as one line with their number; `--full` draws each."""

DEPTH_MAX = 40
"""Levels indented further. Below: drawn at the same indent, with the level in figures."""

_COLUMNS = (
    Column("Step", min_width=18),
    Column("Status", rank=1),
    Column("Input", is_right=True, rank=3),
    Column("Output", is_right=True, rank=3),
    Column("Cost", is_right=True),
    Column("Time", is_right=True, rank=2),
    Column("Begins", is_right=True, rank=4),
    Column("Call", rank=5),
)


class _Line(NamedTuple):
    prefix: str
    nodes: list[Node]
    """One node, or several alike."""


def lines(run: Tree, scope: Scope, page: Page, *, is_full: bool) -> Iterator[str]:
    """Head and tree of a run."""
    zone = scope.span.zone
    yield page.bold(f"Run {clean(run.run_id)}") + (f"  {clean(run.name)}" if run.name else "")
    status = page.bad(run.status) if run.status == "error" else run.status
    about = [
        status,
        figure.plural(run.calls, "call"),
        *([figure.plural(run.steps, "step")] if run.steps else []),
        f"{figure.short(run.input_tokens, page)} in, {figure.short(run.output_tokens, page)} out",
        _total(run, scope, page),
        figure.duration(run.duration_us, page),
    ]
    if run.errors:
        about.append(page.bad(f"{run.errors} failed"))
    yield from wrap(f" {page.dot} ".join(about), page.width, "  ")
    when = f"{figure.second(run.started_at_us, zone)} {zone}, {figure.age(run.started_at_us, scope.span.now_us)}"
    who = [f"project {clean(run.project)}" if run.project else "", f"user {clean(run.user_id)}" if run.user_id else ""]
    yield from (
        page.dim(line) for line in wrap(f" {page.dot} ".join([when, *(part for part in who if part)]), page.width)
    )
    yield ""
    table = [_row(line, run, scope, page) for line in _drawn(run.roots, page, is_full=is_full)]
    yield from table_lines(_COLUMNS, table, page)
    errors = [node for node, _, _ in walk(run.roots) if node.error_message]
    for node in errors[:3]:
        text = f"{clean(node.name)}: {clean(node.error_message)}"
        yield page.bad(text if is_full or page.width is None else cut(text, page.width, page))
    if run.unpriced_calls:
        yield page.warn(f"{run.unpriced_calls:,} of {figure.plural(run.calls, 'call')} unpriced")


def _total(run: Tree, scope: Scope, page: Page) -> str:
    if run.cost_nanousd is None:
        return "unpriced"
    amount = scope.amount(run.cost_nanousd, run.started_at_us)
    return figure.money(amount, page, scope.currency, is_partial=run.unpriced_calls > 0)


def _drawn(roots: Sequence[Node], page: Page, *, is_full: bool) -> Iterator[_Line]:
    """Lines of the tree in order, without recursion."""
    branch, last, pass_by, none = ("├─ ", "└─ ", "│  ", "   ") if page.has_unicode else ("|- ", "`- ", "|  ", "   ")
    stack: list[tuple[list[Node], str, str, int]] = [(nodes, "", "", 0) for nodes in reversed(_grouped(roots, is_full))]
    while stack:
        nodes, prefix, below, depth = stack.pop()
        yield _Line(prefix, nodes)
        if len(nodes) > 1:
            continue
        groups = _grouped(nodes[0].children, is_full)
        for number, group in reversed(list(enumerate(groups))):
            is_last = number == len(groups) - 1
            if depth < DEPTH_MAX:
                stack.append(
                    (group, below + (last if is_last else branch), below + (none if is_last else pass_by), depth + 1)
                )
            else:
                stack.append((group, f"{below}{depth + 1}: ", below, depth + 1))


def _grouped(nodes: Sequence[Node], is_full: bool) -> list[list[Node]]:
    """Runs of like leaves together, where they are long enough."""
    runs: list[list[Node]] = []
    for node in nodes:
        if runs and _alike(runs[-1][-1], node):
            runs[-1].append(node)
        else:
            runs.append([node])
    found: list[list[Node]] = []
    for run in runs:
        if is_full or len(run) < REPEATS:
            found.extend([node] for node in run)
        else:
            found.append(run)
    return found


def _alike(one: Node, other: Node) -> bool:
    return (
        not one.children
        and not other.children
        and (one.kind, one.name, one.model, one.status) == (other.kind, other.name, other.model, other.status)
    )


def _row(line: _Line, run: Tree, scope: Scope, page: Page) -> Row:
    first = line.nodes[0]
    is_sum = bool(first.children) or len(line.nodes) > 1
    mark = ("∑ " if page.has_unicode else "sum ") if is_sum else ""
    calls = sum(node.calls for node in line.nodes)
    unpriced = sum(node.unpriced_calls for node in line.nodes)
    status = first.status
    if status == "error":
        status = page.bad("failed") if page.has_color else "failed"
    cost = ""
    if calls:
        amount = scope.amount(sum(node.sum_cost_nanousd for node in line.nodes), first.started_at_us)
        cost = "unpriced" if unpriced == calls else figure.money(amount, page, scope.currency, is_partial=unpriced > 0)
    known = [node.duration_us for node in line.nodes if node.duration_us is not None]
    return Row((
        line.prefix + _label(first, len(line.nodes), page),
        status,
        mark + figure.short(sum(node.sum_input_tokens for node in line.nodes), page) if calls else "",
        mark + figure.short(sum(node.sum_output_tokens for node in line.nodes), page) if calls else "",
        mark + cost if cost else "",
        (mark if len(line.nodes) > 1 else "") + figure.duration(sum(known) if known else None, page),
        f"+{figure.duration(first.started_at_us - run.started_at_us, page)}",
        clean(first.id[:ID_CHARS]) if first.kind == "call" and len(line.nodes) == 1 else "",
    ))  # fmt: skip


def _label(node: Node, count: int, page: Page) -> str:
    text = clean(node.name or node.kind)
    if node.kind == "call":
        text += f" ({clean(node.model or 'unknown model')})"
        if node.tool_calls:
            text += f" {'→' if page.has_unicode else '->'} {', '.join(clean(name) for name in node.tool_calls)}"
    elif node.kind not in ("chain", node.name):
        text = f"{clean(node.kind)} {text}"
    times = "\N{MULTIPLICATION SIGN}" if page.has_unicode else "x"
    return f"{text} {times}{count}" if count > 1 else text
