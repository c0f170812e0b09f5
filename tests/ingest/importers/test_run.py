"""An import takes what is new, once, whatever is copied, cut, killed or repeated."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tallybook.ingest.follow import follow
from tallybook.ingest.importers import run as importing
from tallybook.ingest.importers.run import Imported, Surroundings
from tallybook.model.question import Question
from tallybook.prices.book import PriceBook
from tallybook.store.lake import sealing
from tallybook.store.lake.store import LakeStore
from tallybook.store.sqlite.state import SqliteState

from .lines import answer, data, tool, usage


class Home:
    """A person's transcripts and ledger."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "ledger"
        self.projects = place / "projects"
        self.folder.mkdir()
        self.prices = PriceBook(None)
        self.around = Surroundings(
            self.folder,
            self.prices,
            lambda: SqliteState(self.folder / "state.db"),
            lambda: LakeStore(self.folder, self.prices),
        )

    def write(self, name: str, content: bytes, age_s: float = 3600) -> Path:
        path = self.projects / "atlas" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        at = time.time() - age_s
        os.utime(path, (at, at))
        return path

    def run(self, **keys: Any) -> Imported:
        return importing.run({"claude-code": [self.projects]}, self.around, **keys)

    def totals(self) -> tuple[Any, ...]:
        store = LakeStore(self.folder, self.prices)
        try:
            return store.ask(Question(measures=("calls", "input_tokens", "output_tokens", "cost_nanousd"))).rows[0]
        finally:
            store.close()

    def run_totals(self) -> list[tuple[Any, ...]]:
        state = SqliteState(self.folder / "state.db")
        try:
            follow(self.folder, state, self.prices)
            return [(run.run_id, run.call_count, run.cost_nanousd) for run in state.runs()]
        finally:
            state.close()


