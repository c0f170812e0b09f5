"""A stranger's SELECT in a process of its own: what it eats is bounded by the system, and it can be ended at any time.

Run as `python -m tallybook.store.lake.apart`: reads one `Task` as JSON from standard input, writes one `Outcome` as
JSON, and ends. Its environment is empty; whatever it does, the server goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

MEMORY_MB = 600
"""What DuckDB may use; hot lines of a busy hour take a third of it. Beyond: the statement fails."""
ADDRESS_BYTES = 3 << 30
"""All that the process may have, for what DuckDB does not count."""
CPU_S = 30
"""Processor time, should nobody be left to end it."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to run."""

    folder: str
    text: str
    rows_max: int
    bytes_max: int
    prices_file: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, or why there are none."""

    columns: list[str] = []
    rows: list[list[Any]] = []
    is_cut: bool = False
    """There are more rows, or more bytes, than were told."""
    error: str | None = None
    hint: str | None = None


def run(task: Task) -> Outcome:
    """The answer to a statement that `statement.check_stranger` has let through; it is checked again here."""
    from tallybook.model.errors import TallybookError
    from tallybook.prices.book import PriceBook
    from tallybook.store.lake.statement import check_stranger
    from tallybook.store.lake.store import LakeStore

    prices_file = None if task.prices_file is None else Path(task.prices_file)
    try:
        check_stranger(task.text)
        store = LakeStore(Path(task.folder), PriceBook(Path(task.folder), prices_file=prices_file))
        try:
            answer = store.sql(task.text, limit=task.rows_max + 1, memory_mb=MEMORY_MB)
        finally:
            store.close()
    except TallybookError as error:
        return Outcome(error=str(error), hint=error.hint)
    except MemoryError:
        return Outcome(error="the statement needs more memory than it may have")
    return bounded(answer.columns, answer.rows, task)


def bounded(columns: tuple[str, ...], rows: list[tuple[Any, ...]], task: Task) -> Outcome:
    """The rows up to the limits."""
    from tallybook.store.cell import cell

    told: list[list[Any]] = []
    size = 0
    for row in rows[: task.rows_max]:
        values = [cell(value) for value in row]
        size += len(msgspec.json.encode(values)) + 1
        if size > task.bytes_max:
            return Outcome(columns=list(columns), rows=told, is_cut=True)
        told.append(values)
    return Outcome(columns=list(columns), rows=told, is_cut=len(rows) > task.rows_max)


def _limit() -> None:
    """Have the system end what gets out of hand."""
    try:
        import resource
    except ImportError:  # Windows: memory_limit and the caller's clock are all there is.
        return
    for name, value in (("RLIMIT_AS", ADDRESS_BYTES), ("RLIMIT_CPU", CPU_S), ("RLIMIT_CORE", 0)):
        which = getattr(resource, name, None)
        if which is not None:
            try:
                resource.setrlimit(which, (value, value))
            except (ValueError, OSError):  # A stricter one is set, or the system has none.
                continue


def main() -> int:
    """Standard input to standard output."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    _limit()
    sys.stdout.buffer.write(msgspec.json.encode(run(task)))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
