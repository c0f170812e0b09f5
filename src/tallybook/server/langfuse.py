"""What Langfuse's clients call: batches of events, scores, and what they ask before they start."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.ingest import langfuse
from tallybook.ingest.dialects.langfuse_call import SOURCE
from tallybook.ingest.intake import Lines
from tallybook.ingest.langfuse import Scope, Taken
from tallybook.model import codec
from tallybook.model.errors import NotFound
from tallybook.model.limits import BATCH_ITEMS
from tallybook.server import body
from tallybook.server.arrive import arrive
from tallybook.server.context import Context
from tallybook.server.error import HttpError, json
from tallybook.server.identity import identity_of
from tallybook.server.route import Param, Route
from tallybook.version import __version__

_MEDIA_CHARS = 22
"""Langfuse's own length of a media id: the beginning of the content's SHA-256 in base64."""


class Batch(msgspec.Struct, frozen=True):
    """Events, and what the client tells of itself."""

    batch: list[Any]
    metadata: Any = None


class Success(msgspec.Struct, frozen=True):
    """An event that was taken."""

    id: str
    status: int = 201


class Failure(msgspec.Struct, frozen=True):
    """An event that was not taken, and why."""

    id: str
    status: int
    message: str
    error: str


class Answer(msgspec.Struct, frozen=True):
    """What became of each event."""

    successes: list[Success]
    errors: list[Failure]


class Scored(msgspec.Struct, frozen=True):
    """What became of several scores."""

    accepted: int
    rejected: int
    errors: list[dict[str, str]]


async def post_batch(request: Request, context: Context) -> Response:
    """Take a batch; 207 tells of each event."""
    told = body.decoded(await body.read(request), Batch)
    taken = await take(told.batch, request, context)
    errors = [
        Failure(one.id or "", 400, one.message, one.code if one.field is None else f"{one.code}: {one.field}")
        for one in taken.arrival.refused
    ]
    return json(Answer([Success(one.id) for one in taken.accepted], errors), 207)


async def take(items: list[Any], request: Request, context: Context) -> Taken:
    """Take events in; when this returns they survive power loss. Raises HttpError, Overloaded, StorageError."""
    if len(items) > BATCH_ITEMS:
        raise HttpError(413, "too_many", f"{len(items):,} events at once; {BATCH_ITEMS:,} are taken",
                        hint="send them in smaller batches")  # fmt: skip
    scope = Scope(identity_of(request).project, keeps_texts(context))
    now_us = context.now_us()
    try:
        taken = await context.state(lambda state: langfuse.take(state, items, scope, now_us))
    except RecursionError:
        raise HttpError(400, "too_deep", "the events are nested too deeply") from None
    await write(taken, context)
    return taken


async def write(taken: Taken, context: Context) -> None:
    """Put what is whole into the journal, and mark it so."""
    await arrive(taken.arrival, SOURCE, context)
    if taken.feedback:
        lines = b"".join(one.line for one in taken.feedback)
        await context.record_lines(Lines({"amendments": lines}, len(lines)))
        context.gauge.count("tallybook_records_accepted_total", SOURCE, "score", by=len(taken.feedback))
    if taken.due or taken.feedback:
        await context.state(lambda state: langfuse.recorded(state, taken, context.now_us()))


def keeps_texts(context: Context) -> bool:
    """Whether prompts or responses are to be kept at all."""
    return context.settings.prompts != "none" or context.settings.responses != "none"


async def post_scores(request: Request, context: Context) -> Response:
    """Take one score or many."""
    told = body.decoded(await body.read(request))
    scores = told if isinstance(told, list) else [told]
    now = codec.time_of(context.now_us()).isoformat().replace("+00:00", "Z")
    taken = await take([_score(one, now) for one in scores], request, context)
    refused = taken.arrival.refused
    if not isinstance(told, list):
        for one in refused:
            raise HttpError(400, one.code, one.message, hint=one.hint, field=one.field)
        return json({"id": taken.accepted[0].thing})
    if not refused:
        return json({"message": "Accepted"}, 202)
    return json(Scored(len(taken.accepted), len(refused), [{"message": one.message} for one in refused]), 207)


def _score(told: Any, now: str) -> Any:
    """A score as an event. Without an id, the same score at the same time is the same."""
    if not isinstance(told, dict):
        return told
    at = told.get("timestamp") or now
    ident = told.get("id")
    if not isinstance(ident, str) or not ident:
        plain = msgspec.json.encode([told, at], order="deterministic")
        ident = hashlib.blake2b(plain, digest_size=12).hexdigest()
    return {"id": ident, "type": "score-create", "timestamp": at, "body": {**told, "id": ident}}


async def get_health(request: Request, context: Context) -> Response:
    """Whether the server is there."""
    return json({"status": "OK", "version": __version__})


async def get_projects(request: Request, context: Context) -> Response:
    """The project of the key, by which clients check that their key is good."""
    project = identity_of(request).project or "default"
    told = {"id": project, "name": project, "metadata": {}, "organization": {"id": "tallybook", "name": "tallybook"}}
    return json({"data": [told]})


async def post_media(request: Request, context: Context) -> Response:
    """Say that nothing has to be uploaded: pictures and sound are not kept."""
    told = body.decoded(await body.read(request))
    sha = told.get("sha256Hash") if isinstance(told, dict) else None
    if not isinstance(sha, str) or not sha:
        raise HttpError(400, "required", "`sha256Hash` is required", field="sha256Hash")
    ident = sha.replace("+", "-").replace("/", "_")[:_MEDIA_CHARS]
    if len(sha) < _MEDIA_CHARS:
        ident = base64.urlsafe_b64encode(hashlib.sha256(sha.encode()).digest()).decode()[:_MEDIA_CHARS]
    return json({"mediaId": ident, "uploadUrl": None}, 201)


async def patch_media(request: Request, context: Context) -> Response:
    """Take a client's word that an upload ended."""
    return Response(status_code=204)


