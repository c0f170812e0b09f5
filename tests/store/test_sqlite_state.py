"""The SQLite state beyond the contract: several openers, versions, damage."""

from __future__ import annotations

import sqlite3

import pytest

from tallybook.model.call import Run
from tallybook.model.errors import StorageError
from tallybook.store.sqlite.migrations import STEPS
from tallybook.store.sqlite.state import SqliteState


def test_what_was_stored_is_there_after_reopening(tmp_path):
    first = SqliteState(tmp_path / "state.db")
    first.follow([Run(run_id="r", call_count=2, tags=("x",))], {"seg": 5})
    first.close()
    second = SqliteState(tmp_path / "state.db")
    assert second.run("r") == Run(run_id="r", call_count=2, tags=("x",))
    assert second.offsets() == {"seg": 5}
    second.close()


def test_two_openers_see_each_others_figures(tmp_path):
    first, second = SqliteState(tmp_path / "state.db"), SqliteState(tmp_path / "state.db")
    for _ in range(5):
        first.follow([Run(run_id="r", call_count=1)], {})
        second.follow([Run(run_id="r", call_count=1)], {})
    assert first.run("r").call_count == second.run("r").call_count == 10
    first.close()
    second.close()


def test_a_failure_in_the_middle_leaves_neither_figures_nor_offsets(tmp_path):
    state = SqliteState(tmp_path / "state.db")
    with pytest.raises((StorageError, OverflowError)):
        state.follow([Run(run_id="r", call_count=1)], {"a": 1, "b": 1 << 70})
    assert state.run("r") is None
    assert state.offsets() == {}
    state.follow([Run(run_id="r", call_count=1)], {"a": 1})
    assert state.run("r").call_count == 1
    state.close()


def test_a_file_of_a_later_version_is_refused_by_name(tmp_path):
    con = sqlite3.connect(tmp_path / "state.db")
    con.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    con.close()
    with pytest.raises(StorageError, match=r"state\.db: schema .* is newer"):
        SqliteState(tmp_path / "state.db")


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path):
    (tmp_path / "state.db").write_bytes(b"this is no database, but long enough to be read as one" * 100)
    with pytest.raises(StorageError, match=r"state\.db: file is not a database"):
        SqliteState(tmp_path / "state.db")
