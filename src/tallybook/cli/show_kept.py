"""A managed run as the state has it: what is shown of one that has no calls yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tallybook.cli import figure
from tallybook.cli.table import Column, Row, clean, cut, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View
from tallybook.model.call import Run
from tallybook.model.errors import StorageError
from tallybook.model.run import Message, Task
from tallybook.query.plain import plain

_SHOWN = 50
_TASKS = (
    Column("Task", min_width=12), Column("Name", rank=2), Column("Status"), Column("Model", rank=1),
    Column("Time", is_right=True, rank=3), Column("Began", rank=4),
)  # fmt: skip


class Kept(NamedTuple):
    """A managed run with its first messages and tasks."""

    run: Run
    messages: list[Message]
    tasks: list[Task]

    def show(self, view: View) -> None:
        """Write it as text or JSON."""
        if view.is_json:
            parts = {"run": plain(self.run), "messages": plain(self.messages), "tasks": plain(self.tasks)}
            view.write_json({"report": "run", **parts})
            return
        for line in self.lines(view.scope.span.zone, view.page):
            view.host.say(line)

    def lines(self, zone: str, page: Page) -> Iterator[str]:
        """Head, messages, tasks."""
        run = self.run
        yield page.bold(f"Run {clean(run.run_id)}") + (f"  {clean(run.name)}" if run.name else "")
        about = [
            run.status, run.source_type, "no calls yet", figure.plural(run.message_count, "message"),
            figure.plural(run.task_count, "task"), *(["starred"] if run.is_starred else []), *map(clean, run.tags),
        ]  # fmt: skip
        yield from wrap(f" {page.dot} ".join(about), page.width, "  ")
        yield page.dim(f"made {figure.second(run.created_at_us, zone)} {zone}")
        for message in self.messages:
            text = f"{message.role}: {clean(_words(message.content))}"
            yield text if page.width is None else cut(text, page.width, page)
        if self.tasks:
            yield ""
            yield from table_lines(_TASKS, [_row(task, zone, page) for task in self.tasks], page)


def _words(content: object) -> str:
    text = content if isinstance(content, str) else "" if content is None else str(content)
    return " ".join(text.split())


def _row(task: Task, zone: str, page: Page) -> Row:
    return Row((
        clean(task.task_id), clean(task.task_name or ""), task.status, clean(task.model or ""),
        figure.duration(task.duration_us, page), figure.moment(task.started_at_us, zone, page),
    ))  # fmt: skip


def kept(view: View, run_id: str) -> Kept | None:
    """The managed run of an id; `None` when there is none, or no state that can be read."""
    if not (view.settings.folder / "state.db").exists():
        return None
    from tallybook.store.open import open_state  # here, because a ledger without a state needs it not

    try:
        state = open_state(view.settings)
    except StorageError:
        return None  # The calls are shown all the same.
    try:
        run = state.run(run_id)
        if run is None or not run.is_managed:
            return None
        return Kept(run, state.messages(run_id, limit=_SHOWN), state.tasks(run_id, limit=_SHOWN))
    finally:
        state.close()
