"""`tallybook serve`: the server, in one process."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from tallybook.cli.host import Host
from tallybook.cli.option import examples, folder_option


@click.command(
    epilog=examples(
        "tallybook serve",
        "tallybook serve --port 8080 --open",
        "tallybook serve --grpc-port 4317",
        "tallybook serve --host 0.0.0.0 --allow-origin https://app.example.com",
    )
)
@click.option("--host", "address", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=4318, show_default=True, help="0 takes a free one.")
@click.option("--grpc-port", type=click.IntRange(0, 65535), help="Take OpenTelemetry over gRPC there; 4317 is its own.")
@click.option("--open", "is_opening", is_flag=True, help="Open the page in a browser.")
@click.option("--insecure", is_flag=True, help="Ask for no key though other machines can reach the server.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="A further name that the server answers to.")
@click.option("--allow-origin", "origins", multiple=True, metavar="ORIGIN", help="Let pages of that site call it.")
@click.option("--any-project", is_flag=True, help="Take records of projects that nobody created, and create them.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
@folder_option
@click.pass_obj
def serve(
    host: Host,
    address: str,
    port: int,
    grpc_port: int | None,
    is_opening: bool,
    insecure: bool,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    any_project: bool,
    quiet: bool,
    folder: Path | None,
) -> None:
    """Serve the ledger over HTTP: record, ask, watch live.

    On this machine alone no key is needed. Any other address asks for keys (`tallybook keys create`), or for
    --insecure. It listens on OpenTelemetry's own port, so that OTEL_EXPORTER_OTLP_ENDPOINT needs no change.
    """
    from tallybook.server.context import Serving  # here, because help needs no server
    from tallybook.server.run import check
    from tallybook.server.run import serve as run
    from tallybook.store.open import open_state

    logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = host.settings(folder)
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = open_state(settings)
    try:
        key_count = sum(key.revoked_at_us is None for key in state.access_keys())
    finally:
        state.close()
    serving = Serving(
        address, port, hosts=tuple(name.lower() for name in hosts), origins=origins, any_project=any_project
    )
    check(serving, key_count, is_insecure=insecure)

    def tell() -> None:
        url = serving.url
        if not quiet:
            host.say(f"{host.page.bold('Tallybook')} serves {settings.folder} at {host.page.accent(url)}")
            host.say(host.page.dim(f"  interface: {url}/docs   figures: {url}/metrics   stop: Ctrl-C"))
            if serving.is_open and not serving.is_loopback:
                host.remark(
                    host.err_page.warn("Warning: whoever reaches this address can read and write (--insecure).")
                )
            host.out.flush()
        if is_opening:
            import webbrowser  # here, because few ask for it

            webbrowser.open(url)

    code = run(settings, serving, on_ready=tell, grpc_port=grpc_port)
    if code == 1:
        host.remark("Some accepted records could not be written before the end.")
    if code:
        raise click.exceptions.Exit(code)
