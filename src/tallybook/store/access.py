"""Who may speak to the server: access keys and projects, as every state store keeps them.

The secret of a key is never stored, only its SHA-256: it has 192 random bits, so that no slow hash is needed.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Role = Literal["ingest", "read", "admin"]
ROLES: tuple[Role, ...] = ("ingest", "read", "admin")
"""`ingest` may write records and read nothing; `read` may ask and change nothing; `admin` may do everything."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One access key as it is stored."""

    key_id: str
    hash: str
    role: Role
    project: str | None = None
    """The only project that it reads or writes; `None`: all."""
    name: str | None = None
    created_at_us: int = 0
    revoked_at_us: int | None = None
    last_used_at_us: int | None = None


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project that was created on purpose. Others exist by being named in records."""

    project: str
    name: str | None = None
    created_at_us: int = 0


class AccessStore(Protocol):
    """The part of a state store that knows keys and projects. Every method is one transaction."""

    def add_key(self, key: Key) -> None:
        """Store a new key. Raises InputError when its id or hash is taken."""
        ...

    def access_keys(self) -> list[Key]:
        """All keys, revoked ones too, oldest first."""
        ...

    def revoke_key(self, key_id: str, at_us: int) -> bool:
        """Revoke a key for good; False when there is none of that id. One that is revoked stays as it was."""
        ...

    def used_keys(self, used: dict[str, int]) -> None:
        """Note when keys were last used, by id; never back in time."""
        ...

    def add_project(self, project: Project) -> bool:
        """Create a project; False when it is there already, and then nothing changes."""
        ...

    def projects(self) -> list[Project]:
        """All projects that were created, by their identifiers."""
        ...

    def remember(self, values: dict[str, str], at_us: int, forget_before_us: int) -> dict[str, str]:
        """What is kept under idempotency keys: for each the value given now, if there was none before.

        What was kept before `forget_before_us` is forgotten on the way.
        """
        ...


class MemoryAccess:
    """An `AccessStore` in dictionaries."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._projects: dict[str, Project] = {}
        self._remembered: dict[str, tuple[str, int]] = {}

    def add_key(self, key: Key) -> None:
        """See `AccessStore.add_key`."""
        if key.key_id in self._keys or any(known.hash == key.hash for known in self._keys.values()):
            raise taken(key)
        self._keys[key.key_id] = key

    def access_keys(self) -> list[Key]:
        """See `AccessStore.access_keys`."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at_us, key.key_id))

    def revoke_key(self, key_id: str, at_us: int) -> bool:
        """See `AccessStore.revoke_key`."""
        key = self._keys.get(key_id)
        if key is not None and key.revoked_at_us is None:
            self._keys[key_id] = msgspec.structs.replace(key, revoked_at_us=at_us)
        return key is not None

    def used_keys(self, used: dict[str, int]) -> None:
        """See `AccessStore.used_keys`."""
        for key_id, at_us in used.items():
            key = self._keys.get(key_id)
            if key is not None:
                latest = max(at_us, key.last_used_at_us or 0)
                self._keys[key_id] = msgspec.structs.replace(key, last_used_at_us=latest)

    def add_project(self, project: Project) -> bool:
        """See `AccessStore.add_project`."""
        return self._projects.setdefault(project.project, project) is project

    def projects(self) -> list[Project]:
        """See `AccessStore.projects`."""
        return sorted(self._projects.values(), key=lambda project: project.project)

    def remember(self, values: dict[str, str], at_us: int, forget_before_us: int) -> dict[str, str]:
        """See `AccessStore.remember`."""
        self._remembered = {key: kept for key, kept in self._remembered.items() if kept[1] >= forget_before_us}
        return {key: self._remembered.setdefault(key, (value, at_us))[0] for key, value in values.items()}


def taken(key: Key) -> Exception:
    """The error for a key that is there already."""
    from tallybook.model.errors import InputError  # here, because it is never needed but by mistake

    return InputError(f"there is a key {key.key_id!r} already", field="key_id", hint="let a new id be made")
