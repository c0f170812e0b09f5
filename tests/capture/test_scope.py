"""Context: replaced and never changed, restored where it was put, cut at its limits and flagged."""

from __future__ import annotations

import asyncio
import contextvars

from tallybook.capture.scope import EMPTY, Scope, Seen, current, derive, enter, leave
from tallybook.model.limits import FIELD_CHARS


def test_deriving_replaces_what_is_given_and_leaves_the_original() -> None:
    outer = derive(EMPTY, user_id="u-1", tags=("a",), metadata={"k": 1})
    inner = derive(outer, user_id=None, project="shop", tags=("b", "a"), metadata={"l": 2})
    assert outer == Scope(user_id="u-1", tags=("a",), metadata={"k": 1})
    assert inner == Scope(user_id="u-1", project="shop", tags=("a", "b"), metadata={"k": 1, "l": 2})
    assert Scope() == EMPTY


def test_values_become_texts_and_long_ones_are_cut_and_said_to_be() -> None:
    scope = derive(EMPTY, user_id=17, tags=(3,))
    assert (scope.user_id, scope.tags, scope.is_cut) == ("17", ("3",), False)
    cut = derive(scope, session_id="s" * (FIELD_CHARS + 1))
    assert cut.session_id == "s" * FIELD_CHARS
    assert cut.is_cut and derive(cut, project="p").is_cut
    assert derive(EMPTY, tags=("t" * 2_000,)).is_cut


def test_calls_are_counted_in_every_track_around_them() -> None:
    outer = Seen()
    inner = Seen(outer)
    inner.add(2)
    outer.add(1)
    assert (outer.calls, inner.calls) == (3, 2)


def test_leaving_restores_what_was_in_force() -> None:
    first = enter(derive(EMPTY, project="a"))
    second = enter(derive(current.get(), user_id="u"))
    leave(second)
    assert current.get() == Scope(project="a")
    leave(first)
    assert current.get() is EMPTY


def test_leaving_in_another_context_touches_nothing_there() -> None:
    token = contextvars.copy_context().run(enter, derive(EMPTY, project="elsewhere"))
    mine = enter(derive(EMPTY, project="mine"))
    leave(token)
    assert current.get().project == "mine"
    leave(mine)


def test_tasks_inherit_a_scope_and_keep_their_own() -> None:
    async def work(name: str) -> str | None:
        enter(derive(current.get(), user_id=name))
        await asyncio.sleep(0)
        return f"{current.get().project}/{current.get().user_id}"

    async def main() -> list[str | None]:
        token = enter(derive(EMPTY, project="shop"))
        found = await asyncio.gather(*(work(f"u-{number}") for number in range(5)))
        assert current.get() == Scope(project="shop")
        leave(token)
        return found

    assert asyncio.run(main()) == [f"shop/u-{number}" for number in range(5)]
