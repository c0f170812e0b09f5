"""Uses of tools by dimension; filters that uses do not have are refused."""

from __future__ import annotations

import pytest

from tallybook.model.call import Step, ToolCall
from tallybook.model.errors import InputError
from tallybook.model.question import Filter
from tallybook.query.span import everything, last_days
from tallybook.query.tools import LATEST, failures, tools
from tallybook.query.totals import Scope
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call, company


def test_a_use_asked_for_and_executed_is_one_use() -> None:
    found = tools(company(), Scope(span=everything(NOW_US, "UTC")))
    assert found.total["uses"] == 1
    assert [(row["tool"], row["uses"], row["failures"], row["duration_avg_us"]) for row in found.tools] == [
        ("research", 1, 0, 4_000_000)
    ]
    assert "duration_p95_us" not in found.total


def test_short_spans_tell_runs_and_percentiles() -> None:
    found = tools(company(), Scope(span=last_days(7, NOW_US, "Europe/Berlin")), ("tool", "agent_name"), top=1)
    assert (found.total["runs"], found.total["duration_p95_us"]) == (1, 4_000_000)
    assert found.tools[0]["agent_name"] is None


def test_a_filter_that_uses_do_not_have_is_refused_with_those_they_have() -> None:
    scope = Scope(span=everything(NOW_US, "UTC"), filters=(Filter("status", "eq", "ok"),))
    with pytest.raises(InputError, match="status") as caught:
        tools(company(), scope)
    assert caught.value.field == "--status"
    assert "--project" in str(caught.value.hint)


SCOPE = Scope(span=everything(NOW_US, "UTC"))


def test_failures_are_told_by_tool_and_error_with_the_latest_calls_as_examples() -> None:
    calls = [
        call(f"2026-11-22T10:0{minute}:00", tool_calls=(ToolCall(name="search", error=error), ToolCall(name="read")))
        for minute, error in enumerate(["timeout", "timeout", None, "timeout", "refused", "timeout"])
    ]
    store = MemoryStore()
    store.append(calls)
    found = failures(store, SCOPE)
    assert found.failures == 5
    assert [(row.tool, row.error, row.failures, row.calls) for row in found.rows] == [
        ("search", "timeout", 4, 4), ("search", "refused", 1, 1),
    ]  # fmt: skip
    assert found.rows[0].call_ids == [calls[number].call_id for number in (5, 3, 1)]
    assert failures(store, SCOPE, top=1).is_cut and not found.is_cut


def test_what_failed_long_ago_has_examples_too() -> None:
    store = MemoryStore()
    first = call("2026-11-01T10:00:00", tool_calls=(ToolCall(name="search", error="long ago"),) * 3)
    later = [
        call(f"2026-11-{2 + number // 60 // 24:02}T{number // 60 % 24:02}:{number % 60:02}:00",
             tool_calls=(ToolCall(name="search", error="lately"),))
        for number in range(LATEST + 5)
    ]  # fmt: skip
    store.append([first, *later])
    assert [row.call_ids[-1:] for row in failures(store, SCOPE).rows if row.error == "long ago"] == [[first.call_id]]


def test_a_use_that_was_only_executed_fails_without_an_example() -> None:
    store = MemoryStore()
    step = Step(step_id="s", started_at_us=NOW_US - 1, kind="tool", name="shell", status="error", run_id="r")
    store.append([], [step])
    assert [(row.tool, row.error, row.runs, row.call_ids) for row in failures(store, SCOPE).rows] == [
        ("shell", "error", 1, [])
    ]


def test_failures_have_the_filters_of_uses() -> None:
    with pytest.raises(InputError, match="status"):
        failures(company(), Scope(span=SCOPE.span, filters=(Filter("status", "eq", "ok"),)))
