"""Links by which anybody reads a run: shown once, known again by their hash, revocable, with an end if wished."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

from tallybook.model.call import Run
from tallybook.model.errors import InputError, NotFound
from tallybook.model.limits import FIELD_CHARS
from tallybook.model.run import Share
from tallybook.store.base import StateStore

_TOKEN_BYTES = 24
_ID_BYTES = 5


class Made(NamedTuple):
    """A new link and its token, which exists only now."""

    share: Share
    token: str


def hash_of(token: str) -> str:
    """What of a token is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def share(
    state: StateStore, run_id: str, now_us: int, *, label: str | None = None, expires_at_us: int | None = None,
    random: Callable[[int], str] = secrets.token_urlsafe,
) -> Made:  # fmt: skip
    """A link to a run, which is visible by link from then on. Raises NotFound, InputError."""
    if label is not None and not 0 < len(label) <= FIELD_CHARS:
        raise InputError(f"`label` must have 1 to {FIELD_CHARS:,} characters", field="label")
    if expires_at_us is not None and expires_at_us <= now_us:
        raise InputError("a link cannot end before it begins", field="expires_at")
    if state.change_run(run_id, {"visibility": "link"}) is None:
        raise NotFound(f"no run has the id {run_id!r}", hint="`tallybook runs` lists them")
    token = random(_TOKEN_BYTES)
    made = Share(
        share_id=secrets.token_hex(_ID_BYTES), run_id=run_id, hash=hash_of(token), label=label, created_at_us=now_us,
        expires_at_us=expires_at_us,
    )  # fmt: skip
    state.add_share(made)
    return Made(made, token)


def revoke(state: StateStore, share_id: str, now_us: int, run_id: str | None = None) -> Share:
    """Revoke a link for good; with the last one its run is private again. Raises NotFound."""
    if run_id is not None and share_id not in {one.share_id for one in state.shares(run_id)}:
        raise NotFound(f"the run {run_id!r} has no link {share_id!r}")
    revoked = state.revoke_share(share_id, now_us)
    if revoked is None:
        raise NotFound(f"there is no link {share_id!r}")
    run = state.run(revoked.run_id)
    if run is not None and run.visibility == "link" and not any(map(_holds(now_us), state.shares(revoked.run_id))):
        state.change_run(revoked.run_id, {"visibility": "private"})
    return revoked


def _holds(now_us: int) -> Callable[[Share], bool]:
    def holds(one: Share) -> bool:
        return one.revoked_at_us is None and (one.expires_at_us is None or one.expires_at_us > now_us)

    return holds


def shared_run(state: StateStore, token: str, now_us: int) -> Run:
    """The run that a link shows. Raises NotFound for one that is unknown, revoked, over, or whose run is deleted."""
    found = state.share(hash_of(token))
    run = state.run(found.run_id) if found is not None and _holds(now_us)(found) else None
    if run is None or run.visibility != "link":
        raise NotFound("this link shows nothing (any more)", hint="ask who gave it to you for another one")
    return run
