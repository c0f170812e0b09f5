"""Messages of runs over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.errors import InputError, NotFound
from tallybook.model.run import Attachment, Message, Role
from tallybook.runs import manage
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.identity import identity_of
from tallybook.server.permit import permitted, writable
from tallybook.server.route import Param, Route
from tallybook.server.runs import given, told
from tallybook.server.shape import MessagePage, ShownMessage, shown_message
from tallybook.server.tasks import paged
from tallybook.store.base import StateStore


class MessageChange(msgspec.Struct, frozen=True):
    """What may be changed of a message."""

    content: Any = None
    name: str | None = None
    attachments: list[Attachment] | None = None
    metadata: dict[str, Any] | None = None
    task_id: str | None = None


class NewMessage(MessageChange, frozen=True, kw_only=True):
    """A message to add."""

    role: Role
    message_id: str | None = None


def position(cursor: str | None) -> int:
    """The position that a cursor tells. Raises InputError."""
    if cursor is not None and not (cursor.isdecimal() and len(cursor) < 19):
        raise InputError("`cursor` is none of ours", field="cursor", hint="begin without it")
    return int(cursor or 0)


async def list_messages(request: Request, context: Context) -> Response:
    """`GET /api/v1/runs/{run_id}/messages`."""
    limit, cursor = paged(told(request, ("limit", "cursor")))
    after = position(cursor)

    def work(state: StateStore) -> list[Message]:
        run = permitted(state, request.path_params["run_id"], request)
        return state.messages(run.run_id, limit=limit + 1, after=after)

    found = await context.state(work)
    last = str(found[limit - 1].position) if len(found) > limit else None
    return json(MessagePage([shown_message(one) for one in found[:limit]], last))


async def add_message(request: Request, context: Context) -> Response:
    """`POST /api/v1/runs/{run_id}/messages`."""
    run_id, now_us = request.path_params["run_id"], context.now_us()
    fields = await given(request)

    def work(state: StateStore) -> tuple[Message, bool]:
        writable(state, run_id, request)
        project = identity_of(request).project
        if project is not None and state.any_run(run_id) is None:
            manage.create(state, {"run_id": run_id, "project": project}, now_us, context.new_id)
        return manage.add_message(state, run_id, fields, now_us, context.new_id)

    message, is_new = await context.state(work)
    if not is_new and identity_of(request).role == "ingest":
        message = msgspec.structs.replace(message, content=None, attachments=(), metadata={})
    return json(shown_message(message), 201 if is_new else 200)


def _own(state: StateStore, request: Request) -> str:
    """The id of the address's message, if its run is the address's and may be seen."""
    run = permitted(state, request.path_params["run_id"], request)
    message_id = str(request.path_params["message_id"])
    message = state.message(message_id)
    if message is None or message.run_id != run.run_id:
        raise NotFound(f"the run {run.run_id!r} has no message {message_id!r}")
    return message_id


async def change_message(request: Request, context: Context) -> Response:
    """`PATCH /api/v1/runs/{run_id}/messages/{message_id}`."""
    fields = await given(request)
    message = await context.state(lambda state: manage.change_message(state, _own(state, request), fields))
    return json(shown_message(message))


async def remove_message(request: Request, context: Context) -> Response:
    """`DELETE /api/v1/runs/{run_id}/messages/{message_id}`."""
    await context.state(lambda state: manage.remove_message(state, _own(state, request)))
    return Response(status_code=204)


_OF_RUN = "/api/v1/runs/{run_id}/messages"
_PAGE = (Param("limit", "How many, 100 unless told, 200 at most", kind="integer"), Param("cursor", "The last page's"))
ROUTES = (
    Route("GET", _OF_RUN, list_messages, "read", "List a run's messages", "Runs", answer=MessagePage, params=_PAGE,
          may_fail=(400, 404)),
    Route("POST", _OF_RUN, add_message, "ingest", "Add a message", "Runs", body=NewMessage, answer=ShownMessage,
          status=201, also=((200, ShownMessage),), may_fail=(400, 404, 409),
          about="A run without a name gets one from its user's first message."),
    Route("PATCH", _OF_RUN + "/{message_id}", change_message, "admin", "Change a message", "Runs", body=MessageChange,
          answer=ShownMessage, may_fail=(400, 404)),
    Route("DELETE", _OF_RUN + "/{message_id}", remove_message, "admin", "Remove a message", "Runs", status=204,
          may_fail=(404,)),
)  # fmt: skip
