"""`POST /api/v1/tokens`: a short-lived token, for a page to show the usage of one project, chat, user or message."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.access.token import token_of
from tallybook.model.limits import FIELD_CHARS, TOKEN_MINUTES
from tallybook.query.plain import iso
from tallybook.server import body
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.identity import identity_of
from tallybook.server.route import Route
from tallybook.server.scope import may_see, refuse_confined

MINUTES = 15
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=FIELD_CHARS)]


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to make: it opens what fulfils all that is named."""

    project: _Text | None = None
    chat: _Text | None = None
    user: _Text | None = None
    message: _Text | None = None
    minutes: Annotated[int, msgspec.Meta(ge=1, le=TOKEN_MINUTES)] = MINUTES


class MadeToken(msgspec.Struct, frozen=True):
    """A new token, to be sent as `Authorization: Bearer`."""

    token: str
    expires_at: str


async def create_token(request: Request, context: Context) -> Response:
    """Make a token with no more sight than its maker has."""
    given: NewToken = body.decoded(await body.read(request), NewToken)
    identity, now_us = identity_of(request), context.now_us()
    if given.project is not None and not may_see(request, given.project):
        refuse_confined(request, "that token")
    token = token_of(
        minutes=given.minutes, now_us=now_us, project=given.project or identity.project, chat=given.chat,
        user=given.user, message=given.message, key_id=identity.key_id,
    )  # fmt: skip
    text = await context.state(lambda state: context.tokens.sign(state, token))
    return json(MadeToken(text, iso(token.ends_at_us) or ""), 201, {"cache-control": "no-store"})


ROUTES = (
    Route(
        "POST", "/api/v1/tokens", create_token, "read", "Make a short-lived token for a page", "Access", body=NewToken,
        answer=MadeToken, status=201,
        about="It opens `GET /api/token-usage` for the project, chat, user or message that it names, and nothing else.",
    ),
)  # fmt: skip
