"""What goes with a message: files, addresses, images, videos. Only where they are is kept, never what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tallybook.model.errors import InputError
from tallybook.model.limits import ATTACHMENTS
from tallybook.model.run import Attachment

_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
_YOUTUBE = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "youtube-nocookie.com"})
_URL_CHARS = 8_000


def attachments_of(given: Iterable[Mapping[str, Any] | Attachment]) -> tuple[Attachment, ...]:
    """Attachments as they were handed in, checked. Raises InputError that names the field."""
    found = tuple(_one(one, number) for number, one in enumerate(given))
    if len(found) > ATTACHMENTS:
        raise InputError(f"a message has {len(found)} attachments, more than {ATTACHMENTS}", field="attachments")
    return found


def _one(given: Mapping[str, Any] | Attachment, number: int) -> Attachment:
    field = f"attachments[{number}]"
    if isinstance(given, Attachment):
        one = given
    else:
        try:
            one = msgspec.convert(dict(given), Attachment, strict=False)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise InputError(f"{field}: {error}", field=field, hint="kind is file, url, image or youtube") from error
    if one.kind in ("url", "youtube") and not one.url:
        raise InputError(f"{field}: `{one.kind}` needs an address", field=f"{field}.url")
    if one.kind in ("file", "image") and not (one.url or one.file_id or one.name):
        raise InputError(f"{field}: `{one.kind}` needs `url`, `file_id` or `name`", field=field)
    if one.url is not None:
        _check_url(one.url, one.kind, f"{field}.url")
    if one.kind == "youtube" and one.video_id is None:
        return msgspec.structs.replace(one, video_id=video_id(one.url or "", f"{field}.url"))
    return one


def _check_url(url: str, kind: str, field: str) -> None:
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError as error:
        raise InputError(f"{field}: no address: {error}", field=field) from error
    allowed = ("http", "https") if kind in ("url", "youtube") else ("http", "https", "file", "s3", "gs")
    if scheme not in allowed or len(url) > _URL_CHARS:
        raise InputError(
            f"{field}: not an address of {', '.join(allowed)} of at most {_URL_CHARS:,} characters", field=field,
            hint="contents (data: addresses) are kept by the application; give `file_id` or `name`",
        )  # fmt: skip


def video_id(url: str, field: str = "url") -> str:
    """The video's id in any of YouTube's addresses. Raises InputError for another one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    path = parts.path.strip("/").split("/")
    found = ""
    if host == "youtu.be":
        found = path[0]
    elif host in _YOUTUBE:
        found = path[1] if len(path) > 1 and path[0] in ("embed", "shorts", "live", "v") else ""
        found = found or parse_qs(parts.query).get("v", [""])[0]
    if _VIDEO.fullmatch(found) is None:
        raise InputError(f"{field}: {url[:200]!r} is no address of a YouTube video", field=field)
    return found
