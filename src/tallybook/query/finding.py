"""What an examination of the ledger found: one thing each, with what to do about it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Grade = Literal["good", "note", "warn", "bad"]
"""`bad`: data is lost or cannot be read. `warn`: figures lack something. `note`: worth knowing."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One result of an examination."""

    check: str
    """Stable name of what was looked at: `folder`, `disk`, `unpriced` …"""
    grade: Grade
    text: str
    remedy: str | None = None
    facts: dict[str, Any] = {}
    """The figures behind the text, for JSON."""
