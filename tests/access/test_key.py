"""Access keys: made, known again, revoked, their use noted; the same in memory and in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.access.key import Keyring, make, revoke
from tallybook.access.project import create
from tallybook.model.errors import InputError, NotFound
from tallybook.store.base import StateStore
from tallybook.store.memory_state import MemoryState
from tallybook.store.sqlite.state import SqliteState

MINUTE_US = 60_000_000


@pytest.fixture(params=["memory", "sqlite"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    made: StateStore = MemoryState() if request.param == "memory" else SqliteState(tmp_path / "state.db")
    yield made
    made.close()


def test_a_key_is_found_by_its_text_and_by_no_other(state: StateStore) -> None:
    made = make(state, role="ingest", project="p", name="ci", now_us=1)
    ring = Keyring()
    assert ring.find(made.text, 1) is None
    ring.refresh(state, 1)
    assert ring.find(made.text, 2) == made.key
    assert ring.find(made.text[:-1], 2) is None and ring.find("", 2) is None
    assert made.text.startswith("tb_i_") and made.text.split("_")[3] not in made.key.hash


def test_keys_are_listed_oldest_first_with_their_last_use_to_the_minute(state: StateStore) -> None:
    texts = [make(state, role="read", project=None, name=None, now_us=at).text for at in (2, 1)]
    ring = Keyring()
    ring.refresh(state, 0)
    ring.find(texts[0], 5 * MINUTE_US)
    ring.refresh(state, 5 * MINUTE_US)
    ring.find(texts[0], 5 * MINUTE_US + 7)
    ring.refresh(state, 6 * MINUTE_US)
    assert [key.last_used_at_us for key in state.access_keys()] == [None, 5 * MINUTE_US]
    assert [key.created_at_us for key in state.access_keys()] == [1, 2]


def test_a_revoked_key_stays_revoked_as_of_its_first_end(state: StateStore) -> None:
    made = make(state, role="admin", project=None, name=None, now_us=1)
    revoke(state, made.key.key_id, 10)
    revoke(state, made.key.key_id, 20)
    assert state.access_keys()[0].revoked_at_us == 10
    with pytest.raises(NotFound):
        revoke(state, "nothing", 1)


def test_what_cannot_be_a_key_is_refused(state: StateStore) -> None:
    with pytest.raises(InputError, match="role"):
        make(state, role="king", project=None, name=None, now_us=1)
    with pytest.raises(InputError, match="project"):
        make(state, role="read", project="", name=None, now_us=1)
    made = make(state, role="read", project=None, name=None, now_us=1)
    with pytest.raises(InputError, match="already"):
        state.add_key(made.key)


def test_a_project_is_created_once(state: StateStore) -> None:
    assert create(state, "docs", "Documentation", 1)
    assert not create(state, "docs", "other", 2)
    assert [(one.project, one.name) for one in state.projects()] == [("docs", "Documentation")]
    with pytest.raises(InputError):
        create(state, " ", None, 1)


def test_an_idempotency_key_gives_what_it_gave_first_until_it_is_forgotten(state: StateStore) -> None:
    assert state.remember({"a": "1", "b": "2"}, 10, 0) == {"a": "1", "b": "2"}
    assert state.remember({"a": "9", "c": "3"}, 20, 0) == {"a": "1", "c": "3"}
    assert state.remember({"a": "9", "c": "9"}, 30, 15) == {"a": "9", "c": "3"}
