"""Speed is output over the time that it took, and says nothing of calls whose time or output is unknown."""

from __future__ import annotations

from tallybook.query.latency import MEASURES, tokens_per_second
from tallybook.query.span import everything
from tallybook.query.totals import Scope, total
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call


def _speed(*calls: object) -> float | None:
    store = MemoryStore()
    store.append(calls)  # type: ignore[arg-type]
    return tokens_per_second(total(store, Scope(span=everything(NOW_US, "UTC")), MEASURES))


def test_calls_of_a_batch_without_a_time_do_not_make_a_model_faster() -> None:
    timed = call("2026-11-20T10:00", output_tokens=100, duration_us=2_000_000)
    assert _speed(timed) == 50
    assert _speed(timed, call("2026-11-20T11:00", output_tokens=9_000, duration_us=None, is_batch=True)) == 50


def test_a_failure_that_told_no_tokens_does_not_make_a_model_slower() -> None:
    timed = call("2026-11-20T10:00", output_tokens=100, duration_us=2_000_000)
    late = call("2026-11-20T11:00", output_tokens=None, duration_us=60_000_000, status="error")
    assert _speed(timed, late) == 50
    assert _speed(late) is None
