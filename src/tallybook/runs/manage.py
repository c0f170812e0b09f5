"""What is done with runs and messages, for the Python API and the server alike: checked, then one call of the state.

Raises InputError for what is not valid and NotFound for what is not there (also what is in the bin).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tallybook.model.call import Run
from tallybook.model.errors import ConflictError, InputError, NotFound
from tallybook.model.run import Message
from tallybook.runs.given import message_fields, run_fields, snake, tags_of
from tallybook.runs.life import check_run
from tallybook.runs.name import name_of
from tallybook.store.base import StateStore
from tallybook.store.run_store import MESSAGE_CHANGES

NewId = Callable[[int], str]


def create(state: StateStore, given: Mapping[str, Any], now_us: int, new_id: NewId) -> tuple[Run, bool]:
    """Make a run; with the id of one that is there that one, and whether it is new."""
    fields = {name: value for name, value in run_fields(given).items() if value is not None}
    run_id = fields.pop("run_id", None) or new_id(now_us)
    run = Run(run_id=run_id, created_at_us=now_us, updated_at_us=now_us, **fields)
    is_new = state.create_run(run)
    return (found(state, run_id) if not is_new else state.run(run_id) or run), is_new


def found(state: StateStore, run_id: str) -> Run:
    """A run that is not in the bin."""
    run = state.any_run(run_id)
    if run is None:
        raise NotFound(f"no run has the id {run_id!r}", hint="`tallybook runs` lists them")
    if run.deleted_at_us is not None:
        raise NotFound(f"the run {run_id!r} is in the bin", hint="restore it first")
    return run


def change(state: StateStore, run_id: str, given: Mapping[str, Any], *, revision: int | None = None) -> Run:
    """Change a run: name, star, tags (also `add_tags`, `remove_tags`), status, settings … ; `revision` is checked."""
    given = {snake(str(name)): value for name, value in given.items()}
    more = {name: tags_of(given.pop(name)) for name in ("add_tags", "remove_tags") if name in given}
    fields = run_fields(given)
    if fields.pop("run_id", run_id) != run_id:
        raise InputError("`run_id` does not change", field="run_id")
    for name in ("source_type", "status", "visibility", "is_starred"):
        if name in fields and fields[name] is None:
            raise InputError(f"`{name}` cannot be empty", field=name)
    before = found(state, run_id)
    if more:
        tags = {*fields.get("tags", before.tags), *more.get("add_tags", ())} - {*more.get("remove_tags", ())}
        fields["tags"] = tags_of(tags)
    after = state.change_run(run_id, fields, revision=revision)
    if after is None:
        raise NotFound(f"no run has the id {run_id!r}")
    is_ours = all(getattr(after, name) == value for name, value in fields.items())
    if revision is not None and fields and not (before.revision == revision == after.revision - 1 and is_ours):
        raise ConflictError(
            f"the run is of revision {after.revision}, not {revision}: somebody else changed it", field="revision",
            hint="read it again, then change it",
        )  # fmt: skip
    return after


def resume(state: StateStore, run_id: str) -> Run:
    """Take a run up again: out of the bin or the archive, and active."""
    run = state.any_run(run_id)
    if run is None:
        raise NotFound(f"no run has the id {run_id!r}", hint="`tallybook runs` lists them")
    if run.deleted_at_us is not None:
        state.bin_runs([run_id], None)
    if run.status != "active":
        state.change_run(run_id, {"status": "active"})
    return found(state, run_id)


def delete(state: StateStore, run_id: str, now_us: int) -> Run:
    """Put a run into the bin."""
    found(state, run_id)
    state.bin_runs([run_id], now_us)
    run = state.any_run(run_id)
    assert run is not None
    return run


def restore(state: StateStore, run_id: str) -> Run:
    """Take a run out of the bin; one that is not in it stays as it is."""
    state.bin_runs([run_id], None)
    return found(state, run_id)


def purge(state: StateStore, run_id: str) -> None:
    """Delete a run of the bin for good."""
    run = state.any_run(run_id)
    if run is None:
        raise NotFound(f"no run has the id {run_id!r}")
    if run.deleted_at_us is None:
        raise ConflictError(f"the run {run_id!r} is not in the bin", field="run_id", hint="delete it first")
    state.purge_runs([run_id])


def add_message(
    state: StateStore, run_id: str, given: Mapping[str, Any], now_us: int, new_id: NewId
) -> tuple[Message, bool]:
    """Add a message; the run's first one of a user names the run. The stored one, and whether it is new."""
    fields = message_fields(given)
    if fields.pop("run_id", run_id) != run_id:
        raise InputError("`run_id` is another run's", field="run_id")
    if "role" not in fields:
        raise InputError("a message needs `role`", field="role", hint="user, assistant, system, tool or developer")
    check_run(state, run_id, now_us)
    created_at_us = fields.pop("created_at_us", None) or now_us
    message_id = fields.pop("message_id", None) or new_id(now_us)
    fields = {name: value for name, value in fields.items() if value is not None}
    message = Message(message_id=message_id, run_id=run_id, created_at_us=created_at_us, updated_at_us=now_us, **fields)
    name = name_of(message.content) if message.role == "user" else None
    stored, is_new = state.add_message(message, name)
    if stored.run_id != run_id:
        raise ConflictError(f"the message {message_id!r} is of another run", field="message_id")
    return stored, is_new


def change_message(state: StateStore, message_id: str, given: Mapping[str, Any]) -> Message:
    """Change a message's content, name, attachments or metadata."""
    fields = message_fields(given)
    for name in fields.keys() - MESSAGE_CHANGES:
        raise InputError(f"`{name}` of a message does not change", field=name)
    message = state.change_message(message_id, fields)
    if message is None:
        raise NotFound(f"no message has the id {message_id!r}")
    return message


def remove_message(state: StateStore, message_id: str) -> None:
    """Remove a message."""
    if not state.remove_message(message_id):
        raise NotFound(f"no message has the id {message_id!r}")
