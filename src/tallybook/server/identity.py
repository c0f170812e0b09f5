"""Who sends a request: the key in one of the forms that clients of this field use, what it may do, where it comes from.

On loopback no key is asked for. A key that is sent there all the same counts when it is one of ours (its project
holds), and means nothing when it is somebody else's: clients that were set up for another service send theirs.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from starlette.requests import Request

from tallybook.access import token as tokens
from tallybook.server.context import Context, Serving
from tallybook.server.error import HttpError
from tallybook.server.route import Need
from tallybook.store.access import Role

_ALLOWED: dict[Role | Literal["token"], frozenset[str]] = {
    "token": frozenset({"none"}),
    "ingest": frozenset({"none", "ingest"}),
    "read": frozenset({"none", "read"}),
    "admin": frozenset({"none", "ingest", "read", "admin"}),
}
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:@/\\\[\]?#]*))(?::[0-9]*)?")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Identity(NamedTuple):
    """Who asks."""

    role: Role | Literal["token"]
    """A token is let in only where a route says that it takes tokens, and sees there only what it names."""
    project: str | None = None
    """The only project that is theirs; `None`: all."""
    key_id: str | None = None
    token: tokens.Token | None = None


EVERYBODY = Identity("admin")


def identity_of(request: Request) -> Identity:
    """Who asks, as the gate found out."""
    identity: Identity = request.scope["tallybook.identity"]
    return identity


_SCHEMED = ("authorization", "helicone-auth")
_PLAIN = ("x-api-key", "api-key", "api_key", "x-tallybook-key")
_KEY_NAMES = frozenset(name.encode() for name in (*_SCHEMED, *_PLAIN))


def sent_keys(headers: Mapping[str, str]) -> Iterator[str]:
    """Texts of a request's headers that may be a key, the likeliest first."""
    for name in _SCHEMED:
        scheme, _, rest = headers.get(name, "").partition(" ")
        rest = rest.strip()
        if scheme.lower() == "bearer" and rest:
            yield rest
        elif scheme.lower() == "basic" and rest:
            yield from _basic(rest)
        elif scheme and not rest:
            yield scheme
    for name in _PLAIN:
        if headers.get(name):
            yield headers[name]


def _basic(text: str) -> Iterator[str]:
    """Langfuse's clients send the public key as user and the secret one as password; ours may be either."""
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return
    yield from (part for part in (password, user) if part)


async def identify(request: Request, context: Context) -> Identity:
    """Who asks. Raises HttpError 401 for no key, an unknown or a revoked one, where keys are asked for."""
    now_us = context.now_us()
    if context.keys.is_stale(now_us):
        await context.state(lambda state: context.keys.refresh(state, now_us))
    if context.serving.is_open and not any(name in _KEY_NAMES for name, _ in request.scope["headers"]):
        return EVERYBODY
    if context.tokens.is_stale(now_us) and any(text.startswith(tokens.PREFIX) for text in sent_keys(request.headers)):
        await context.state(lambda state: context.tokens.load(state, now_us))
    return told(request.headers, context, now_us)


def told(headers: Mapping[str, str], context: Context, now_us: int) -> Identity:
    """Who sends such headers, as far as the keys are known now. Raises HttpError 401 as `identify`."""
    for text in sent_keys(headers):
        if text.startswith(tokens.PREFIX):
            return _bearer(text, context, now_us)
        key = context.keys.find(text, now_us)
        if key is None:
            continue
        if key.revoked_at_us is not None:
            raise _unauthorised("this key was revoked", "`tallybook keys create` makes a new one")
        return Identity(key.role, key.project, key.key_id)
    if context.serving.is_open:
        return EVERYBODY
    raise _unauthorised("a valid access key is needed", "send `Authorization: Bearer <key>`; `tallybook keys create`")


def _bearer(text: str, context: Context, now_us: int) -> Identity:
    """Who holds a token. One that is not in force is refused also where no key is asked for: its page has to know."""
    token = context.tokens.read(text, now_us)
    if token is None or (token.key_id is not None and not context.keys.is_in_force(token.key_id)):
        raise _unauthorised("this token is over, or was not made here", "POST /api/v1/tokens makes a new one")
    return Identity("token", token.project, token.key_id, token)


def _unauthorised(message: str, hint: str) -> HttpError:
    return HttpError(401, "unauthorized", message, hint=hint, headers={"www-authenticate": "Bearer, Basic"})


def check_role(identity: Identity, need: Need, *, takes_tokens: bool = False) -> None:
    """Raise HttpError 403 when the key may not do what is needed."""
    if identity.token is not None and takes_tokens:
        return
    if identity.token is not None and need != "none":
        raise HttpError(
            403,
            "forbidden",
            "a token of a page may not do this",
            hint="it reads /api/token-usage and /api/v1/page alone",
        )
    if need not in _ALLOWED[identity.role]:
        raise HttpError(
            403, "forbidden", f"a key of the role {identity.role!r} may not do this",
            hint=f"it needs the role {need!r}; `tallybook keys create --role {need}`",
        )  # fmt: skip


def check_host(request: Request, serving: Serving) -> None:
    """Raise HttpError 403 when the server is addressed by a name that is not its own.

    A page of another site can make its name point here (DNS rebinding), and then its scripts would be of the same
    origin. Where keys are asked for, such a page has none.
    """
    if not serving.is_open:
        return
    name = _name_of(request.headers.get("host", ""))
    if name in _LOCAL or name == serving.host.lower() or name in serving.hosts or name == "":
        return
    if serving.host in ("0.0.0.0", "::") and _is_address(name):  # noqa: S104  (only compared)
        return
    raise HttpError(
        403, "unknown_host", f"this server does not answer to the name {name[:100]!r}",
        hint=f"start it with --allow-host {name[:100]}",
    )  # fmt: skip


def _name_of(host: str) -> str:
    found = _HOST.fullmatch(host)
    return "?" if found is None else (found[1] or found[2] or "").lower()


def _is_address(name: str) -> bool:
    import ipaddress  # here, because few servers listen on all addresses

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def allowed_origin(request: Request, serving: Serving) -> str | None:
    """The origin to allow in the answer; `None` for a request that is no page's or of our own.

    Raises HttpError 403 for a page of a site that is not allowed and would change something.
    """
    origin = request.headers.get("origin")
    if origin is None or origin == f"{request.url.scheme}://{request.headers.get('host', '')}":
        return None
    if "*" in serving.origins or origin in serving.origins:
        return origin
    if request.method in _SAFE:
        return None
    raise HttpError(
        403, "unknown_origin", f"pages of {origin[:200]!r} may not write here",
        hint=f"start the server with --allow-origin {origin[:200]}",
    )  # fmt: skip
