"""Examination of the server that keeps this folder, by what it last wrote about itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tallybook.alert import notice
from tallybook.query.finding import Finding


def examine(folder: Path, now_us: int) -> Iterator[Finding]:
    """What a running server complains of; nothing where none runs."""
    said = notice.read(folder)
    if said is None or not said.is_fresh(now_us):
        return
    facts = {"url": said.url, "pid": said.pid}
    if not said.alerts:
        yield Finding(check="server", grade="good", text=f"the server at {said.url} is well", facts=facts)
    for alert in said.alerts:
        about = f" ({alert.subject})" if alert.subject else ""
        yield Finding(
            check="server", grade=alert.grade, text=f"the server at {said.url}: {alert.message}{about}",
            remedy=alert.hint, facts={**facts, "code": alert.code, "count": alert.count, "since_us": alert.since_us},
        )  # fmt: skip
    if said.more:
        yield Finding(check="server", grade="warn", text=f"{said.more:,} more alerts stand in {said.url}/healthz")
