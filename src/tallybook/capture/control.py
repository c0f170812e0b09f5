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


def flush(*, ship: bool = False) -> bool:
    """Make everything recorded so far survive power loss (fsync). Killing the process never loses a record.

    With `ship`, also wait until the server of `TALLYBOOK_URL` has it, ten seconds at most; False when it has not: the
    records stay here and are sent the next time. True without `ship`. Never raises.
    """
    is_done = True
    with guard.contained("flush"):
        recorder.get().flush()
    if ship:
        is_done = False
        with guard.contained("shipping"):
            is_done = recorder.ship()
    return is_done
