"""`tallybook ship`: what waits to be sent to a server, sent now."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tallybook.cli import figure
from tallybook.cli.host import Host
from tallybook.cli.option import examples, folder_option
from tallybook.cli.progress import Progress
from tallybook.cli.table import clean
from tallybook.model.errors import SettingError, TallybookError

WATCH_S = 0.5


@click.command(
    epilog=examples(
        "tallybook ship",
        "tallybook ship --url http://tally.internal:4318 --watch",
        "tallybook ship --json",
    )
)
@click.option("--url", metavar="URL", help="The server. Default: TALLYBOOK_URL.")
@click.option("--watch", is_flag=True, help="Go on: send what is written, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
@folder_option
@click.pass_obj
def ship(host: Host, url: str | None, watch: bool, as_json: bool, quiet: bool, folder: Path | None) -> None:
    """Send what waits in the ledger to a server, each record once.

    Programs with TALLYBOOK_URL do so by themselves; this sends what they left behind, or for programs that do not. The
    key is taken from TALLYBOOK_KEY, so that it does not stand in the list of processes.
    """
    from tallybook.ship.rest import ship as rest  # here, because help needs no network
    from tallybook.ship.shipper import Shipper

    settings = host.settings(folder)
    address = url or settings.url
    if address is None:
        raise SettingError("no server to send to", hint="set TALLYBOOK_URL, or say --url http://…:4318")
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shipper = Shipper(settings.folder, address, settings.key, keep=settings.ship_keep)
    try:
        while True:
            progress = Progress(host, host.err_page.is_terminal and not quiet, "waiting for the answer")
            for now in rest(shipper):
                progress.at(now.sent, now.size)
            progress.done()
            if now.problem is not None and not watch:
                waiting = figure.size(now.left)
                raise TallybookError(f"{clean(now.problem)}; {waiting} wait in the folder", hint="see docs/ship.md")
            if now.problem is not None:
                host.remark(host.err_page.warn(f"Warning: {clean(now.problem)}"))
            elif now.size or not watch:
                _tell(host, now.sent, shipper.refused, address, as_json=as_json)
            if not watch:
                return
            host.out.flush()
            time.sleep(WATCH_S)
    finally:
        shipper.release()


def _tell(host: Host, sent: int, refused: int, address: str, *, as_json: bool) -> None:
    if as_json:
        import msgspec  # here, because text needs it not

        host.say(msgspec.json.encode({"report": "ship", "url": address, "bytes": sent, "refused": refused}).decode())
        return
    if not sent:
        host.say(f"{clean(address)} has everything.")
        return
    more = "" if not refused else f"; {figure.plural(refused, 'line')} not taken, see docs/ship.md"
    host.say(f"Sent {figure.size(sent)} to {clean(address)}{more}.")
