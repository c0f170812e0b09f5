"""`GET /api/token-usage`: tokens and cost of a chat, a user or a message (S3)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tallybook.query.token_usage import MESSAGES, MESSAGES_MAX, TokenUsage, token_usage
from tallybook.server.context import Context
from tallybook.server.given import SCOPE, Given
from tallybook.server.reply import answered
from tallybook.server.route import Param, Route

_OWN = (
    Param("chatId", "The chat: run or session of its calls."),
    Param("messageId", "The message: its call's id, the provider's response id, or `message_id` in the metadata."),
    Param("messages", f"Messages told one by one, newest first; {MESSAGES} unless said otherwise.", "integer"),
)


async def get_token_usage(request: Request, context: Context) -> Response:
    """Sums, and the messages one by one."""
    given = Given(request, _OWN)
    scope = given.scope(request, context)
    chat, message, user = given.one("chat_id"), given.one("message_id"), given.many("user")
    count = given.count("messages", MESSAGES, MESSAGES_MAX, least=0)

    def work(store: object) -> TokenUsage:
        return token_usage(store, scope, chat_id=chat, message_id=message, messages=count,  # type: ignore[arg-type]
                           user_id=user[0] if len(user) == 1 else None)  # fmt: skip

    return await answered(request, context, scope.span, work)


ROUTES = (
    Route(
        "GET", "/api/token-usage", get_token_usage, "read", "Tokens and cost of a chat, a user or a message", "Usage",
        params=(*_OWN, *SCOPE), answer=TokenUsage, may_fail=(400, 404),
        about="`userId`, `chatId` and `messageId` may be given together. `totalActualCost` is what follows from the "
        "provider's own figures, `totalEstimatedCost` what is estimated; each call is in one of them.",
    ),
)  # fmt: skip
