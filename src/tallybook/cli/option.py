"""What every command has, reports or not: where the ledger is, and examples below its help. Imports next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


def folder_option(function: Command) -> Command:
    """`--dir`."""
    return click.option(
        "--dir", "folder", type=click.Path(path_type=Path), metavar="FOLDER",
        help="The ledger's folder. Default: TALLYBOOK_DIR, a .llm-telemetry/ here or above, the user's data folder.",
    )(function)  # fmt: skip


def examples(*commands: str) -> str:
    """The epilogue of a help text: command lines, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)
