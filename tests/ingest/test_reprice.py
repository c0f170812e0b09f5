"""The past priced anew: what changes, that it is on record, that totals follow, and that it can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tallybook.ingest import reprice
from tallybook.ingest.seal import seal
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call, Cost
from tallybook.model.errors import NotFound, StorageError
from tallybook.model.question import Filter, Question
from tallybook.model.usage import Usage
from tallybook.prices.base import Key, Rate
from tallybook.store.lake.store import LakeStore
from tallybook.store.sqlite.state import SqliteState
from tallybook.testing import FrozenClock, SequentialIds

CLOCK = FrozenClock()
START_US = CLOCK.now_us()
NOW_US = START_US + 10 * 86_400_000_000


class Prices:
    """A price of an input token by model, in nano-USD; none for other models."""

    def __init__(self, **nano: int) -> None:
        self._nano = nano

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        return {
            key: (Rate(input_picousd=self._nano[key.model] * 1_000, output_picousd=0, price=f"test {key.model}"),)
            if key.model in self._nano
            else ()
            for key in keys
        }


OLD, NEW = Prices(dear=10), Prices(dear=25, fresh=5)


class Ledger:
    """A folder with calls, some of them sealed at the old prices."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ids = SequentialIds(CLOCK)
        self.state = SqliteState(folder / "state.db")

    def add(self, *models: str, is_sealed: bool = True, **fields: Any) -> list[str]:
        writer = Writer(self.folder, "telemetry", segment_bytes_max=1 << 25)
        ids = []
        for model in models:
            call = Call(
                call_id=self._ids(), started_at_us=START_US + len(ids) * 1_000_000, provider="acme", model=model,
                usage=Usage(input_tokens=1_000, output_tokens=10), **{"run_id": "run-1", **fields},
            )  # fmt: skip
            writer.append(codec.encode(call), START_US)
            ids.append(call.call_id)
        writer.close()
        if is_sealed:
            self.seal(OLD)
        return ids

    def seal(self, prices: Prices) -> None:
        assert seal(self.folder, prices, self.state) is not None

    def store(self, prices: Prices = NEW) -> LakeStore:
        return LakeStore(self.folder, prices)

    def plan(self, **given: Any) -> reprice.Repricing:
        return reprice.plan(self.store(), NOW_US, **given)

    def reprice(self, **given: Any) -> reprice.Repricing:
        act = self.plan(folder=self.folder, **given)
        reprice.apply(self.folder, act, self.state)
        return act

    def undo(self, act: reprice.Repricing, **given: Any) -> reprice.Repricing:
        return reprice.undo(self.store(), self.folder, act.id, self.state, NOW_US, **given)

    def costs(self, prices: Prices = NEW) -> list[int | None]:
        """By call, in order of start."""
        found = [call.cost for batch in self.store(prices).scan() for call in batch]
        return [None if cost is None else cost.total_nanousd for cost in found]

    def total(self) -> tuple[Any, ...]:
        question = Question(measures=("cost_nanousd", "priced_calls", "unpriced_calls"))
        return self.store().ask(question).rows[0]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def test_what_would_change_is_told_by_model_and_nothing_is_written(ledger: Ledger) -> None:
    ledger.add("dear", "dear", "fresh", "unheard")
    act = ledger.plan()
    assert (act.looked_at, act.calls, act.status) == (4, 3, "planned")
    assert [
        (c.model, c.calls, c.before_nanousd, c.after_nanousd, c.unpriced_before, c.unpriced_after) for c in act.changes
    ] == [("dear", 2, 20_000, 50_000, 0, 0), ("fresh", 1, None, 5_000, 1, 0)]
    assert ledger.costs() == [10_000, 10_000, None, None]
    assert not (ledger.folder / reprice.FOLDER).exists()


def test_sealed_calls_get_the_new_cost_with_price_and_status(ledger: Ledger) -> None:
    first, fresh = ledger.add("dear", "fresh")
    ledger.reprice()
    assert ledger.costs() == [25_000, 5_000]
    call = ledger.store().call(fresh)
    assert call is not None and call.cost is not None
    assert (call.cost.status, call.cost.price, call.cost.reasons) == ("priced", "test fresh", ())
    assert call.cost.input_nanousd == 5_000
    assert ledger.total() == (30_000, 2, 0)
    assert ledger.store().call(first).cost.total_nanousd == 25_000  # type: ignore[union-attr]


