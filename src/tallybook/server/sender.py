"""Which client a refusal is about: its name and the id of its key, never the key itself."""

from __future__ import annotations

from contextvars import ContextVar

from starlette.requests import Request

_UNDER_WAY: ContextVar[Request | None] = ContextVar("tallybook_request", default=None)
_NAME_CHARS = 60


def answering(request: Request) -> None:
    """Note the request that this task answers."""
    _UNDER_WAY.set(request)


def sender() -> str | None:
    """The client of the request that this task answers: `curl/8.5 (key 1a2b3c4d5e)`; `None` outside of one."""
    request = _UNDER_WAY.get()
    if request is None:
        return None
    product = request.headers.get("user-agent", "").split(" ", 1)[0]
    name = "".join(letter for letter in product[:_NAME_CHARS] if letter.isascii() and letter.isprintable())
    name = name or "a client without a name"
    identity = request.scope.get("tallybook.identity")
    return f"{name} (key {identity.key_id})" if identity is not None and identity.key_id else name
