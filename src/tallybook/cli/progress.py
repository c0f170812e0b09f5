"""A bar that tells how much of something is done."""

from __future__ import annotations

import time

from tallybook.cli import figure
from tallybook.cli.bar import bar
from tallybook.cli.export import PROGRESS_S
from tallybook.cli.host import Host


class Progress:
    """How much is done, on standard error, redrawn in place; nothing where `is_shown` is false."""

    def __init__(self, host: Host, is_shown: bool, then: str = "storing") -> None:
        self._host = host
        self._is_shown = is_shown
        self._then = then
        """What goes on when all is read."""
        self._next = time.monotonic() + PROGRESS_S
        self._was_drawn = False

    def at(self, done: int, size: int) -> None:
        """So many bytes of so many."""
        if not self._is_shown or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_S
        self._was_drawn = True
        page = self._host.err_page
        share = min(1.0, done / size) if size else 1.0
        told = f"{bar(share, 24, page):<24} {share:4.0%}  {figure.size(done)} of {figure.size(size)}"
        self._host.err.write(f"\r\x1b[K{told}{'  ' + self._then if done >= size else ''}")
        self._host.err.flush()

    def done(self) -> None:
        """Clear the bar."""
        if self._was_drawn:
            self._host.err.write("\r\x1b[K")
            self._host.err.flush()
