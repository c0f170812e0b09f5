"""Access keys: made once and shown once, known again by their hash, revocable; when each was last used is noted.

A key reads `tb_<role's letter>_<id>_<secret>`. `Keyring` answers from memory and looks at the state again every few
seconds, so that a key that another process made or revoked is known soon.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from typing import NamedTuple

from tallybook.model.errors import InputError, NotFound
from tallybook.model.limits import FIELD_CHARS, KEYS
from tallybook.store.access import ROLES, AccessStore, Key, Role

PREFIX = "tb_"
FRESH_US = 2_000_000
"""A key made or revoked by another process is noticed after at most so long."""
_USE_US = 60_000_000
"""Last use is noted to the minute: noting each would be a write a request."""
_SECRET_BYTES = 24
_ID_BYTES = 5


class Made(NamedTuple):
    """A new key and its text, which exists only now."""

    key: Key
    text: str


def hash_of(text: str) -> str:
    """What of a key is stored."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def make(
    store: AccessStore, *, role: str, project: str | None, name: str | None, now_us: int,
    random: Callable[[int], str] = secrets.token_hex,
) -> Made:  # fmt: skip
    """Make and store a key. Raises InputError for an unknown role or too long a name."""
    if role not in ROLES:
        raise InputError(f"there is no role {role!r}", field="role", hint=f"one of {', '.join(ROLES)}")
    for field, value in (("project", project), ("name", name)):
        if value is not None and not 0 < len(value) <= FIELD_CHARS:
            raise InputError(f"`{field}` must have 1 to {FIELD_CHARS} characters", field=field)
    if len(store.access_keys()) >= KEYS:
        raise InputError(f"there are {KEYS:,} keys already", hint="one key serves many programs; revoked ones stay")
    identity = random(_ID_BYTES)
    text = f"{PREFIX}{role[0]}_{identity}_{random(_SECRET_BYTES)}"
    chosen: Role = role
    key = Key(key_id=identity, hash=hash_of(text), role=chosen, project=project, name=name, created_at_us=now_us)
    store.add_key(key)
    return Made(key, text)


def revoke(store: AccessStore, key_id: str, now_us: int) -> None:
    """Revoke a key by its id. Raises NotFound."""
    if not store.revoke_key(key_id, now_us):
        raise NotFound(f"there is no key {key_id!r}", hint="`tallybook keys list` shows their ids")


class Keyring:
    """Answers whose key a text is. Safe for threads; `store` is asked only by `refresh`."""

    def __init__(self) -> None:
        self._by_hash: dict[str, Key] = {}
        self._seen_us = -FRESH_US
        self._used: dict[str, int] = {}
        self._noted: dict[str, int] = {}
        self._lock = threading.Lock()

    def is_stale(self, now_us: int) -> bool:
        """Whether it is time for `refresh`."""
        return now_us - self._seen_us >= FRESH_US

    def refresh(self, store: AccessStore, now_us: int) -> None:
        """Take in what the state knows of keys, and note there which were used."""
        with self._lock:
            used = {key: at for key, at in self._used.items() if at - self._noted.get(key, 0) >= _USE_US}
            self._noted.update(used)
            self._seen_us = now_us
        if used:
            store.used_keys(used)
        self._by_hash = {key.hash: key for key in store.access_keys()}

    @property
    def count(self) -> int:
        """Keys that are in force."""
        return sum(key.revoked_at_us is None for key in self._by_hash.values())

    def is_in_force(self, key_id: str) -> bool:
        """Whether there is a key of that id that was not revoked."""
        return any(key.key_id == key_id and key.revoked_at_us is None for key in list(self._by_hash.values()))

    def find(self, text: str, now_us: int) -> Key | None:
        """The key of a text, revoked or not; `None` for one that was never made. Its use is noted later."""
        key = self._by_hash.get(hash_of(text))
        if key is not None:
            self._used[key.key_id] = now_us
        return key
