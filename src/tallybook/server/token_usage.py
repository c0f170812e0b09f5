"""`GET /api/token-usage`: tokens and cost of a chat, a user or a message (S3)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tallybook.query.token_usage import MESSAGES, MESSAGES_MAX, TokenUsage, token_usage
from tallybook.server.context import Context
from tallybook.server.error import HttpError
from tallybook.server.given import SCOPE, Given, plain_name
from tallybook.server.identity import identity_of
from tallybook.server.reply import answered
from tallybook.server.route import Param, Route

_OWN = (
    Param("chatId", "The chat: run or session of its calls."),
    Param("messageId", "The message: its call's id, the provider's response id, or `message_id` in the metadata."),
    Param("messages", f"Messages told one by one, newest first; {MESSAGES} unless said otherwise.", "integer"),
)


async def get_token_usage(request: Request, context: Context) -> Response:
    """Sums, and the messages one by one."""
    _check_token(request)
    given = Given(request, _OWN)
    scope = given.scope(request, context)
    chat, message, user = given.one("chat_id"), given.one("message_id"), given.many("user")
    count = given.count("messages", MESSAGES, MESSAGES_MAX, least=0)

    def work(store: object) -> TokenUsage:
        return token_usage(store, scope, chat_id=chat, message_id=message, messages=count,  # type: ignore[arg-type]
                           user_id=user[0] if len(user) == 1 else None)  # fmt: skip

    return await answered(request, context, scope.span, work)


def _check_token(request: Request) -> None:
    """Raise HttpError 403 where a token does not name what is asked for, or more is asked than it is for."""
    token = identity_of(request).token
    if token is None:
        return
    asked: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        asked.setdefault(plain_name(name), []).append(value)
    for name in asked:
        if name not in _OF_TOKENS:
            raise HttpError(403, "forbidden", f"a token may not ask by {name[:100]!r}", field=name[:100])
    for name, mine in (("chat_id", token.chat), ("user", token.user), ("message_id", token.message)):
        if mine is not None and asked.get(name) != [mine]:
            raise HttpError(403, "forbidden", f"this token is for one {name.removesuffix('_id')} alone", field=name,
                            hint="ask for the one that it was made for")  # fmt: skip


_OF_TOKENS = frozenset({"chat_id", "user", "message_id", "messages", "currency", "timezone"})
ROUTES = (
    Route(
        "GET", "/api/token-usage", get_token_usage, "read", "Tokens and cost of a chat, a user or a message", "Usage",
        params=(*_OWN, *SCOPE), takes_tokens=True, answer=TokenUsage, may_fail=(400, 404),
        about="`userId`, `chatId` and `messageId` may be given together. `totalActualCost` is what follows from the "
        "provider's own figures, `totalEstimatedCost` what is estimated; each call is in one of them.",
    ),
)  # fmt: skip
