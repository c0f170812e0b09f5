"""`tallybook keys`: access keys of the server; `tallybook projects`: the projects it takes records of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from tallybook.cli.host import Host
from tallybook.cli.option import examples, folder_option
from tallybook.cli.table import Column, Row, clean, listing
from tallybook.store.access import ROLES
from tallybook.store.base import StateStore

_KEYS = (
    Column("id"), Column("role"), Column("project"), Column("name", rank=2), Column("made", rank=3),
    Column("used", rank=1), Column("state"),
)  # fmt: skip
_PROJECTS = (Column("project"), Column("name", rank=1), Column("made", rank=2))


def _state(host: Host, folder: Path | None) -> StateStore:
    from tallybook.store.open import open_state  # here, because help needs it not

    return open_state(host.settings(folder))


def _day(at_us: int | None) -> str:
    return "never" if not at_us else datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def _json(host: Host, value: Any) -> None:
    host.say(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


@click.group(epilog=examples("tallybook keys create --role ingest --project docs-bot", "tallybook keys list"))
def keys() -> None:
    """Access keys of the server: make, list, revoke."""


@keys.command(epilog=examples("tallybook keys create --role ingest --project docs-bot --name ci"))
@click.option("--role", type=click.Choice(ROLES), default="ingest", show_default=True, help="What the key may do.")
@click.option("--project", metavar="NAME", help="The only project that it reads or writes.")
@click.option("--name", metavar="TEXT", help="A word to know it by.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@folder_option
@click.pass_obj
def create(host: Host, role: str, project: str | None, name: str | None, as_json: bool, folder: Path | None) -> None:
    """Make a key. Its text is shown this once: only a hash of it is kept."""
    from tallybook.access.key import make  # here, because help needs it not

    state = _state(host, folder)
    try:
        made = make(state, role=role, project=project, name=name, now_us=host.now_us())
    finally:
        state.close()
    if as_json:
        _json(host, {"key": made.text, "key_id": made.key.key_id, "role": role, "project": project, "name": name})
        return
    host.say(made.text)
    host.remark(f"Keep it now: it is not shown again. `tallybook keys revoke {made.key.key_id}` ends it.")


@keys.command("list", epilog=examples("tallybook keys list", "tallybook keys list --json"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@folder_option
@click.pass_obj
def list_(host: Host, as_json: bool, folder: Path | None) -> None:
    """List keys and when each was last used."""
    state = _state(host, folder)
    try:
        found = state.access_keys()
    finally:
        state.close()
    if as_json:
        shown = [{k: getattr(key, k) for k in key.__struct_fields__ if k != "hash"} for key in found]
        _json(host, {"keys": shown})
        return
    if not found:
        host.say("There are no keys. On this machine alone the server needs none.")
        return
    rows = [
        Row((
            key.key_id, key.role, clean(key.project or "all"), clean(key.name or ""), _day(key.created_at_us),
            _day(key.last_used_at_us), "revoked" if key.revoked_at_us else "in force",
        ))
        for key in found
    ]  # fmt: skip
    for line in listing(_KEYS, rows, host.page):
        host.say(line)


@keys.command(epilog=examples("tallybook keys revoke 3f9c1a2b4d"))
@click.argument("key_id")
@folder_option
@click.pass_obj
def revoke(host: Host, key_id: str, folder: Path | None) -> None:
    """Revoke a key for good. Servers that run know it within two seconds."""
    from tallybook.access.key import revoke as end  # here, because help needs it not

    state = _state(host, folder)
    try:
        end(state, key_id, host.now_us())
    finally:
        state.close()
    host.say(f"Revoked {key_id}.")


@click.group(epilog=examples("tallybook projects create docs-bot", "tallybook projects list"))
def projects() -> None:
    """Projects that the server takes records of: create, list."""


@projects.command("create", epilog=examples("tallybook projects create docs-bot --name 'Documentation bot'"))
@click.argument("project")
@click.option("--name", metavar="TEXT", help="How it is called in full.")
@folder_option
@click.pass_obj
def create_project(host: Host, project: str, name: str | None, folder: Path | None) -> None:
    """Create a project. One that is there already stays as it is."""
    from tallybook.access.project import create as make  # here, because help needs it not

    state = _state(host, folder)
    try:
        is_new = make(state, project, name, host.now_us())
    finally:
        state.close()
    host.say(f"Created {clean(project)}." if is_new else f"{clean(project)} is there already.")


@projects.command("list", epilog=examples("tallybook projects list --json"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@folder_option
@click.pass_obj
def list_projects(host: Host, as_json: bool, folder: Path | None) -> None:
    """List projects that were created. Others exist by their calls: `tallybook costs --by project`."""
    state = _state(host, folder)
    try:
        found = state.projects()
    finally:
        state.close()
    if as_json:
        _json(host, {"projects": found})
        return
    rows = [Row((clean(one.project), clean(one.name or ""), _day(one.created_at_us))) for one in found]
    for line in listing(_PROJECTS, rows, host.page) if rows else ["No project was created."]:
        host.say(line)