def test_doing_it_again_changes_nothing(ledger: Ledger) -> None:
    ledger.add("dear", "fresh")
    ledger.reprice()
    assert ledger.plan().changes == []
    again = ledger.reprice()
    assert again.calls == 0 and [act.id for act in reprice.listed(ledger.folder)] != [again.id]
    assert len(reprice.listed(ledger.folder)) == 1


def test_calls_that_are_not_sealed_follow_the_prices_by_themselves(ledger: Ledger) -> None:
    ledger.add("dear", is_sealed=False)
    assert ledger.costs(OLD) == [10_000] and ledger.costs() == [25_000]
    assert ledger.plan().changes == []


def test_what_was_repriced_stays_so_when_all_is_sealed(ledger: Ledger) -> None:
    ledger.add("dear", "fresh")
    ledger.reprice()
    ledger.add("dear", is_sealed=False)
    ledger.seal(NEW)
    assert sorted(ledger.costs(), key=lambda cost: cost or 0) == [5_000, 25_000, 25_000]
    assert ledger.total() == (55_000, 3, 0)
    assert ledger.plan().changes == []


def test_a_stated_cost_stays(ledger: Ledger) -> None:
    ledger.add("dear", cost=Cost(status="reported", total_nanousd=7))
    act = ledger.reprice()
    assert (act.stated, act.calls) == (1, 0)
    assert ledger.costs() == [7]


def test_span_and_filters_choose_the_calls(ledger: Ledger) -> None:
    ledger.add("dear", "dear", project="shop")
    ledger.add("dear", project="bot")
    assert ledger.plan(filters=(Filter("project", "eq", "bot"),)).calls == 1
    assert ledger.plan(since_us=START_US + 1_000_000).calls == 1
    assert ledger.plan(until_us=START_US + 1_000_000).calls == 2
    act = ledger.reprice(filters=(Filter("project", "eq", "bot"),), told=["project = bot"])
    assert act.filters == ["project = bot"]
    assert sorted(ledger.costs()) == [10_000, 10_000, 25_000]  # type: ignore[type-var]


def test_run_totals_follow(ledger: Ledger) -> None:
    ledger.add("dear", "fresh")
    before = ledger.state.run("run-1")
    assert before is not None and (before.cost_nanousd, before.unpriced_count) == (10_000, 1)
    act = ledger.reprice()
    after = ledger.state.run("run-1")
    assert after is not None and (after.cost_nanousd, after.unpriced_count) == (30_000, 0)
    assert (after.call_count, after.created_at_us) == (before.call_count, before.created_at_us)
    ledger.undo(act)
    assert ledger.state.run("run-1") == before
    (run,) = ledger.store().runs()
    assert (run.cost_nanousd, run.unpriced_count) == (10_000, 1)


def test_both_figures_stay_on_record(ledger: Ledger) -> None:
    ids = ledger.add("dear", "fresh")
    act = ledger.reprice()
    entries = list(reprice.entries_of(ledger.folder, act.id))
    assert [(e.call_id, e.before.total_nanousd, e.after.total_nanousd) for e in entries] == [
        (ids[0], 10_000, 25_000), (ids[1], None, 5_000),
    ]  # fmt: skip
    (known,) = reprice.listed(ledger.folder)
    assert (known.status, known.calls, known.looked_at) == ("done", 2, 2)


def test_it_is_taken_back_whole(ledger: Ledger) -> None:
    ledger.add("dear", "fresh")
    costs = [call.cost for batch in ledger.store().scan() for call in batch]
    act = ledger.reprice()
    assert ledger.undo(act, dry_run=True).calls == 2 and ledger.costs() == [25_000, 5_000]
    back = ledger.undo(act)
    assert (back.undoes, back.calls, back.skipped) == (act.id, 2, 0)
    assert [call.cost for batch in ledger.store().scan() for call in batch] == costs
    undone = reprice.find(ledger.folder, act.id)
    assert undone.status == "undone" and undone.undone_at is not None
    with pytest.raises(NotFound, match="was undone"):
        ledger.undo(act)


