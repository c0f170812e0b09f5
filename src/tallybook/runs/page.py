"""A page of the list of runs: which ones, in which order, and the cursor that leads to the next page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Run
from tallybook.model.errors import InputError
from tallybook.model.limits import RUN_PAGE
from tallybook.runs.given import snake
from tallybook.store.run_store import SORTS, RunQuery, RunStore, sort_value

LIMIT = 50
_SEVERAL = {
    "source_type": "source_types", "status": "statuses", "tag": "tags", "tags": "tags", "project": "projects",
    "user": "user_ids", "user_id": "user_ids", "agent": "agent_names", "agent_name": "agent_names",
    "session": "session_ids", "session_id": "session_ids", "run_id": "run_ids",
}  # fmt: skip
_ONE = {"source_id": "source_id", "text": "text", "q": "text", "search": "text"}
_FLAGS = {"starred": "is_starred", "is_starred": "is_starred", "managed": "is_managed", "is_managed": "is_managed",
          "bin": "in_bin", "in_bin": "in_bin", "deleted": "in_bin"}  # fmt: skip
_TIMES = {"since": "since_us", "until": "until_us", "created_since": "created_since_us",
          "created_until": "created_until_us"}  # fmt: skip
NAMES = (*_SEVERAL, *_ONE, *_FLAGS, *_TIMES, "sort", "order", "limit", "cursor")


class Page(NamedTuple):
    """Runs, and the cursor of the next page; `None` when there is none."""

    runs: list[Run]
    cursor: str | None


def find(state: RunStore, given: Mapping[str, Any], viewer: tuple[str | None, str | None] | None = None) -> Page:
    """The page that is asked for. Raises InputError."""
    query = query_of(given, viewer)
    found = state.find_runs(msgspec.structs.replace(query, limit=query.limit + 1))
    page = found[: query.limit]
    is_more = len(found) > query.limit
    return Page(page, _cursor(query, page[-1]) if is_more and page else None)


def query_of(given: Mapping[str, Any], viewer: tuple[str | None, str | None] | None = None) -> RunQuery:
    """Filters by their names (`NAMES`); several values as a list. Raises InputError."""
    told: dict[str, Any] = {"viewer": viewer}
    sort, is_ascending = "updated_at", None
    limit = LIMIT
    cursor = None
    for key, value in given.items():
        name = snake(str(key))
        if value is None:
            continue
        if name in _SEVERAL:
            told[_SEVERAL[name]] = (*told.get(_SEVERAL[name], ()), *_texts(name, value))
        elif name in _ONE:
            told[_ONE[name]] = _texts(name, value)[-1]
        elif name in _FLAGS:
            told[_FLAGS[name]] = _flag(name, value)
        elif name in _TIMES:
            told[_TIMES[name]] = moment(name, value)
        elif name == "sort":
            sort, is_ascending = _sort(str(value))
        elif name == "order":
            if value not in ("asc", "desc"):
                raise InputError("`order` must be asc or desc", field="order")
            is_ascending = value == "asc"
        elif name == "limit":
            limit = limit_of(value)
        elif name == "cursor":
            cursor = str(value)
        else:
            raise InputError(f"there is no filter `{key}`", field=str(key), hint=f"known are {', '.join(NAMES)}")
    query = RunQuery(sort=sort, is_ascending=bool(is_ascending), limit=limit, **told)  # type: ignore[arg-type]
    return query if cursor is None else msgspec.structs.replace(query, after=_after(query, cursor))


def _texts(name: str, value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple | set | frozenset) or not all(isinstance(one, str) for one in values):
        raise InputError(f"`{name}` must be text, or a list of texts", field=name)
    if not values:
        raise InputError(f"`{name}` is empty", field=name)
    return tuple(values)


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in known:
        raise InputError(f"`{name}` must be true or false", field=name)
    return known[str(value).lower()]


def moment(name: str, value: Any) -> int:
    """A moment as microseconds since 1970: such a number, a `datetime`, a day, or ISO 8601 text (UTC when not said)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return (at - datetime(1970, 1, 1, tzinfo=UTC)) // _US
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"`{name}` is no moment: {str(value)[:60]!r}", field=name, hint="write 2026-02-03 or 2026-02-03T09:00:00Z"
        ) from error


_US = datetime(1970, 1, 1, microsecond=1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)


def _sort(text: str) -> tuple[Any, bool | None]:
    """`updated_at`, or `-updated_at` for the largest first, which is the usual order."""
    name = snake(text.lstrip("-+"))
    if name not in SORTS:
        raise InputError(f"`sort` must be one of {', '.join(SORTS)}", field="sort")
    return name, True if text.startswith("+") else False if text.startswith("-") else None


def limit_of(value: Any) -> int:
    """A page's length, at most `RUN_PAGE`. Raises InputError."""
    try:
        number = int(value)
    except (TypeError, ValueError) as error:
        raise InputError("`limit` must be a whole number", field="limit") from error
    if number < 1:
        raise InputError("`limit` must be 1 or more", field="limit")
    return min(number, RUN_PAGE)


def _cursor(query: RunQuery, last: Run) -> str:
    told = [query.sort, query.is_ascending, sort_value(last, query.sort), last.run_id]
    return base64.urlsafe_b64encode(msgspec.json.encode(told)).decode().rstrip("=")


def _after(query: RunQuery, cursor: str) -> tuple[Any, str]:
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        sort, is_ascending, value, run_id = msgspec.json.decode(data, type=tuple[str, bool, int | str, str])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InputError("`cursor` is none of ours", field="cursor", hint="begin without it") from error
    is_text = isinstance(value, str)
    if (sort, is_ascending) != (query.sort, query.is_ascending) or is_text != (sort == "name"):
        raise InputError("`cursor` is of another order", field="cursor", hint="keep sort and order from page to page")
    return value, run_id
