"""Links to runs over HTTP: made and shown once, listed, revoked; and what anybody reads who has one."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.call import Run
from tallybook.model.errors import NotFound
from tallybook.model.run import Message
from tallybook.query.plain import iso
from tallybook.runs import share as links
from tallybook.runs.page import moment
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.messages import position
from tallybook.server.page import whole
from tallybook.server.permit import permitted
from tallybook.server.route import Param, Route
from tallybook.server.runs import given, told
from tallybook.server.shape import MadeShare, SharedRun, ShareList, shared_run, shown_share
from tallybook.server.tasks import paged
from tallybook.store.base import StateStore

_PRIVATE = {"cache-control": "no-store", "x-robots-tag": "noindex", "referrer-policy": "no-referrer"}


class NewShare(msgspec.Struct, frozen=True):
    """A link to make."""

    label: str | None = None
    expires_at: str | None = None
    """ISO 8601; without it, until it is revoked."""


async def create_share(request: Request, context: Context) -> Response:
    """`POST /api/v1/runs/{run_id}/share`."""
    now_us = context.now_us()
    fields = await given(request)
    ends = fields.get("expires_at", fields.get("expiresAt"))
    ends_us = None if ends is None else moment("expires_at", ends)
    label = fields.get("label")

    def work(state: StateStore) -> links.Made:
        run = permitted(state, request.path_params["run_id"], request)
        return links.share(state, run.run_id, now_us, label=None if label is None else str(label),
                           expires_at_us=ends_us)  # fmt: skip

    made = await context.state(work)
    answer = MadeShare(made.share.share_id, made.token, f"/s/{made.token}", iso(made.share.expires_at_us))
    return json(answer, 201, _PRIVATE)


async def list_shares(request: Request, context: Context) -> Response:
    """`GET /api/v1/runs/{run_id}/share`."""

    def work(state: StateStore) -> ShareList:
        run = permitted(state, request.path_params["run_id"], request)
        return ShareList([shown_share(one) for one in state.shares(run.run_id)])

    return json(await context.state(work))


async def revoke_share(request: Request, context: Context) -> Response:
    """`DELETE /api/v1/runs/{run_id}/share/{share_id}`."""
    now_us = context.now_us()

    def work(state: StateStore) -> None:
        run = permitted(state, request.path_params["run_id"], request, in_bin=True)
        links.revoke(state, request.path_params["share_id"], now_us, run.run_id)

    await context.state(work)
    return Response(status_code=204)


async def read_shared(request: Request, context: Context) -> Response:
    """`GET /s/{token}`: the page for a browser, the run for who asks for JSON."""
    now_us = context.now_us()
    if "text/html" in request.headers.get("accept", ""):
        return await _page(request, context, now_us)
    limit, cursor = paged(told(request, ("limit", "cursor")))
    after = position(cursor)

    def work(state: StateStore) -> tuple[Run, list[Message]]:
        run = links.shared_run(state, request.path_params["token"], now_us)
        return run, state.messages(run.run_id, limit=limit + 1, after=after)

    run, found = await context.state(work)
    last = str(found[limit - 1].position) if len(found) > limit else None
    return json(shared_run(run, found[:limit], last), headers=_PRIVATE)


async def _page(request: Request, context: Context, now_us: int) -> Response:
    """The page that asks for the run itself; a link that shows nothing is 404 here too, in words on the page."""
    try:
        await context.state(lambda state: links.shared_run(state, request.path_params["token"], now_us))
        status = 200
    except NotFound:
        status = 404
    response = whole(request, "shared.html", status)
    response.headers.update(_PRIVATE | {"vary": "accept, accept-encoding"})
    return response


_OF_RUN = "/api/v1/runs/{run_id}/share"
ROUTES = (
    Route("GET", _OF_RUN, list_shares, "admin", "List a run's links", "Runs", answer=ShareList, may_fail=(404,)),
    Route("POST", _OF_RUN, create_share, "admin", "Make a link by which anybody reads a run", "Runs", body=NewShare,
          answer=MadeShare, status=201, may_fail=(400, 404)),
    Route("DELETE", _OF_RUN + "/{share_id}", revoke_share, "admin", "Revoke a link", "Runs", status=204,
          may_fail=(404,)),
    Route("GET", "/s/{token}", read_shared, "none", "Read a run by its link", "Runs", answer=SharedRun,
          more_answer_types=("text/html",),
          params=(Param("limit", "Messages of a page", kind="integer"), Param("cursor", "The last page's")),
          may_fail=(400, 404)),
)  # fmt: skip