@pytest.fixture(params=["few", "many", "processes"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The same promises hold for the look-up of few, the sealing of many, and reading by several processes."""
    if request.param != "few":
        monkeypatch.setattr(importing, "MANY_BYTES", 1)
    if request.param == "processes":
        monkeypatch.setattr(importing, "POOL_BYTES", 1)
        monkeypatch.setattr(importing, "_cores", lambda: 2)
    return Home(tmp_path)


ONE = data(answer(usage=usage(2)), answer(blocks=[tool()], usage=usage(184)), answer("msg_2", "req_2"))
TWO = data(answer("msg_3", "req_3", sessionId="s2"))


def test_an_import_is_stored_and_priced_and_a_second_one_finds_nothing(home: Home) -> None:
    home.write("a.jsonl", ONE)
    home.write("b.jsonl", TWO)
    got = home.run()
    assert sum(one.calls for one in got.sums) == 3 and got.read == 2 and got.bad == {}
    calls, tokens, output, cost = home.totals()
    assert (calls, tokens, output) == (3, 3 * 5102, 3 * 184)
    # Opus 4.5 at $5 in, $25 out, 5 min x 1.25, 1 h x 2, read x 0.1 a million.
    assert cost == 3 * (2 * 5000 + 40 * 6250 + 60 * 10_000 + 5000 * 500 + 184 * 25_000)
    assert sum(one.cost_nanousd for one in got.sums) == cost
    again = home.run()
    assert (again.read, again.sums) == (0, []) and home.totals()[0] == 3


def test_what_is_added_later_is_all_that_is_read(home: Home) -> None:
    path = home.write("a.jsonl", ONE)
    home.run()
    with path.open("ab") as file:
        file.write(data(answer("msg_9", "req_9", timestamp="2026-02-09T08:00:00Z")))
    got = home.run()
    assert [one.calls for one in got.sums] == [1] and got.bytes < 1000
    assert home.totals()[0] == 4 - 1


def test_a_response_copied_to_another_session_counts_once(home: Home) -> None:
    home.write("a.jsonl", ONE)
    home.write("copy.jsonl", ONE + TWO, age_s=60)
    home.run()
    home.write("late.jsonl", ONE)
    home.run()
    assert home.totals()[:3] == (3, 3 * 5102, 3 * 184)


def test_without_the_memory_of_offsets_nothing_comes_twice(home: Home) -> None:
    home.write("a.jsonl", ONE)
    home.run()
    for path in home.folder.glob("state.db*"):
        path.unlink()
    home.run()
    assert home.totals()[:3] == (2, 2 * 5102, 2 * 184)


def test_a_dry_run_tells_the_same_and_leaves_nothing(home: Home) -> None:
    home.write("a.jsonl", ONE)
    before = sorted(home.folder.rglob("*"))
    dry = home.run(is_dry=True)
    assert sorted(home.folder.rglob("*")) == before
    assert dry.sums == home.run().sums and dry.sums[0].calls == 2


def test_a_response_in_the_making_is_completed_by_the_next_import(home: Home) -> None:
    path = home.write("a.jsonl", data(answer(usage=usage(2))), age_s=0)
    home.run()
    assert home.totals()[2] == 2
    with path.open("ab") as file:
        file.write(data(answer(usage=usage(184)), answer("msg_2", "req_2")))
    os.utime(path, (time.time() - 600, time.time() - 600))
    home.run()
    assert home.totals()[:3] == (2, 2 * 5102, 2 * 184)


def test_since_leaves_older_calls_for_another_time(home: Home) -> None:
    home.write("a.jsonl", data(answer(), answer("msg_2", "req_2", timestamp="2026-02-10T00:00:00Z")))
    home.run(since_us=1_770_681_600_000_000)
    assert home.totals()[0] == 1
    home.run()
    assert home.totals()[0] == 2


def test_runs_have_the_totals_of_their_calls_once(home: Home) -> None:
    home.write("a.jsonl", ONE + TWO)
    home.run()
    first = home.run_totals()
    assert sorted(row[1] for row in first) == [1, 2] and all(row[2] > 0 for row in first)
    assert home.run_totals() == first


def test_a_file_that_shrank_is_read_from_its_start(home: Home) -> None:
    home.write("a.jsonl", ONE)
    home.run()
    home.write("a.jsonl", TWO)
    home.run()
    assert home.totals()[0] == 3


def test_progress_ends_at_the_whole(home: Home) -> None:
    home.write("a.jsonl", ONE)
    home.write("b.jsonl", TWO)
    told: list[tuple[int, int]] = []
    home.run(progress=lambda done, size: told.append((done, size)))
    assert told[-1] == (len(ONE) + len(TWO), len(ONE) + len(TWO))


def test_a_crash_before_the_offsets_are_kept_costs_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write("a.jsonl", ONE)
    with monkeypatch.context() as patch:
        patch.setattr(importing, "_remember", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            home.run()
    home.run()
    assert home.totals()[:3] == (2, 2 * 5102, 2 * 184)


def test_a_piece_smaller_than_a_file_gives_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from tallybook.ingest.importers import portion

    monkeypatch.setattr(portion, "PIECE_BYTES", 100)
    home.write("a.jsonl", ONE + TWO)
    home.run()
    assert home.totals()[:3] == (3, 3 * 5102, 3 * 184)


def test_processes_may_be_started_anew_instead_of_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "POOL_BYTES", 1)
    monkeypatch.setattr(importing, "MANY_BYTES", 1)
    monkeypatch.setattr(importing, "_cores", lambda: 2)
    monkeypatch.setattr(importing, "_method", lambda: "spawn")
    home = Home(tmp_path)
    home.write("a.jsonl", ONE)
    home.write("b.jsonl", TWO)
    home.run()
    assert home.totals()[0] == 3


def test_a_large_imported_day_is_sorted_though_one_process_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MANY_BYTES", 1)
    monkeypatch.setattr(sealing, "UNSORTED_ROWS", 0)
    home = Home(tmp_path)
    home.write("a.jsonl", data(answer("msg_2", "req_2", timestamp="2026-02-09T09:00:00Z")), age_s=7200)
    home.write("b.jsonl", data(answer("msg_1", "req_1", timestamp="2026-02-09T08:00:00Z")), age_s=3600)
    home.run()
    (file,) = home.folder.glob("2026-02-09/calls-*.parquet")
    found = duckdb.sql(f"SELECT response_id FROM read_parquet('{file}')").fetchall()
    assert found == [("msg_1",), ("msg_2",)]
