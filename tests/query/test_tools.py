"""Uses of tools by dimension; filters that uses do not have are refused."""

from __future__ import annotations

import pytest

from tallybook.model.errors import InputError
from tallybook.model.question import Filter
from tallybook.query.span import everything, last_days
from tallybook.query.tools import tools
from tallybook.query.totals import Scope

from .company import NOW_US, company


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
