"""Access keys over HTTP: made and shown once, listed without their secrets, revoked."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.access import key as keys
from tallybook.model.errors import NotFound
from tallybook.model.limits import FIELD_CHARS
from tallybook.server import body
from tallybook.server.context import Context
from tallybook.server.error import HttpError, json
from tallybook.server.route import Route
from tallybook.server.scope import may_see, refuse_confined
from tallybook.store.access import Key, Role


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make."""

    role: Role
    project: Annotated[str, msgspec.Meta(min_length=1, max_length=FIELD_CHARS)] | None = None
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=FIELD_CHARS)] | None = None


class ShownKey(msgspec.Struct, frozen=True):
    """A key without its secret."""

    key_id: str
    role: Role
    project: str | None
    name: str | None
    created_at_us: int
    revoked_at_us: int | None
    last_used_at_us: int | None


class MadeKey(msgspec.Struct, frozen=True):
    """A new key. `key` is its secret text: it is shown this once."""

    key: str
    key_id: str
    role: Role
    project: str | None
    name: str | None


class KeyList(msgspec.Struct, frozen=True):
    """All keys."""

    keys: list[ShownKey]


def shown(key: Key) -> ShownKey:
    """A key as it may be seen."""
    return ShownKey(*(getattr(key, name) for name in ShownKey.__struct_fields__))


async def list_keys(request: Request, context: Context) -> Response:
    """`GET /api/v1/keys`."""
    now_us = context.now_us()
    await context.state(lambda state: context.keys.refresh(state, now_us))
    found = await context.state(lambda state: state.access_keys())
    return json(KeyList([shown(key) for key in found if may_see(request, key.project)]))


async def create_key(request: Request, context: Context) -> Response:
    """`POST /api/v1/keys`."""
    given: NewKey = body.decoded(await body.read(request), NewKey)
    now_us = context.now_us()
    _refuse_first_remote(context)
    if not may_see(request, given.project):
        refuse_confined(request, "that key")
    made = await context.state(
        lambda state: keys.make(state, role=given.role, project=given.project, name=given.name, now_us=now_us)
    )
    await context.state(lambda state: context.keys.refresh(state, now_us))
    key = made.key
    return json(MadeKey(made.text, key.key_id, key.role, key.project, key.name), 201, {"cache-control": "no-store"})


def _refuse_first_remote(context: Context) -> None:
    """With `--insecure` anybody could make an admin's key and keep it after the door is closed."""
    if context.serving.is_open and not context.serving.is_loopback:
        raise HttpError(403, "forbidden", "keys are not made over an open network",
                        hint="`tallybook keys create` on the server's machine makes one")  # fmt: skip


async def revoke_key(request: Request, context: Context) -> Response:
    """`DELETE /api/v1/keys/{key_id}`."""
    key_id, now_us = request.path_params["key_id"], context.now_us()
    known = {key.key_id: key for key in await context.state(lambda state: state.access_keys())}
    if key_id in known and not may_see(request, known[key_id].project):
        raise NotFound(f"there is no key {key_id!r}")
    await context.state(lambda state: keys.revoke(state, key_id, now_us))
    await context.state(lambda state: context.keys.refresh(state, now_us))
    return Response(status_code=204)


ROUTES = (
    Route("GET", "/api/v1/keys", list_keys, "admin", "List access keys", "Access", answer=KeyList),
    Route("POST", "/api/v1/keys", create_key, "admin", "Make an access key", "Access", body=NewKey, answer=MadeKey,
          status=201),
    Route("DELETE", "/api/v1/keys/{key_id}", revoke_key, "admin", "Revoke an access key", "Access", status=204,
          may_fail=(404,)),
)  # fmt: skip
