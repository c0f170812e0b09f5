"""Answers from summaries are the answers from the calls; percentiles within the stated bound."""

from __future__ import annotations

import duckdb
import msgspec
import pytest

from contract.records import DAY_US, START_US, Book
from contract.test_call_store import CALLS, KINDS, QUESTIONS, REFERENCE, STEPS, TOOL_QUESTIONS
from tallybook.model.question import Filter, Question
from tallybook.store.lake import answer
from tallybook.store.lake.summary import BUCKET_RATIO

SUMMED = (
    "calls", "errors", "input_tokens", "total_tokens", "cost_nanousd", "unpriced_calls", "duration_avg_us",
    "timed_output_tokens", "timed_output_us",
)  # fmt: skip
BOUND = BUCKET_RATIO**0.5 - 1 + 0.001


@pytest.fixture(params=["sealed", "mixed"], scope="module")
def full(request, tmp_path_factory):
    store = KINDS[request.param](tmp_path_factory.mktemp("full") / "ledger", CALLS, STEPS)
    yield store
    store.close()


@pytest.fixture
def used(monkeypatch):
    """Makes summaries be used at any size, and counts how often they were."""
    count = []
    original = answer._by_summary
    monkeypatch.setattr(answer, "SUMMARY_ROWS", 0)
    monkeypatch.setattr(answer, "EXACT_PERCENTILE_ROWS", 0)
    monkeypatch.setattr(answer, "_by_summary", lambda *given: count.append(1) or original(*given))
    return count


def _without(question: Question) -> Question:
    """The question without the measures that no summary holds."""
    drop = {
        "users",
        "runs",
        "sessions",
        "duration_p50_us",
        "duration_p95_us",
        "duration_p99_us",
        "ttft_p50_us",
        "ttft_p95_us",
    }
    if question.source == "tool_calls":
        drop.add("calls")
    measures = tuple(name for name in question.measures if name not in drop)
    return msgspec.structs.replace(question, measures=measures or ("uses",))


def test_sums_from_summaries_equal_sums_from_calls(full, used):
    for question in (*QUESTIONS, *TOOL_QUESTIONS):
        wanted = _without(question)
        assert full.ask(wanted).rows == REFERENCE.ask(wanted).rows, wanted
    assert len(used) > 25


def test_spans_that_begin_and_end_within_an_hour_are_exact(full, used):
    for since, until in ((17, 3 * DAY_US + 5), (DAY_US + 1, DAY_US + 2 * 3_600_000_000), (5, 6), (DAY_US, DAY_US)):
        for dimensions in (("model",), ("user_id",), ("status", "project")):
            question = Question(
                measures=SUMMED, dimensions=dimensions, since_us=START_US + since, until_us=START_US + until
            )
            assert full.ask(question).rows == REFERENCE.ask(question).rows, question
    assert used


def test_the_number_of_users_is_counted_over_days(full, used):
    question = Question(measures=("users", "calls"), dimensions=("project",), filters=(Filter("user_id", "exists"),))
    assert full.ask(question).rows == REFERENCE.ask(question).rows
    assert used


def test_percentiles_by_buckets_are_within_the_bound_and_say_so(full, used):
    measures = ("calls", "duration_p50_us", "duration_p95_us", "duration_p99_us", "ttft_p50_us")
    for question in (
        Question(measures=measures, dimensions=("model",)),
        Question(measures=measures, dimensions=("provider",), grain="day"),
        Question(measures=measures, since_us=START_US + DAY_US // 3, until_us=START_US + 3 * DAY_US + 7),
    ):
        got, wanted = full.ask(question), REFERENCE.ask(question)
        assert any("percentiles are within 2.5 %" in warning for warning in got.warnings)
        assert len(got.rows) == len(wanted.rows)
        for row, exact in zip(got.rows, wanted.rows, strict=True):
            for value, true in zip(row, exact, strict=True):
                if isinstance(true, int) and value != true:
                    assert abs(value - true) <= max(1, true * BOUND), question
    assert used


def test_few_calls_give_exact_percentiles(full):
    question = Question(measures=("duration_p95_us",), dimensions=("model",))
    assert full.ask(question) == REFERENCE.ask(question)
    assert Book().rates([]) == {}


def test_summaries_written_before_timed_tokens_were_measured_are_read_and_say_unknown(tmp_path, used):
    store = KINDS["sealed"](tmp_path / "ledger", CALLS, STEPS)
    old = [*tmp_path.rglob("summary-*.parquet"), *tmp_path.rglob("summary_users-*.parquet")]
    assert old
    for path in old:
        parted = path.with_suffix(".old")
        rows = f"SELECT * EXCLUDE (timed_output_tokens, timed_output_us) FROM '{path}'"
        duckdb.sql(f"COPY ({rows}) TO '{parted}' (FORMAT parquet)")
        parted.replace(path)
    question = Question(measures=("calls", "output_tokens", "timed_output_tokens"), dimensions=("model",))
    got, wanted = store.ask(question).rows, REFERENCE.ask(question).rows
    store.close()
    assert used
    assert [row[:-1] for row in got] == [row[:-1] for row in wanted]
    assert {row[-1] for row in got} == {None}
