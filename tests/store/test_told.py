"""A step that is told several times is one, whatever was sealed in between, and so is the tool use that it is."""

from __future__ import annotations

import duckdb
import msgspec
import pytest

from contract.records import START_US, Book
from contract.test_call_store import _write, seal
from tallybook.model.call import Call, Step, ToolCall
from tallybook.model.ids import uuid7
from tallybook.model.question import Question
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory import MemoryStore
from tallybook.store.told import once, once_sql

MEASURES = ("uses", "failures", "duration_avg_us", "runs")
TOOLS = Question(source="tool_calls", measures=MEASURES, dimensions=("tool",), order=(("tool", "asc"),))

ASKED = Call(
    call_id=uuid7(START_US // 1000, 1), started_at_us=START_US, run_id="r", model="m", provider="openai",
    tool_calls=(ToolCall(name="search", id="t-1"),),
)  # fmt: skip
RUNNING = Step(step_id="s", run_id="r", started_at_us=START_US, kind="tool", name="search", tool_call_id="t-1")
FAILED = msgspec.structs.replace(RUNNING, duration_us=5_000, status="error", error_message="no such page")
ALONE = Step(step_id="a", run_id="r", started_at_us=START_US, kind="tool", name="grep", duration_us=3_000)
NAMESAKE = msgspec.structs.replace(ALONE, run_id="other")
"""Ids of steps are their run's: the same in another run is another step."""


def _all(folder, *tellings: list[Step], sealed: bool) -> LakeStore:
    """A ledger in which each list of steps was written, and but for the last one sealed, before the next."""
    _write(folder, [ASKED], [])
    for number, steps in enumerate(tellings):
        _write(folder, [], steps)
        if sealed or number < len(tellings) - 1:
            seal(folder, Book())
    return LakeStore(folder, Book())


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    "tellings",
    [
        [[RUNNING, FAILED, ALONE, NAMESAKE, FAILED, ALONE]],
        [[FAILED, ALONE], [FAILED, ALONE, NAMESAKE]],
        [[RUNNING, ALONE, NAMESAKE], [FAILED, NAMESAKE]],
        [[RUNNING, NAMESAKE], [FAILED, ALONE], [FAILED, ALONE, RUNNING]],
    ],
    ids=["at once", "again", "begun and ended", "three times"],
)
def test_a_step_told_before_and_after_a_sealing_is_one_use_of_its_tool(tmp_path, tellings, sealed):
    reference = MemoryStore(Book().price)
    reference.append([ASKED], [step for steps in tellings for step in steps])
    store = _all(tmp_path / "ledger", *tellings, sealed=sealed)
    assert store.ask(TOOLS).rows == reference.ask(TOOLS).rows == [("grep", 2, 0, 3_000, 2), ("search", 1, 1, 5_000, 1)]
    assert store.run_calls("r")[1] == [ALONE, FAILED]
    assert store.sql("SELECT run_id, step_id, error_message FROM steps ORDER BY ALL").rows == [
        ("other", "a", None), ("r", "a", None), ("r", "s", "no such page"),
    ]  # fmt: skip
    store.close()


def test_the_rule_in_sql_is_the_rule_in_python():
    tellings = [
        msgspec.structs.replace(
            RUNNING, duration_us=duration, started_at_us=START_US + start, status=status, name=name, **texts
        )
        for duration in (None, 5, 7)
        for start in (0, 2)
        for status, name in (("ok", "a"), ("error", "b"))
        for texts in ({}, {"output_preview": "x"}, {"metadata": {"k": 1}}, {"parent_id": "p", "error_message": "e"})
    ]
    fields = ("run_id", "step_id", "duration_us", "status", "name", "parent_id", "error_message", "tool_call_id",
              "input_preview", "output_preview")  # fmt: skip
    con = duckdb.connect()
    for first in range(len(tellings)):
        some = tellings[first::5]
        con.execute(
            "CREATE OR REPLACE TABLE t (run_id TEXT, step_id TEXT, duration_us BIGINT, status TEXT, name TEXT, "
            "parent_id TEXT, error_message TEXT, tool_call_id TEXT, input_preview TEXT, output_preview TEXT, "
            "metadata TEXT, started_at TIMESTAMP, place INT)"
        )
        con.executemany(
            f"INSERT INTO t VALUES ({', '.join('?' * (len(fields) + 1))}, make_timestamp(?), ?)",
            [[*(getattr(one, f) for f in fields), "{}" if one.metadata else None, one.started_at_us, place]
             for place, one in enumerate(some)],
        )  # fmt: skip
        (kept,) = con.execute(f"SELECT place FROM ({once_sql('t')})").fetchall()
        assert once(some) == [some[kept[0]]]
