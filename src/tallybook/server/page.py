"""The pages: static files served as they are, packed once, with a strict Content-Security-Policy.

All addresses of pages give the same document, which finds its page by the address. What is vendored has its version in
its name and is kept for ever; everything else is asked for again by its ETag, so that an upgrade shows at once.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tallybook.server.context import Context
from tallybook.server.error import HttpError
from tallybook.server.route import Route

_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".json": "application/json",
}  # fmt: skip
_PACK_FROM_BYTES = 700
PAGES = ("/", "/calls", "/runs", "/runs/{run_id}", "/tools", "/models", "/users", "/projects", "/settings")
"""Addresses of pages."""
SHARED = ("client.js", "chat.js", "react.js", "embed.js")
"""Modules for pages and programs of others: served at the root too, and to pages of any site. They hold no records."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class File(NamedTuple):
    """One file as it is served."""

    data: bytes
    packed: bytes | None
    media_type: str
    etag: str
    is_lasting: bool


@lru_cache(maxsize=512)
def load(name: str) -> File | None:
    """A file of `tallybook.web` by its path; `None` where there is none, or for what is not meant to be served."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.suffix not in _TYPES:
        return None
    place = files("tallybook.web")
    for part in path.parts:
        place = place / part
    if not place.is_file():
        return None
    data = place.read_bytes()
    packed = gzip.compress(data, 9, mtime=0) if len(data) >= _PACK_FROM_BYTES else None
    etag = f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'
    return File(data, packed, _TYPES[path.suffix], etag, path.parts[0] == "vendor")


def _known(name: str) -> File:
    file = load(name)
    if file is None:
        raise HttpError(404, "not_found", f"there is no file {name[:200]}")
    return file


def served(request: Request, name: str) -> Response:
    """The answer with a file, or that it has not changed. Raises HttpError 404."""
    file = _known(name)
    response = whole(request, name)
    response.headers["etag"] = file.etag
    response.headers["cache-control"] = "public, max-age=31536000, immutable" if file.is_lasting else "no-cache"
    if request.headers.get("if-none-match") != file.etag:
        return response
    kept = {key: value for key, value in response.headers.items() if not key.startswith("content-")}
    return Response(status_code=304, headers=kept)


def whole(request: Request, name: str, status: int = 200) -> Response:
    """The answer with a file, packed where it may be. Raises HttpError 404."""
    file = _known(name)
    headers = {"vary": "accept-encoding"}
    if file.media_type.startswith("text/html"):
        headers["content-security-policy"] = POLICY
    data = file.data
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        data, headers["content-encoding"] = file.packed, "gzip"
    return Response(data, status, headers, file.media_type)


async def get_page(request: Request, context: Context) -> Response:
    """Any page."""
    return served(request, "index.html")


async def get_file(request: Request, context: Context) -> Response:
    """`GET /assets/…`."""
    return _for_all(served(request, request.path_params["name"]))


async def get_shared(request: Request, context: Context) -> Response:
    """`GET /client.js` and what else other sites' pages load from here."""
    return _for_all(served(request, request.url.path.lstrip("/")))


def _for_all(response: Response) -> Response:
    """The same, for pages of any site: files hold no records, and elements in such pages load parts of ours."""
    response.headers["access-control-allow-origin"] = "*"
    response.headers["cross-origin-resource-policy"] = "cross-origin"
    return response


ROUTES = (
    *(Route("GET", f"/{name}", get_shared, "none", "A module for pages of other sites", "Pages", is_for_all=True,
            answer_type="text/javascript", may_fail=()) for name in SHARED),
    *(Route("GET", path, get_page, "none", "A page", "Pages", answer_type="text/html", may_fail=()) for path in PAGES),
    Route("GET", "/assets/{name:path}", get_file, "none", "A file of the pages", "Pages", is_for_all=True,
          answer_type="application/octet-stream", may_fail=(404,)),
)  # fmt: skip
