"""The one JSON shape of every failure: `{"error": {"code", "message", "hint", "field"}}`, and which status it has.

Errors of the product are translated here and nowhere else. What is not one of them is a bug of ours: the client gets a
500 without details, the log the traceback.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from tallybook.model.errors import ConflictError, InputError, NotFound, SettingError, StorageError, TallybookError

JSON = "application/json"


class HttpError(TallybookError):
    """A request that is answered with a status of its own. `code` is a word for programs."""

    def __init__(
        self, status: int, code: str, message: str, *, hint: str | None = None, field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.field = field
        self.headers = dict(headers or {})


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, where, and how to mend it."""

    code: str
    message: str
    hint: str | None = None
    field: str | None = None


class Failure(msgspec.Struct, frozen=True):
    """The body of every answer that is no success."""

    error: Problem


def translated(error: TallybookError) -> HttpError:
    """An error of the product as an answer."""
    if isinstance(error, HttpError):
        return error
    if isinstance(error, ConflictError):
        return HttpError(409, "conflict", str(error), hint=error.hint, field=error.field)
    if isinstance(error, InputError):
        if (error.field or "").startswith("--"):  # In the words of a command: here options are parameters.
            message, hint, field = (_bare(text) for text in (str(error), error.hint or "", error.field or ""))
            return HttpError(400, "invalid", message, hint=hint or None, field=field)
        return HttpError(400, "invalid", str(error), hint=error.hint, field=error.field)
    if isinstance(error, NotFound):
        return HttpError(404, "not_found", str(error), hint=error.hint)
    if isinstance(error, StorageError):
        return HttpError(503, "storage", str(error), hint=error.hint, headers={"retry-after": "5"})
    if isinstance(error, SettingError):
        return HttpError(500, "setting", str(error), hint=error.hint)
    return HttpError(500, "failed", str(error), hint=error.hint)


def _bare(text: str) -> str:
    return re.sub(r"--(?=[a-z])", "", text)


def answer(error: HttpError) -> Response:
    """The HTTP answer of an error."""
    body = msgspec.json.encode(Failure(Problem(error.code, str(error), error.hint, error.field)))
    return Response(body, error.status, media_type=JSON, headers=error.headers)


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as a JSON answer. Structs, named tuples and dictionaries alike."""
    return Response(msgspec.json.encode(value), status, media_type=JSON, headers=dict(headers or {}))
