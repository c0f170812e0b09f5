"""One request on its way to an answer: what every provider's file is handed, and how streams are laid out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tallybook.replay.http import Reply, Request
from tallybook.replay.scenario import Scenario

_DATED = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "o3-mini": "o3-mini-2025-01-31",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-opus-4-1": "claude-opus-4-1-20250805",
    "gemini-flash-latest": "gemini-3.6-flash",
}
"""Providers answer under a dated name; those asked for most are enough."""


@dataclass(frozen=True)
class Exchange:
    """A request with all that an answer may depend on."""

    request: Request
    scenario: Scenario
    model: str
    new_id: Callable[[str], str]
    """A fresh id with the given prefix, unique for the server."""
    now: int
    """Seconds since 1970, as the server tells the time."""
    memory: dict[str, Any]
    """What the server keeps between requests: files, batches, responses by id."""

    @property
    def answering_model(self) -> str:
        """The name under which the model answers."""
        return self.scenario.model or _DATED.get(self.model, self.model)


def dumps(value: Any) -> str:
    """Compact JSON, as providers send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sse(data: Any, event: str | None = None, end: str = "\n") -> bytes:
    """One server-sent event of JSON (or of ready text)."""
    text = data if isinstance(data, str) else dumps(data)
    name = "" if event is None else f"event: {event}{end}"
    return f"{name}data: {text}{end}{end}".encode()


def stream_reply(exchange: Exchange, events: Sequence[bytes], error: bytes, kind: str = "text/event-stream") -> Reply:
    """The events as the scenario wants them: slowed, cut, ended early or broken by an error event."""
    scenario = exchange.scenario
    pieces = list(events)
    if scenario.error_after is not None:
        pieces = [*pieces[: scenario.error_after], error]
    elif scenario.cut_after is not None:
        pieces = pieces[: scenario.cut_after]
    elif scenario.stop_after is not None:
        pieces = pieces[: scenario.stop_after]
    return Reply(
        headers={"content-type": kind + "; charset=utf-8" if kind == "text/event-stream" else kind},
        pieces=pieces,
        delay_s=scenario.delay_s,
        is_cut=scenario.cut_after is not None and scenario.error_after is None,
    )
