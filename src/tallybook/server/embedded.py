"""`GET /api/v1/page/…`: what the elements of `/embed.js` show on other people's pages.

A page's token confines each answer to what it names: its project, user and chat are forced here, whatever is asked for
besides. A token of a single message opens none of these. Keys of the role `read`, and an open server, ask freely.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.access.token import Token
from tallybook.model.call import Run
from tallybook.model.errors import InputError, NotFound
from tallybook.model.question import Filter, Grain
from tallybook.query import usage
from tallybook.query.plain import report
from tallybook.query.token_usage import of_chat
from tallybook.runs import manage, page
from tallybook.server.context import Context
from tallybook.server.error import HttpError, json
from tallybook.server.given import BY, SCOPE, Given
from tallybook.server.identity import identity_of
from tallybook.server.permit import permitted, viewer_of
from tallybook.server.reply import answered
from tallybook.server.route import Param, Route
from tallybook.server.runs import told
from tallybook.server.shape import shown_run
from tallybook.server.tree import RunTree, tree_answer
from tallybook.store.base import StateStore

DAYS = 30
_BY = ("model", "provider", "operation", "task", "agent_name", "project")
_INTERVAL = Param("interval", "`hour`, `day`, `week` or `month`. Default: hours up to two days, else days.")
_CHAT = Param("chatId", "The chat: run or session of its calls.")
_OF_TOKENS = frozenset(
    {"interval", "by", "days", "since", "until", "period", "timezone", "currency", "chat_id", "user"}
)


class PageRun(msgspec.Struct, frozen=True):
    """A run in a list: its name and sums, and nothing of settings, variables or people."""

    run_id: str
    name: str | None
    status: str
    is_starred: bool
    tags: list[str]
    updated_at: str | None
    message_count: int
    calls: int
    errors: int
    total_tokens: int
    cost_usd: float | None
    """`null` when no call has a price."""
    cost_nanousd: int | None
    unpriced_calls: int


class PageRuns(msgspec.Struct, frozen=True):
    """Runs, the latest first, and the cursor of the next page."""

    runs: list[PageRun]
    cursor: str | None


def _token(request: Request) -> Token | None:
    """The page's token. Raises HttpError 403 for one of a single message."""
    token = identity_of(request).token
    if token is not None and token.message is not None:
        raise HttpError(403, "forbidden", "this token is for one message alone",
                        hint="make one for the chat, the user or the project")  # fmt: skip
    return token


def _own(name: str, asked: str | None, mine: str | None) -> str | None:
    """What is asked for, or else what the token names. Raises HttpError 403 where both differ."""
    if mine is not None and asked not in (None, mine):
        raise HttpError(403, "forbidden", f"this token is for one {name} alone", field=name,
                        hint="ask for the one that it was made for")  # fmt: skip
    return mine or asked


async def get_costs(request: Request, context: Context) -> Response:
    """Cost and tokens over time, in all or by group."""
    token = _token(request)
    given = Given(request, (BY, _INTERVAL, _CHAT))
    if token is not None:
        given.refuse_beyond(_OF_TOKENS)
    scope = given.scope(request, context, days=DAYS)
    chat = _own("chat", given.one("chat_id"), token.chat if token else None)
    user = _own("user", given.one("user"), token.user if token else None) if token else None
    if user is not None:
        scope = scope.within(Filter("user_id", "eq", user))
    interval = cast(Grain | None, given.choice("interval", ("hour", "day", "week", "month")))
    by = given.by()
    for name in by:
        if name not in _BY:
            raise InputError(
                f"costs of a page are not told by {name[:100]!r}", field="by", hint=f"by: {', '.join(_BY)}"
            )

    def work(store: Any) -> Any:
        own = scope if chat is None else of_chat(store, scope, chat)
        return report("timeseries", usage.course(store, own, interval, by))

    return await answered(request, context, scope.span, work)


async def list_runs(request: Request, context: Context) -> Response:
    """Runs of the token's user, or of its project as far as they are not private."""
    token = _token(request)
    asked = told(request, ("user", "limit", "cursor", "status", "text", "starred"))
    if token is not None and token.chat is not None:
        raise HttpError(
            403, "forbidden", "this token is for one chat alone", hint="make one for the user or the project"
        )
    user = _own("user", asked.get("user"), token.user if token else None)
    project = identity_of(request).project
    filters = {**asked, **({"user": user} if user else {}), **({"project": project} if project else {})}
    # Whom a page asks about is not who asks: private runs are for a token of their owner.
    viewer = viewer_of(request) if token is None else (project, token.user)

    def work(state: StateStore) -> page.Page:
        return page.find(state, filters, viewer)

    found = await context.state(work)
    return json(PageRuns([_shown(run) for run in found.runs], found.cursor), headers={"cache-control": "no-store"})


async def get_tree(request: Request, context: Context) -> Response:
    """The execution tree of the token's chat, or of a run that is its user's or its project's."""
    token = _token(request)
    asked = told(request, ("chatId", "chat_id", "user"))
    chat = _own("chat", asked.get("chatId", asked.get("chat_id")), token.chat if token else None)
    _own("user", asked.get("user"), token.user if token else None)
    if not chat:
        raise InputError("say which run: chatId", field="chatId")

    def work(state: StateStore) -> Run:
        if token is None:
            return permitted(state, chat, request)
        run = manage.found(state, chat)
        if not _opens(token, run):
            raise NotFound(f"no run has the id {chat!r}")
        return run

    run = await context.state(work)
    return await tree_answer(request, context, run)


def _opens(token: Token, run: Run) -> bool:
    """Whether a token opens a run: what fulfils all that it names; of a project that which is not private."""
    if token.project is not None and run.project != token.project:
        return False
    if token.user is not None:
        return run.user_id == token.user
    return token.chat is not None or run.visibility != "private"


def _shown(run: Run) -> PageRun:
    whole = shown_run(run)
    told = {name: getattr(whole, name) for name in PageRun.__struct_fields__}
    return PageRun(**{**told, "updated_at": whole.last_message_at or whole.updated_at})


_USER = Param("user", "The user; with a token for one, that one")
ROUTES = (
    Route("GET", "/api/v1/page/costs", get_costs, "read", "Cost over time for a page", "Pages", answer=dict,
          params=(*SCOPE, BY, _INTERVAL, _CHAT), takes_tokens=True, may_fail=(400,)),
    Route("GET", "/api/v1/page/runs", list_runs, "read", "Runs for a page", "Pages", answer=PageRuns,
          takes_tokens=True, may_fail=(400,), params=(
              _USER, Param("limit", "Runs of a page, 50 unless told, 200 at most", kind="integer"),
              Param("cursor", "The last page's cursor"), Param("status", "active, completed or archived"),
              Param("text", "In name, description, tags or a message"),
              Param("starred", "Starred ones", kind="boolean"))),
    Route("GET", "/api/v1/page/tree", get_tree, "read", "The execution tree of a run for a page", "Pages",
          answer=RunTree, params=(_CHAT, _USER), takes_tokens=True, may_fail=(400, 404)),
)  # fmt: skip
