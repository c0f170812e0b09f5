"""The ledger's own id, in `DIR/ledger.id`: so a server knows when it is sent its own journal, and refuses."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "ledger.id"


def ledger_of(folder: Path) -> str:
    """The id, made when there is none. Raises OSError."""
    path = folder / NAME
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        temporary = folder / f".ledger.{os.getpid()}.tmp"
        temporary.write_text(os.urandom(16).hex() + "\n", encoding="ascii")
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # Another process was first.
        finally:
            temporary.unlink()
        return path.read_text(encoding="ascii").strip()
