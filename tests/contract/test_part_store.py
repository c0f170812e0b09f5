from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tallybook.store.base import StateStore
from tallybook.store.memory_state import MemoryState
from tallybook.store.part import Box, Part
from tallybook.store.sqlite.state import SqliteState


@pytest.fixture(params=["memory", "sqlite"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    made: StateStore = MemoryState() if request.param == "memory" else SqliteState(tmp_path / "state.db")
    yield made
    made.close()


def part(ident: str = "a", **told: object) -> Part:
    usual = {"scope": "s:p", "kind": "o", "id": ident, "data": b"{}", "touched_us": 5}
    return Part(**(usual | told))  # type: ignore[arg-type]


def put(state: StateStore, *parts: Part) -> None:
    state.rework(lambda box: box.put(parts))


def test_a_part_is_found_by_all_of_its_key_and_by_nothing_less(state: StateStore) -> None:
    one, other = part("a\x1f'"), part("a\x1f'", scope="s:q")
    put(state, one, other)
    keys = [one.key, ("s:p", "t", one.id), ("s:p", "o", "b")]
    assert state.rework(lambda box: box.get(keys)) == {one.key: one}
    assert state.rework(lambda box: box.get([])) == {}


def test_what_is_put_last_stays(state: StateStore) -> None:
    put(state, part(data=b"1"), part("b"))
    put(state, part(data=b"2", group="g", due_us=7))
    assert state.rework(lambda box: box.get([part().key]))[part().key] == part(data=b"2", group="g", due_us=7)


def test_the_members_of_groups_are_found_within_their_scope_and_kind(state: StateStore) -> None:
    mine = [part("a", group="g"), part("b", group="h")]
    put(
        state, *mine, part("c", group="i"), part("d"), part("a", group="g", scope="s:q"), part("a", group="g", kind="t")
    )
    assert state.rework(lambda box: box.members("s:p", "o", ["g", "h"])) == mine


def test_nothing_is_stored_of_work_that_fails(state: StateStore) -> None:
    def work(box: Box) -> None:
        box.put([part()])
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        state.rework(work)
    assert state.rework(lambda box: box.get([part().key])) == {}


def test_within_the_work_what_was_put_is_there(state: StateStore) -> None:
    def work(box: Box) -> bool:
        box.put([part()])
        return part().key in box.get([part().key])

    assert state.rework(work)


def test_due_parts_come_earliest_first_and_only_those_of_the_scope(state: StateStore) -> None:
    late, soon = part("late", due_us=9), part("soon", due_us=3)
    put(state, late, soon, part("never"), part("later", due_us=10), part("other", scope="x:p", due_us=1))
    assert state.due_parts("s:", 10, 5) == [soon, late]
    assert state.due_parts("s:", 10, 1) == [soon]
    assert state.due_parts("", 10, 1)[0].id == "other"


def test_old_parts_are_forgotten_unless_they_are_due(state: StateStore) -> None:
    put(state, part("old"), part("due", due_us=9), part("new", touched_us=50))
    assert state.forget_parts(10) == 1
    keys = [part(name).key for name in ("old", "due", "new")]
    assert {found.id for found in state.rework(lambda box: box.get(keys)).values()} == {"due", "new"}


def test_parts_survive_the_process(tmp_path: Path) -> None:
    first = SqliteState(tmp_path / "state.db")
    put(first, part(data=msgspec.json.encode({"k": "v"})))
    again = SqliteState(tmp_path / "state.db")  # The first is never closed, as when it is killed.
    assert again.rework(lambda box: box.get([part().key]))[part().key].data == b'{"k":"v"}'
    first.close()
    again.close()
