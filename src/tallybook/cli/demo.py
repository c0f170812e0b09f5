"""`tallybook demo`: an example company's month to look at."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from tallybook.cli import figure
from tallybook.cli.export import Progress
from tallybook.cli.host import Host
from tallybook.cli.option import examples
from tallybook.cli.table import clean
from tallybook.model.codec import time_of

FOLDER = "tallybook-demo"


@click.command(epilog=examples("tallybook demo", "tallybook demo --dir ./demo --seed 3 --scale 10"))
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed and end give the same calls.")
@click.option("--days", type=click.IntRange(1, 3_660), default=30, show_default=True, help="Days up to now.")
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="1: 20,000 calls a month.",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help=f"The folder to fill. Default: {FOLDER}, here.",
)
@click.pass_obj
def demo(host: Host, seed: int, days: int, scale: float, folder: Path | None) -> None:
    """Fill a folder with the made-up month of a small company, to look around before recording anything.

    Projects, users, models, tools, failures, chats with their messages, and agents. A folder that holds anything but
    a demo is refused.
    """
    from tallybook.demo import fill  # here, because help needs it not

    place = folder or Path(FOLDER)
    progress = Progress(host, days, is_shown=host.err_page.is_terminal, noun="day")
    filled = fill(
        place,
        seed=seed,
        until=time_of(host.now_us()),
        days=days,
        scale=scale,
        progress=lambda done, _: progress.at(done),
    )
    host.tend(host.settings(place))
    progress.done()
    name = shlex.quote(str(place))
    host.say(
        f"{figure.plural(filled.calls, 'call')} of {figure.plural(filled.days, 'day')} and "
        f"{figure.plural(filled.chats, 'conversation')} written to {clean(place)} ({figure.size(filled.bytes)})."
    )
    host.say("Look at them:")
    for command in ("stats month", "costs --compare previous", "patterns", "runs", "serve --open"):
        host.say(f"  tallybook {command} --dir {name}")
