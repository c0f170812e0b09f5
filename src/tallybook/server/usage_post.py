"""`POST /api/ai-usage` and `/api/ai/usage`: record one usage log or many (S1, phase 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from os import urandom
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.ingest.arrival import Arrival, Content, Refused
from tallybook.ingest.dialects import ident, usage_log
from tallybook.ingest.dialects.moment import moment_us
from tallybook.ingest.dialects.reckoned import with_reckoned
from tallybook.ingest.dialects.usage_log import Reading, UsageLog
from tallybook.model.call import Call
from tallybook.model.ids import unix_ms_of, uuid7
from tallybook.model.limits import BATCH_ITEMS, FIELD_CHARS
from tallybook.server import body
from tallybook.server.context import Context
from tallybook.server.error import HttpError, Problem, answer, json
from tallybook.server.identity import Identity, identity_of
from tallybook.server.route import Route

_DAY_MS = 86_400_000
REMEMBER_US = 2 * 86_400_000_000
"""An `Idempotency-Key`, or an id without a time, is remembered for two days."""


class Recorded(msgspec.Struct, frozen=True):
    """The record's id."""

    id: str


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one item: its id, or why it was refused."""

    index: int
    status: int
    id: str | None = None
    error: Problem | None = None


class Several(msgspec.Struct, frozen=True):
    """What became of each item, in the order they came."""

    accepted: int
    refused: int
    results: list[Item]


_CREATE_IT = "create it: POST /api/v1/projects, or `tallybook projects create`; or start the server with --any-project"


class _Named:
    """An item on its way to a call: when it began, and by what its id is found."""

    __slots__ = ("began_us", "call_id", "memory", "position", "project", "reading")

    def __init__(self, reading: Reading, position: int, project: str | None, began_us: int) -> None:
        self.reading = reading
        self.position = position
        self.project = project
        self.began_us = began_us
        self.call_id = ""
        self.memory: str | None = None
        """What its id is remembered under; `None` where the id follows from the item itself, or is fresh."""


async def post_usage(request: Request, context: Context) -> Response:
    """Take one object, an array, or lines of objects."""
    data = await body.read(request)
    is_lines = body.content_type(request) in _LINES
    identity = identity_of(request)
    key = request.headers.get("idempotency-key", "")
    if len(key) > FIELD_CHARS:
        raise HttpError(400, "invalid", f"Idempotency-Key is longer than {FIELD_CHARS} characters")
    readings, is_single = _readings(data, is_lines)
    refused: dict[int, Refused] = {}
    named: list[_Named] = []
    unknown = await _unknown_projects(readings, identity, context)
    now_us = context.now_us()
    for position, reading in enumerate(readings):
        found = reading if isinstance(reading, Refused) else _named(reading, position, identity, unknown, now_us)
        if isinstance(found, Refused):
            refused[position] = found
        else:
            named.append(found)
    await _identify(named, key, is_single, identity, context)
    await context.record(_arrival(named, context))
    _count(named, refused, context)
    if is_single:
        return _single(named, refused)
    return _several(named, refused)


def _readings(data: bytes, is_lines: bool) -> tuple[Sequence[Reading | Refused], bool]:
    """The items of a body as they were understood, and whether it was a single one."""
    body.check_values(data)
    if not is_lines and data[:1] == b"[":
        found = usage_log.read_all(data)
        if found is not None:
            _check_count(len(found))
            return found, False
    items, is_single = _items(data, is_lines)
    return [_read(item, position) for position, item in enumerate(items)], is_single


def _items(data: bytes, is_lines: bool) -> tuple[Sequence[Any], bool]:
    """The items of a body, and whether it was a single one."""
    if is_lines:
        _check_count(data.count(b"\n"))
        lines = [line for line in data.split(b"\n") if line.strip()]
        _check_count(len(lines))
        return [_line(line) for line in lines], False
    told = body.decoded(data)
    if isinstance(told, list):
        _check_count(len(told))
        return told, False
    return [told], True


def _check_count(count: int) -> None:
    if count > BATCH_ITEMS:
        raise HttpError(413, "too_many", f"{count:,} items at once; {BATCH_ITEMS:,} are taken",
                        hint="send them in smaller batches")  # fmt: skip


class _NoJson(str):
    """Why a line is no JSON."""


def _line(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _NoJson(error)


def _read(item: Any, position: int) -> Reading | Refused:
    if isinstance(item, _NoJson):
        return Refused(position, "not_json", f"the line is no JSON: {item}")
    return usage_log.read(item, position)


async def _unknown_projects(readings: Sequence[Reading | Refused], identity: Identity, context: Context) -> set[str]:
    """Projects that the items name and nobody knows."""
    told = {one.log.project_id for one in readings if isinstance(one, Reading) and one.log.project_id is not None}
    return {name for name in told if name != identity.project and not await context.known_projects.has(name, context)}


def _named(
    reading: Reading, position: int, identity: Identity, unknown: Collection[str], now_us: int
) -> _Named | Refused:
    """Check what needs the server: the moment, and whether the project is known and the sender's."""
    log = reading.log
    began_us = usage_log.began_us(log, now_us)
    own = usage_log.own_id(log)
    if log.created_at is None and own is not None:
        began_us = moment_us((unix_ms_of(own) or 0) / 1000)
    if began_us is None:
        return Refused(position, "invalid", "`created_at` is no moment between 2000 and 2100",
                       "ISO 8601 as `2026-11-26T04:00:00Z`, or seconds since 1970", "created_at", log.id)  # fmt: skip
    project = log.project_id or identity.project
    if identity.project is not None and project != identity.project:
        return Refused(position, "forbidden_project", f"this key writes only to the project {identity.project!r}",
                       "use a key of the other project, or leave `project_id` out", "project_id", log.id)  # fmt: skip
    if project is not None and project in unknown:
        message = f"there is no project {project[:100]!r}"
        return Refused(position, "unknown_project", message, _CREATE_IT, "project_id", log.id)
    return _Named(reading, position, project, began_us)


