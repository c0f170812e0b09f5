"""`GET /api/v1/settings`: the settings that this server runs with, to read. They are changed where it is started.

What lets somebody in elsewhere is never told: of keys and addresses that hold one only that they are set.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.config import FILE_NAME, NAMES, Settings
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.given import Given
from tallybook.server.route import Route
from tallybook.server.scope import refuse_confined

SECRET = frozenset({"key", "url", "alert_webhook"})
"""Told only as set or not: keys, and addresses, which may hold one."""


class Setting(msgspec.Struct, frozen=True):
    """One setting as it is in force."""

    name: str
    """In the file of settings."""
    variable: str
    value: str | int | bool | list[str] | None
    """`null`: not set. Of what may hold a secret, whether it is set."""
    is_default: bool


class InForce(msgspec.Struct, frozen=True):
    """All settings."""

    folder: str
    file: str
    """The file's name; it stands in the working directory of the server or above."""
    settings: list[Setting]


def in_force(settings: Settings) -> InForce:
    """What the server runs with."""
    usual = Settings(folder=settings.folder)
    found = [
        Setting("dir" if name.field == "folder" else name.field, name.variable, _told(name.field, settings),
                getattr(settings, name.field) == getattr(usual, name.field) and name.field != "folder")
        for name in NAMES
    ]  # fmt: skip
    return InForce(str(settings.folder), FILE_NAME, found)


def _told(field: str, settings: Settings) -> Any:
    value = getattr(settings, field)
    if field in SECRET:
        return value is not None
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)


async def get_settings(request: Request, context: Context) -> Response:
    """The settings in force."""
    refuse_confined(request, "what a server is set to")
    Given(request)
    return json(in_force(context.settings), headers={"cache-control": "no-store"})


ROUTES = (
    Route("GET", "/api/v1/settings", get_settings, "admin", "The settings in force", "Operations", answer=InForce,
          about="To read: they are changed where the server is started (docs/settings.md)."),
)  # fmt: skip