async def get_prompt(request: Request, context: Context) -> Response:
    """There are no prompts to fetch here: clients use their fallback."""
    raise NotFound("prompts are not managed here", hint="give the client a fallback prompt")


_GROUP = "Other clients"
_EVENTS = (
    "Langfuse's ingestion events, creations and updates in any order and any batches. Each event is answered by itself."
)

ROUTES = (
    Route("POST", "/api/public/ingestion", post_batch, "ingest", "Take a batch of Langfuse's events", _GROUP,
          body=Batch, answer=Answer, status=207, about=_EVENTS, may_fail=(400, 413, 415)),
    Route("POST", "/api/public/scores", post_scores, "ingest", "Take one of Langfuse's scores, or many", _GROUP,
          body=dict[str, Any], answer=dict[str, Any], may_fail=(400, 413, 415),
          also=((202, dict[str, Any]), (207, dict[str, Any])),
          about="An array is answered with 202, or 207 when some were refused."),
    Route("GET", "/api/public/health", get_health, "none", "Whether the server is there, for Langfuse's clients",
          _GROUP, answer=dict[str, str]),
    Route("GET", "/api/public/projects", get_projects, "ingest", "The key's project, for Langfuse's clients", _GROUP,
          answer=dict[str, Any]),
    Route("POST", "/api/public/media", post_media, "ingest", "Tell Langfuse's clients that nothing is uploaded",
          _GROUP, body=dict[str, Any], answer=dict[str, Any], status=201, may_fail=(400, 413, 415)),
    Route("PATCH", "/api/public/media/{media_id}", patch_media, "ingest", "Take word of an upload", _GROUP,
          params=(Param("media_id", "as it was given"),), status=204),
    Route("GET", "/api/public/v2/prompts/{name:path}", get_prompt, "ingest", "There are no prompts here: always 404",
          _GROUP, params=(Param("name", "of the prompt"),), may_fail=(404,)),
)  # fmt: skip