async def _identify(named: Sequence[_Named], key: str, is_single: bool, identity: Identity, context: Context) -> None:
    """Give each item its call's id: the same for the same item, however often it is sent."""
    chance = urandom(10 * len(named))  # At once: one by one it is a system call a record.
    for number, one in enumerate(named):
        log, own = one.reading.log, usage_log.own_id(one.reading.log)
        if own is not None and (unix_ms_of(own) or 0) // _DAY_MS == one.began_us // 1000 // _DAY_MS:
            one.call_id = own
        elif log.id is not None and log.created_at is not None:
            one.call_id = ident.call_id(one.began_us, "usage", one.project or "", log.id)
        else:
            bits = int.from_bytes(chance[10 * number : 10 * number + 10], "big") >> 6
            one.call_id = uuid7(one.began_us // 1000, bits)
            one.memory = _memory(log, one, key, is_single, identity)
    fresh = {one.memory: one.call_id for one in named if one.memory is not None}
    if not fresh:
        return
    now_us = context.now_us()
    kept = await context.state(lambda state: state.remember(fresh, now_us, now_us - REMEMBER_US))
    for one in named:
        if one.memory is not None:
            one.call_id = kept[one.memory]
            if one.call_id != fresh[one.memory]:
                context.gauge.count("tallybook_records_repeated_total", "rest")
                one.began_us = (unix_ms_of(one.call_id) or 0) * 1000


def _memory(log: UsageLog, one: _Named, key: str, is_single: bool, identity: Identity) -> str | None:
    """What an item without a lasting id is remembered by."""
    if log.id is not None:
        text = f"id\x1f{one.project or ''}\x1f{log.id}"
    elif key:
        text = f"key\x1f{identity.key_id or ''}\x1f{key}" + ("" if is_single else f"\x1f{one.position}")
    else:
        return None
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def _arrival(named: Sequence[_Named], context: Context) -> Arrival:
    calls: list[Call] = []
    contents: list[Content] = []
    for one in named:
        calls.append(
            usage_log.call_of(one.reading, call_id=one.call_id, started_at_us=one.began_us, project=one.project)
        )
        content = usage_log.content_of(one.reading.log, one.call_id, one.began_us)
        if content is not None:
            contents.append(content)
    return Arrival(with_reckoned(calls, context.prices.knows), (), tuple(contents))


def _count(named: Sequence[_Named], refused: dict[int, Refused], context: Context) -> None:
    if named:
        context.gauge.count("tallybook_records_accepted_total", "rest", "call", by=len(named))
    for one in refused.values():
        context.gauge.count("tallybook_records_refused_total", "rest", one.code)


def problem(refused: Refused) -> Problem:
    """A refusal as it is told."""
    return Problem(refused.code, refused.message, refused.hint, refused.field)


def _single(named: Sequence[_Named], refused: dict[int, Refused]) -> Response:
    if refused:
        told = problem(refused[0])
        status = 403 if told.code == "forbidden_project" else 400
        return answer(HttpError(status, told.code, told.message, hint=told.hint, field=told.field))
    identity = named[0].call_id
    return json(Recorded(identity), 201, {"location": f"/api/v1/calls/{identity}"})


def _several(named: Sequence[_Named], refused: dict[int, Refused]) -> Response:
    results = [Item(one.position, 201, one.call_id) for one in named]
    results += [Item(one.position, 400, one.id, problem(one)) for one in refused.values()]
    results.sort(key=lambda item: item.index)
    status = 201 if not refused else 400 if not named and refused else 207
    return json(Several(len(named), len(refused), results), status)


_Body = UsageLog | list[UsageLog]
_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines")
_ABOUT = (
    "One object, an array of objects, or lines of objects (application/x-ndjson). "
    "Names may be snake_case or camelCase. "
    "Arrays and lines are answered item by item: 201 when all were taken, 207 when some were, 400 when none was. "
    "The same `id`, or the same `Idempotency-Key` header, is one record however often it is sent. "
    "`estimated_cost` counts only for a model whose price is not known here."
)

ROUTES = tuple(
    Route("POST", path, post_usage, "ingest", "Record one usage log or many", "Recording",
          body=_Body, answer=Recorded, status=201, about=_ABOUT, is_hot=True, more_body_types=_LINES,
          also=((201, Several), (207, Several), (400, Several)))
    for path in ("/api/ai-usage", "/api/ai/usage")
)  # fmt: skip
