"""What an application may ask of the recorder: other settings, and everything on the disk now."""

from __future__ import annotations

from typing import Any

from tallybook.capture import guard, recorder
from tallybook.config import Settings


def configure(**settings: Any) -> Settings:
    """Set settings for this process over those of environment and file (docs/settings.md); returns those in force.

    `configure(enabled=False)` turns everything off, at once and for good.
    """
    return recorder.configure(**settings).settings


def flush() -> None:
    """Make everything recorded so far survive power loss (fsync). Killing the process never loses a record."""
    with guard.contained("flush"):
        recorder.get().flush()
