"""With `instrument()`, threads begin in the scope of who started them, and a pool's task in its submitter's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import tallybook
from tallybook.capture.scope import current
from tallybook.testing import TemporaryLedger


@pytest.fixture(autouse=True)
def _instrumented(ledger: TemporaryLedger) -> Iterator[None]:
    tallybook.instrument(openai=False, anthropic=False, google=False)
    yield
    tallybook.uninstrument()


def user() -> str | None:
    return current.get().user_id


def started(**given: Any) -> list[str | None]:
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(user()), **given)
    thread.start()
    thread.join()
    assert "run" not in thread.__dict__
    return found


def test_a_thread_begins_in_its_starters_scope() -> None:
    assert started() == [None]
    with tallybook.tag(user="u-1"):
        assert started(name="named", daemon=True) == ["u-1"]
        found: list[str | None] = []

        class Own(threading.Thread):
            def run(self) -> None:
                found.append(user())

        thread = Own()
        thread.start()
        thread.join()
        assert found == ["u-1"]
    assert started() == [None]


def test_what_a_thread_changes_is_its_own() -> None:
    with tallybook.tag(user="u-1"):
        thread = threading.Thread(target=lambda: tallybook.tag(user="u-2").__enter__())
        thread.start()
        thread.join()
        assert user() == "u-1"


def test_a_thread_is_started_once_and_fails_as_ever() -> None:
    with tallybook.tag(user="u-1"):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="only be started once"):
            thread.start()


def test_a_pools_task_runs_in_its_submitters_scope_and_leaves_nothing_behind() -> None:
    with ThreadPoolExecutor(1) as pool:
        with tallybook.tag(user="first"):
            assert pool.submit(user).result() == "first"
        with tallybook.tag(user="second"):
            assert list(pool.map(lambda _: user(), range(2))) == ["second", "second"]
        assert pool.submit(user).result() is None
        with pytest.raises(KeyError, match="own"):
            pool.submit(lambda: {}["own"]).result()
        assert pool.submit(lambda *args, **kwargs: (args, kwargs), 1, fn=2, self=3).result() == (
            (1,),
            {"fn": 2, "self": 3},
        )


def test_asyncios_threads_inherit_too() -> None:
    async def main() -> tuple[str | None, str | None]:
        with tallybook.tag(user="u-1"):
            loop = asyncio.get_running_loop()
            return await asyncio.to_thread(user), await loop.run_in_executor(None, user)

    assert asyncio.run(main()) == ("u-1", "u-1")


def test_without_instrument_threads_are_as_they_were() -> None:
    tallybook.uninstrument()
    assert threading.Thread.start.__module__ == "threading"
    assert not hasattr(threading.Thread.start, "__wrapped__")
    assert not hasattr(ThreadPoolExecutor.submit, "__wrapped__")
    with tallybook.tag(user="u-1"):
        assert started() == [None]
