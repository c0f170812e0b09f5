"""Short-lived tokens for pages: signed, for the usage of one project, chat, user or message, and for nothing else.

A token reads `tbt_<what it opens>.<signature>` and is not stored. The secret that signs it is in the state, made when
the first token is; who has the state can make keys anyway. A token ends with its time, or with the key that it was
made with.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Protocol

import msgspec

from tallybook.model.errors import InputError
from tallybook.model.limits import FIELD_CHARS, TOKEN_MINUTES

PREFIX = "tbt_"
FRESH_US = 2_000_000
"""A secret that another process made is looked for at most this often."""
_SETTING = "token_secret"
_SECRET_BYTES = 32
_CHARS_MAX = 16_384


class Vault(Protocol):
    """What of a state store keeps the secret."""

    def setting(self, key: str) -> str | None:
        """A stored value."""
        ...

    def set_setting(self, key: str, value: str | None) -> None:
        """Store a value."""
        ...


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a token opens: records that fulfil all that is named."""

    ends_at_us: int
    project: str | None = None
    chat: str | None = None
    user: str | None = None
    message: str | None = None
    key_id: str | None = None
    """The key it was made with, and ends with; `None` where the server asked for none."""


def token_of(
    *, minutes: int, now_us: int, project: str | None = None, chat: str | None = None, user: str | None = None,
    message: str | None = None, key_id: str | None = None,
) -> Token:  # fmt: skip
    """A token from now on. Raises InputError where it would open everything, or for too long."""
    if not 1 <= minutes <= TOKEN_MINUTES:
        raise InputError(f"`minutes` is a whole number from 1 to {TOKEN_MINUTES:,}", field="minutes")
    named = {"project": project, "chat": chat, "user": user, "message": message}
    for field, value in named.items():
        if value is not None and not 0 < len(value) <= FIELD_CHARS:
            raise InputError(f"`{field}` must have 1 to {FIELD_CHARS} characters", field=field)
    if not any(named.values()):
        raise InputError("say what the token is for: project, chat, user or message", field="chat")
    return Token(ends_at_us=now_us + minutes * 60_000_000, key_id=key_id, **named)


class Signer:
    """Makes and reads tokens with the state's secret. `load` touches the state; the rest is memory."""

    def __init__(self) -> None:
        self._secret: bytes | None = None
        self._looked_us = -FRESH_US

    def is_stale(self, now_us: int) -> bool:
        """Whether there may be a secret that is not known yet."""
        return self._secret is None and now_us - self._looked_us >= FRESH_US

    def load(self, vault: Vault, now_us: int) -> None:
        """Take the state's secret, where there is one."""
        told = vault.setting(_SETTING)
        self._looked_us = now_us
        self._secret = None if told is None else bytes.fromhex(told)

    def sign(self, vault: Vault, token: Token, random: Callable[[int], str] = secrets.token_hex) -> str:
        """The text of a token."""
        if vault.setting(_SETTING) is None:
            vault.set_setting(_SETTING, random(_SECRET_BYTES))
        self.load(vault, 0)
        body = base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=")
        return f"{PREFIX}{body.decode()}.{self._signature(body)}"

    def read(self, text: str, now_us: int) -> Token | None:
        """What a text opens; `None` for one that was not signed here, or whose time is over."""
        body, _, signature = text.removeprefix(PREFIX).partition(".")
        if self._secret is None or not text.startswith(PREFIX) or len(text) > _CHARS_MAX or not text.isascii():
            return None
        if not hmac.compare_digest(self._signature(body.encode()), signature):
            return None
        try:
            token = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=Token)
        except (binascii.Error, msgspec.DecodeError, ValueError):
            return None
        return token if now_us < token.ends_at_us else None

    def _signature(self, body: bytes) -> str:
        assert self._secret is not None
        return hmac.new(self._secret, body, hashlib.sha256).hexdigest()
