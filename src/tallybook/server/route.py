"""One resource as plain data: where it is, who may use it, what goes in and out. The OpenAPI document is made of it.

A handler gets the request and the server's `Context`, and gives a response or raises an error of the product. It is
short: parse, call, render.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tallybook.server.context import Context
from tallybook.server.error import HttpError

Need = Literal["none", "ingest", "read", "admin"]
"""The least that a key must be allowed: `ingest` to write records, `read` to ask, `admin` to change things."""

Handler = Callable[[Request, Context], Awaitable[Response]]


class Param(NamedTuple):
    """A parameter in the address."""

    name: str
    about: str
    kind: Literal["string", "integer", "number", "boolean"] = "string"
    many: bool = False
    """May be given several times."""
    example: Any = None


class Route(NamedTuple):
    """One method of one path."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    """`{name}` takes one part of the address, `{name:path}` the rest."""
    handler: Handler
    need: Need
    summary: str
    group: str
    """The heading in the documentation."""
    body: Any = None
    """Type of the JSON body; `bytes` where it is no JSON; `None` without one."""
    answer: Any = None
    """Type of the JSON answer."""
    params: tuple[Param, ...] = ()
    status: int = 200
    about: str = ""
    answer_type: str = "application/json"
    is_hot: bool = False
    """Matched before all others: called by the thousand."""
    may_fail: tuple[int, ...] = (400,)
    """Statuses of failures besides those that every route of its kind may give: 401 and 403 (access), 500, 503, and for
    one with a body 400, 408, 413 and 415."""
    body_type: str = "application/json"
    more_body_types: tuple[str, ...] = ()
    """Further media types that the body may have."""
    more_answer_types: tuple[str, ...] = ()
    """Further media types that the answer may have."""
    also: tuple[tuple[int, Any], ...] = ()
    """Further statuses with a body of a type of their own: partial success, a batch of which nothing was taken."""
    takes_tokens: bool = False
    """Short-lived tokens of pages are let in too; the handler shows only what they name."""
    is_for_all: bool = False
    """Pages of every site may read the answer, which holds nobody's records."""
    failure: Callable[[Request, HttpError], Response] | None = None
    """Renders failures where a protocol has a form of its own; else they have the one JSON shape."""
