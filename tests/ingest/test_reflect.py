"""Totals of many runs go to the state in portions: a kill in between costs one, and they end as the lake's figures."""

from __future__ import annotations

import random
import threading

import msgspec
import pytest

from contract.records import random_calls
from ingest.test_follow import of_lake, of_state, write
from tallybook.ingest import reflect as reflecting
from tallybook.ingest.follow import follow
from tallybook.ingest.reflect import reflect
from tallybook.ingest.seal import seal
from tallybook.store.memory_state import MemoryState
from tallybook.store.sqlite.state import SqliteState


class Killed(Exception):
    """Stands for the end of the process."""


class Dying:
    """A state whose process dies before or after some of its portions."""

    def __init__(self, state, rng):
        self._state, self._rng = state, rng

    def __getattr__(self, name):
        return getattr(self._state, name)

    def advance(self, runs, building, *, upto):
        if self._rng.random() < 0.3:
            raise Killed
        done = self._state.advance(runs, building, upto=upto)
        if self._rng.random() < 0.3:
            raise Killed
        return done


def fill(folder, seed, count=300):
    calls = [msgspec.structs.replace(one, run_id=f"run-{seed}-{n % 90:03}") for n, one in
             enumerate(random_calls(seed, count, days=2))]  # fmt: skip
    write(folder, calls)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("seed", range(4))
def test_totals_are_the_lakes_whatever_is_killed_and_sealed_meanwhile(tmp_path, monkeypatch, seed, kind):
    monkeypatch.setattr(reflecting, "REFLECT_RUNS", 20)
    rng = random.Random(seed)
    folder = tmp_path / "ledger"
    state = MemoryState() if kind == "memory" else SqliteState(tmp_path / "state.db")
    for turn in range(3):
        fill(folder, seed * 10 + turn)
        if rng.random() < 0.5 and state.building() is None:
            follow(folder, state, None)
        seal(folder, None, None)
        for _ in range(rng.randrange(3)):  # Some of it, then more is sealed.
            try:
                reflect(folder, Dying(state, rng))
            except Killed:
                pass
    for _ in range(200):
        try:
            reflect(folder, Dying(state, rng))
            break
        except Killed:
            pass
    follow(folder, state, None)
    assert of_state(state) == of_lake(folder)
    state.close()


def test_two_processes_that_build_at_once_come_to_the_lakes_totals(tmp_path, monkeypatch):
    monkeypatch.setattr(reflecting, "REFLECT_RUNS", 7)
    folder = tmp_path / "ledger"
    fill(folder, 1)
    seal(folder, None, None)
    failed = []

    def work():
        state = SqliteState(tmp_path / "state.db")
        try:
            follow(folder, state, None)
        except Exception as error:
            failed.append(error)
        finally:
            state.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed
    state = SqliteState(tmp_path / "state.db")
    assert of_state(state) == of_lake(folder)
    state.close()


def test_a_stop_ends_it_after_the_portion_and_the_next_time_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(reflecting, "REFLECT_RUNS", 20)
    folder = tmp_path / "ledger"
    fill(folder, 1)
    seal(folder, None, None)
    state, stop, portions = SqliteState(tmp_path / "state.db"), threading.Event(), []

    class Stopping(Dying):
        def advance(self, runs, building, *, upto):
            portions.append(len(runs))
            if len(portions) == 2:
                stop.set()
            return self._state.advance(runs, building, upto=upto)

    told = follow(folder, Stopping(state, None), None, stop=stop)
    assert told == (0, 0) and portions == [20, 20]
    assert state.building() is not None
    follow(folder, Stopping(state, None), None)
    assert sum(portions) == 90
    assert of_state(state) == of_lake(folder)
    state.close()
