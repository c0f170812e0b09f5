"""One question for several sections gives what one question each would."""

from __future__ import annotations

import pytest

from tallybook.model.question import Answer, Filter, Question
from tallybook.query import cube
from tallybook.query.span import last_days
from tallybook.query.totals import Scope, coverage, total
from tallybook.store.memory import MemoryStore

from .company import NOW_US, company


@pytest.mark.parametrize("filters", [(), (Filter("project", "eq", "shop"),), (Filter("project", "eq", "none"),)])
@pytest.mark.parametrize("dimensions", [("model", "project"), ("status",), ("agent_name", "provider", "environment")])
@pytest.mark.parametrize("top", [1, 3, None])
def test_folded_sections_equal_those_asked_one_by_one(
    dimensions: tuple[str, ...], top: int | None, filters: tuple[Filter, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = company()
    scope = Scope(span=last_days(30, NOW_US, "UTC"), filters=filters)
    folded = cube.sections(store, scope, dimensions, top)
    monkeypatch.setattr(cube, "SMALL", frozenset())
    asked = cube.sections(store, scope, dimensions, top)
    assert folded.sections == asked.sections
    assert asked.coverage is None
    assert folded.coverage == coverage(store, scope, total(store, scope).totals)


def test_dimensions_with_many_values_and_large_answers_are_asked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    class Counting(MemoryStore):
        def ask(self, question: Question) -> Answer:
            asked.append(question.dimensions)
            return super().ask(question)

    store = Counting()
    store.append(company().calls(limit=1_000))
    scope = Scope(span=last_days(30, NOW_US, "UTC"))
    cube.sections(store, scope, ("user_id", "model"), 5)
    assert asked == [("user_id",), ("model",)]
    asked.clear()
    cube.sections(store, scope, ("model", "project"), 5)
    assert asked == [("model", "project", "status", "cost_status")]
    asked.clear()
    monkeypatch.setattr(cube, "ROWS_MAX", 2)
    cube.sections(store, scope, ("model", "project"), 5)
    assert asked[1:] == [("model",), ("project",)]
