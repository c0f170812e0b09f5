"""Answers that go on from the one before are the answers of a store that was never asked before."""

from __future__ import annotations

import msgspec
import pytest

from contract.records import DAY_US, START_US, Book, random_calls
from contract.test_call_store import FILTERS, QUESTIONS, _write, seal
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.question import Filter, Question
from tallybook.store.lake import answer, running
from tallybook.store.lake.grown import Grown
from tallybook.store.lake.store import LakeStore

SEALED, FRESH = 200, 120
CALLS = random_calls(11, SEALED + FRESH)
OTLP = [msgspec.structs.replace(call, source="otlp") for call in CALLS]
"""The same by a source whose calls others may have told too, so that sealed files are looked at."""
NO_SUMMARY = ("runs", "sessions")
PERCENTILES = ("duration_p50_us", "duration_p95_us", "duration_p99_us", "ttft_p50_us", "ttft_p95_us")


def _asked(question: Question, drop: tuple[str, ...]) -> Question:
    measures = tuple(name for name in question.measures if name not in (*drop, *NO_SUMMARY))
    return msgspec.structs.replace(question, measures=measures or ("calls",))


ASKED = [
    *(_asked(one, (*PERCENTILES, "users")) for one in QUESTIONS),
    *(_asked(one, ("users",)) for one in QUESTIONS if one.grain in (None, "day")),
    Question(measures=("users", "calls", "errors")),
    Question(measures=("users",), dimensions=("project",)),
    Question(measures=("calls", "total_tokens"), dimensions=("model",), order=(("calls", "desc"),), limit=3),
    *(
        Question(measures=("calls", "cost_nanousd"), dimensions=("project",), filters=filters)
        for filters in FILTERS
        if all(one.field in ("project", "model", "operation_or_name", "status", "task", "is_stream") for one in filters)
    ),
    Question(measures=("calls",), filters=(Filter("day_of_week", "in", [0, 2]),), zone="America/New_York"),
    Question(since_us=START_US + DAY_US // 2 + 17, until_us=START_US + 4 * DAY_US + 5, measures=("calls", "errors")),
]


@pytest.fixture(autouse=True)
def summaries(monkeypatch):
    """Summaries are used at any size."""
    monkeypatch.setattr(answer, "SUMMARY_ROWS", 0)
    monkeypatch.setattr(answer, "EXACT_PERCENTILE_ROWS", 0)
    monkeypatch.setattr(running, "QUESTIONS_MAX", 1000)


@pytest.fixture
def gone_on(monkeypatch):
    """How many calls were added to an answer that was there already."""
    added = []
    original = running.Running._add
    monkeypatch.setattr(
        running.Running, "_add", lambda self, key, calls: added.extend(calls) or original(self, key, calls)
    )
    return added


@pytest.fixture(params=["sdk", "otlp"])
def calls(request):
    return CALLS if request.param == "sdk" else OTLP


@pytest.fixture
def folder(tmp_path, calls):
    """Sealed in two goes."""
    place = tmp_path / "ledger"
    _write(place, calls[: SEALED // 2])
    seal(place, Book())
    _write(place, calls[SEALED // 2 : SEALED])
    seal(place, Book())
    return place


class Pen:
    """One writer that stays, as a server's is."""

    def __init__(self, folder):
        self._writer = Writer(folder, "telemetry", segment_bytes_max=1 << 25)

    def write(self, *calls):
        for call in calls:
            self._writer.append(codec.encode(call), START_US)

    def close(self):
        self._writer.close()


@pytest.fixture
def pen(folder):
    one = Pen(folder)
    yield one
    one.close()


def _equal(store, folder, questions=ASKED):
    other = LakeStore(folder, Book())
    try:
        for question in questions:
            expected = other.ask(question)
            for _ in range(2):
                assert store.ask(question) == expected, question
    finally:
        other.close()


@pytest.fixture
def store(folder):
    one = LakeStore(folder, Book())
    yield one
    one.close()


def test_every_question_goes_on_to_the_very_answer(store, folder, calls, pen, gone_on):
    at = SEALED
    for size in (0, 1, 3, 40, 0, 76):
        pen.write(*calls[at : at + size])
        at += size
        _equal(store, folder)
    assert at == SEALED + FRESH
    assert len(gone_on) > 20 * FRESH


def test_a_call_that_is_told_again_counts_once(store, folder, calls, pen, gone_on):
    questions = ASKED[:1]
    pen.write(*calls[SEALED : SEALED + 5])
    _equal(store, folder, questions)
    better = msgspec.structs.replace(calls[SEALED + 1], status="error", error_type="E")
    # Nobody but the SDK itself tells of its calls, so that its lines are not looked for in what is sealed.
    for again in (calls[SEALED], better, *(calls[3:4] if calls is OTLP else ())):
        pen.write(again)
        _equal(store, folder, questions)
    pen.write(calls[SEALED + 6], calls[SEALED + 6])
    _equal(store, folder, questions)
    pen.write(calls[SEALED + 7])
    _equal(store, folder, questions)
    pen.write(calls[SEALED + 7])
    _equal(store, folder, questions)
    assert store.ask(Question(measures=("calls",))).rows == [(SEALED + 7,)]


def test_what_is_sealed_meanwhile_counts_once(store, folder, calls, gone_on):
    questions = ASKED[:1]
    pen = Pen(folder)
    pen.write(*calls[SEALED : SEALED + 30])
    _equal(store, folder, questions)
    pen.close()
    seal(folder, Book())
    _equal(store, folder, questions)
    pen = Pen(folder)
    pen.write(*calls[SEALED + 30 : SEALED + 40])
    _equal(store, folder, questions)
    pen.write(*calls[SEALED + 40 : SEALED + 50])
    _equal(store, folder, questions)
    pen.close()
    assert store.ask(Question(measures=("calls",))).rows == [(SEALED + 50,)]
    assert gone_on


def test_what_waits_for_the_table_is_there_for_every_other_question(store, folder, calls, pen):
    wide, narrow = ASKED[0], Question(measures=("calls",), dimensions=("metadata.customer",))
    for call in calls[SEALED : SEALED + 20]:
        pen.write(call)
        _equal(store, folder, [wide])
        _equal(store, folder, [narrow])
        assert store.call(call.call_id) is not None


def test_a_folder_that_nobody_writes_is_asked_once(store, folder, calls, monkeypatch):
    question = ASKED[0]
    expected = store.ask(question)
    store.ask(question)
    monkeypatch.setattr(answer, "_relation", lambda *given: pytest.fail("it was added up again"))
    assert store.ask(question) == expected


def test_who_comes_after_more_than_is_remembered_adds_up_anew(store, folder, calls, pen, monkeypatch):
    monkeypatch.setattr("tallybook.store.lake.grown.RECENT_MAX", 4)
    first, second = ASKED[0], Question(measures=("calls",))
    pen.write(*calls[SEALED : SEALED + 2])
    _equal(store, folder, [first, second])
    for at in range(SEALED + 2, SEALED + 60, 3):
        pen.write(*calls[at : at + 3])
        _equal(store, folder, [second])
    _equal(store, folder, [first])


def test_too_many_groups_are_left_to_the_lake(store, folder, calls, pen, monkeypatch):
    monkeypatch.setattr(running, "GROUPS_MAX", 3)
    monkeypatch.setattr(answer, "GROUPS_MAX", 3)
    monkeypatch.setattr(running.Running, "rows", lambda *given: pytest.fail("it was kept"))
    pen.write(*calls[SEALED : SEALED + 20])
    _equal(store, folder, [Question(measures=("calls",), dimensions=("user_id",))])


def test_few_new_lines_are_not_put_into_the_table_for_an_answer_that_goes_on(store, folder, calls, pen, monkeypatch):
    question = ASKED[0]
    pen.write(*calls[SEALED : SEALED + 2])
    _equal(store, folder, [question])
    put = []
    original = Grown._put
    monkeypatch.setattr(Grown, "_put", lambda *given: put.append(1) or original(*given))
    fresh = calls[SEALED + 2 : SEALED + 9]
    pen.write(*fresh)
    assert store.ask(question).rows[0][question.measures.index("calls")] == SEALED + 2 + len(fresh)
    assert not put
    assert len(store.calls(since_us=0, limit=1000)) == SEALED + 2 + len(fresh)
    assert put
