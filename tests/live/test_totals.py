"""Runs' totals, told when they change."""

from __future__ import annotations

from tallybook.live.totals import WATCH_S, Totals
from tallybook.model.call import Call, Run


def call(run_id: str | None) -> Call:
    return Call(call_id="c", started_at_us=1, run_id=run_id)


def test_a_run_is_told_when_its_figures_follow_and_each_time_they_change() -> None:
    now = [0.0]
    runs: dict[str, Run] = {}
    asked: list[list[str]] = []

    def read(ids: list[str]) -> list[Run | None]:
        asked.append(ids)
        return [runs.get(one) for one in ids]

    totals = Totals(read, lambda run: {"calls": run.call_count}, lambda: now[0])
    assert totals([call(None)]) == [] and asked == [], "nothing is asked for nothing"
    assert totals([call("r")]) == []
    runs["r"] = Run(run_id="r", call_count=1)
    assert [(one.subject, one.data) for one in totals([])] == [("r", {"calls": 1})]
    assert totals([]) == []
    runs["r"] = Run(run_id="r", call_count=2)
    assert [one.data for one in totals([])] == [{"calls": 2}]
    now[0] = WATCH_S + 1
    count = len(asked)
    assert totals([]) == [] and len(asked) == count, "it is over"
