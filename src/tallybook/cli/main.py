"""Entry of the commands `tallybook` and `tally`: which command lies where, and how a run ends.

Exit codes: 0 done, 1 it failed (message and hint on standard error), 2 not understood, 130 interrupted,
141 the reader of a pipe went away. A command's file is imported only when it is run: start-up counts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from tallybook.cli.host import Host, real
from tallybook.model.errors import InputError, TallybookError
from tallybook.version import __version__

INTERRUPTED = 130
PIPE_CLOSED = 141

COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "What was used": {
        "stats": ("stats", "Usage today, this week or this month"),
        "costs": ("costs", "What was spent: by model, project, day"),
        "models": ("models", "Most used models"),
        "agents": ("agents", "Usage by agent"),
        "tools": ("tools", "Tools that models used, and their failures"),
        "performance": ("performance", "Response times and the slowest operations"),
        "patterns": ("patterns", "Peak hours, busiest day, common operations"),
    },
    "Tables over time": {
        "daily": ("periods", "One row a day"),
        "weekly": ("periods", "One row a week"),
        "monthly": ("periods", "One row a month"),
        "session": ("session", "One row a session"),
        "blocks": ("blocks", "Five-hour windows, burn rate and projection"),
        "statusline": ("statusline", "One line for the prompt of a coding agent"),
    },
    "Single calls": {
        "calls": ("calls", "List calls"),
        "runs": ("runs", "List runs"),
        "search": ("search", "Find calls by what was sent and answered"),
        "show": ("show", "Everything about one call or run"),
        "tail": ("tail", "Follow calls as they happen"),
        "explain": ("explain", "How one raw response is counted and priced"),
        "price": ("price", "What a call costs, or many of them"),
        "sql": ("sql", "Ask in SQL, read-only"),
        "export": ("export", "Write calls to CSV, JSON, JSON lines, Parquet or OTLP"),
    },
    "The server": {
        "serve": ("serve", "Serve the ledger over HTTP: record, ask, watch live"),
        "keys": ("keys", "Access keys of the server"),
        "ship": ("ship", "Send what waits here to a server"),
        "projects": ("keys", "Projects that the server takes records of"),
    },
    "Housekeeping": {
        "import": ("import_", "Import what coding agents have on disk: Claude Code, Codex, Gemini CLI"),
        "reprice": ("reprice", "Price past calls anew, on record and undoable"),
        "reconcile": ("reconcile", "Compare a provider's usage or cost export with the ledger"),
        "doctor": ("doctor", "Why data is missing or unpriced, and how to mend it"),
        "prune": ("prune", "Remove what is older or larger than retention allows"),
        "demo": ("demo", "Fill a folder with an example company's month"),
    },
}
_PLACES = {name: place for section in COMMANDS.values() for name, place in section.items()}


class Lazy(click.Group):
    """A group that knows its commands by name and imports one when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of `COMMANDS`."""
        return list(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command by its name."""
        place = _PLACES.get(cmd_name)
        if place is None:
            return None
        module = import_module(f"tallybook.cli.{place[0]}")
        command: click.Command = getattr(module, "import_" if cmd_name == "import" else cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for one that is unknown."""
        if args and args[0] not in _PLACES and not args[0].startswith("-"):
            from difflib import get_close_matches  # here, because only a mistake needs it

            near = get_close_matches(args[0], _PLACES, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(_PLACES)}."
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, without importing them."""
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in section.items()], col_spacing=3)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"tallybook {__version__}")
        ctx.exit()


@click.group(cls=Lazy, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.option("--dir", "folder", metavar="FOLDER", help="The ledger's folder; also after the command.")
@click.pass_context
def cli(ctx: click.Context, folder: str | None) -> None:
    """What your model calls cost, how long they took and what failed.

    Without a command: where the ledger is and today's figure.
    """
    if folder is not None:
        host: Host = ctx.obj
        ctx.obj = host._replace(settings=lambda given: host.settings(given or Path(folder)))
    if ctx.invoked_subcommand is None:
        from tallybook.cli.start import start  # here, because a command needs it not

        start(ctx.obj)


def main(args: Sequence[str] | None = None, host: Host | None = None) -> int:
    """Run a command line; the process's own by default. Returns the exit code."""
    host = host or real()
    name = _name()
    if f"_{name.upper()}_COMPLETE" in os.environ:
        cli.main(prog_name=name)  # Answers the shell's request for completions, and exits.
    try:
        # Not `cli.main`, which turns a closed pipe into exit code 1.
        with cli.make_context(name, list(sys.argv[1:] if args is None else args), obj=host) as ctx:
            cli.invoke(ctx)
        host.out.flush()
    except click.exceptions.Exit as done:
        return _flushed(host, done.exit_code)
    except BrokenPipeError:
        _forget_output()
        return PIPE_CLOSED
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except click.ClickException as error:
        error.show(host.err)
        return error.exit_code
    except TallybookError as error:
        _complain(host, str(error), error.hint)
        return 2 if isinstance(error, InputError) and (error.field or "").startswith("--") else 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        is_absent = isinstance(error, FileNotFoundError | IsADirectoryError)
        _complain(
            host, f"{where}{error.strerror or error}", None if is_absent else "`tallybook doctor` looks at the folder"
        )
        return 1
    return 0


def _flushed(host: Host, code: int) -> int:
    try:
        host.out.flush()
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return PIPE_CLOSED
    return code


def _name() -> str:
    name = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119  (pathlib costs 5 ms here)
    return name if name in ("tally", "tallybook") else "tallybook"


def _complain(host: Host, message: str, hint: str | None) -> None:
    page = host.err_page
    host.remark(f"{page.bad('Error:')} {message}")
    if hint:
        host.remark(f"{page.dim('Hint:')} {hint}")


def _forget_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