def test_undoing_can_itself_be_undone_and_repricing_done_anew(ledger: Ledger) -> None:
    ledger.add("dear")
    back = ledger.undo(ledger.reprice())
    ledger.undo(back)
    assert ledger.costs() == [25_000]
    assert ledger.plan().changes == []


def test_undoing_leaves_alone_what_was_amended_since(ledger: Ledger) -> None:
    ids = ledger.add("dear", "dear")
    act = ledger.reprice()
    writer = Writer(ledger.folder, "amendments", segment_bytes_max=1 << 25)
    stated = Cost(status="reported", total_nanousd=99)
    writer.append(reprice.amendment(ids[0], stated, "other", NOW_US + 5_000_000), NOW_US)
    writer.close()
    back = ledger.undo(act)
    assert (back.calls, back.skipped) == (1, 1)
    assert sorted(ledger.costs()) == [99, 10_000]  # type: ignore[type-var]


@pytest.mark.parametrize("at", range(8))
def test_an_act_broken_off_anywhere_is_finished_exactly_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Each write to the disk or the state fails in turn, up to one beyond the last."""
    ledger.add(*["dear"] * 5)
    monkeypatch.setattr(reprice, "BATCH", 2)
    act = ledger.plan(folder=ledger.folder)
    left = at

    def failing(real: Any) -> Any:
        def run(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(28, "No space left on device")
            return real(*arguments, **named)

        return run

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "append", failing(Writer.append))
        patch.setattr(reprice, "_write_act", failing(reprice._write_act))
        patch.setattr(SqliteState, "mark_stale", failing(SqliteState.mark_stale))
        if at < 6:  # the act twice, three batches, the run totals
            with pytest.raises(OSError, match="No space"):
                reprice.apply(ledger.folder, act, ledger.state)
        else:
            reprice.apply(ledger.folder, act, ledger.state)
    ledger.seal(OLD)  # The follower passes by in between.
    reprice.resume(ledger.folder, ledger.state)
    if at == 0:  # Not even begun: it stands there as a plan.
        ledger.reprice()
    assert set(ledger.costs()) == {25_000}
    run = ledger.state.run("run-1")
    assert run is not None and run.cost_nanousd == 5 * 25_000
    assert reprice.resume(ledger.folder, ledger.state) == []
    if at:
        ledger.undo(act)
        assert set(ledger.costs()) == {10_000}
        assert ledger.state.run("run-1").cost_nanousd == 5 * 10_000  # type: ignore[union-attr]


def test_what_is_not_on_record_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no repricing begins"):
        reprice.find(ledger.folder, "2026")
    ledger.add("dear")
    act = ledger.reprice()
    assert reprice.find(ledger.folder, act.id[:8]).id == act.id
    ledger.undo(act)
    with pytest.raises(NotFound, match="several"):
        reprice.find(ledger.folder, act.id[:6])


def test_a_damaged_record_is_named(ledger: Ledger) -> None:
    ledger.add("dear")
    act = ledger.reprice()
    record = ledger.folder / reprice.FOLDER / f"{act.id}.jsonl.gz"
    record.write_bytes(record.read_bytes()[:-9])
    with pytest.raises(StorageError, match=r"jsonl\.gz"):
        ledger.undo(act)
    (ledger.folder / reprice.FOLDER / f"{act.id}.json").write_text("{")
    with pytest.raises(StorageError, match="json"):
        reprice.listed(ledger.folder)


def test_an_amendment_is_a_line_with_the_whole_cost() -> None:
    line = msgspec.json.decode(reprice.amendment("c1", Cost(status="priced", total_nanousd=5), "r1", NOW_US))
    assert (line["call_id"], line["kind"], line["repricing"], line["cost_usd"]) == ("c1", "cost", "r1", 5e-9)
    assert line["cost"]["status"] == "priced" and line["cost"]["reasons"] == []
