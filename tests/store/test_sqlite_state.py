"""The SQLite state beyond the contract: several openers, versions, damage."""

from __future__ import annotations

import sqlite3

import pytest

from tallybook.model.call import Run
from tallybook.model.errors import StorageError
from tallybook.store.sqlite import totals
from tallybook.store.sqlite.migrations import STEPS
from tallybook.store.sqlite.state import SqliteState
from tallybook.store.tally import Entry, response_key


def entry(call_id: str, input_tokens: int = 1) -> Entry:
    return Entry(call_id, None, "r", 0, 50, 60, 0, input_tokens, 1, 5, tags=("x",))


def test_what_was_stored_is_there_after_reopening(tmp_path):
    first = SqliteState(tmp_path / "state.db")
    first.follow([entry("a"), entry("b")], "seg", 5, sequence=0)
    run = first.run("r")
    first.close()
    second = SqliteState(tmp_path / "state.db")
    assert second.run("r") == run and run.call_count == 2
    assert second.offsets() == {"seg": 5}
    second.close()


def test_two_openers_see_each_others_figures_and_count_nothing_twice(tmp_path):
    first, second = SqliteState(tmp_path / "state.db"), SqliteState(tmp_path / "state.db")
    for number in range(5):
        first.follow([entry(f"a{number}"), entry(f"c{number}")], "s", number, sequence=0)
        second.follow([entry(f"b{number}"), entry(f"c{number}")], "s", number, sequence=0)
    assert first.run("r").call_count == second.run("r").call_count == 15
    first.close()
    second.close()


def test_a_failure_in_the_middle_leaves_neither_figures_nor_offsets(tmp_path):
    state = SqliteState(tmp_path / "state.db")
    with pytest.raises((StorageError, OverflowError)):
        state.follow([entry("a"), entry("b", 1 << 70)], "seg", 1, sequence=0)
    assert state.run("r") is None
    assert state.offsets() == {}
    state.follow([entry("a")], "seg", 1, sequence=0)
    assert state.run("r").call_count == 1
    state.close()


def test_totals_of_an_earlier_schema_are_made_anew(tmp_path):
    con = sqlite3.connect(tmp_path / "state.db")
    for statement in STEPS[0]:
        con.execute(statement)
    con.execute("INSERT INTO runs (run_id, call_count, cost_nanousd) VALUES ('r', 7, 9)")
    con.execute("INSERT INTO offsets VALUES ('seg', 100)")
    con.execute("PRAGMA user_version = 1")
    con.commit()
    con.close()
    state = SqliteState(tmp_path / "state.db")
    assert state.offsets() == {} and state.run("r") is None
    state.follow([entry("a")], "seg", 1, sequence=0)
    assert state.run("r").call_count == 1
    state.close()


def test_a_response_of_the_schema_that_knew_it_by_its_text_is_known_by_its_number(tmp_path):
    con = sqlite3.connect(tmp_path / "state.db")
    for step in STEPS[:-1]:
        for statement in step:
            con.execute(statement)
    con.execute("INSERT INTO runs (run_id, call_count, input_tokens, cost_nanousd) VALUES ('r', 2, 8, 10)")
    con.executemany(
        "INSERT INTO records (call_id, response, segment, run_id, quality, started_at_us, errors, input_tokens, "
        "output_tokens, cost_nanousd, is_sealed, weight) VALUES (?, ?, 's', 'r', 0, 50, 0, 4, 1, 5, 0, 1)",
        [("a", "openai\x1fresp_é"), ("b", None)],
    )
    con.execute("INSERT INTO offsets VALUES ('s', 100)")
    con.execute(f"PRAGMA user_version = {len(STEPS) - 1}")
    con.commit()
    con.close()
    state = SqliteState(tmp_path / "state.db")
    assert state.offsets() == {"s": 100}
    again = entry("c")._replace(response=response_key("openai\x1fresp_é"), started_at_us=60)
    state.follow([again, entry("d")], "t", 1, sequence=0)
    assert (state.run("r").call_count, state.run("r").input_tokens) == (3, 9)
    state.close()


def test_records_of_sealed_calls_are_forgotten_beyond_a_number(tmp_path, monkeypatch):
    monkeypatch.setattr(totals, "KEPT_RECORDS", 10)
    state = SqliteState(tmp_path / "state.db")
    for number in range(20):
        state.follow([entry(f"{number}-{index}") for index in range(5)], f"s{number}", 1, sequence=state.sequence())
        state.reflect([Run(run_id="r", call_count=5 * (number + 1))], [f"s{number}"], before=number, after=number + 1)
    state.close()
    con = sqlite3.connect(tmp_path / "state.db")
    assert con.execute("SELECT count(*) FROM records").fetchone() == (10,)
    assert con.execute("SELECT call_count FROM runs").fetchone() == (100,)
    con.close()


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
