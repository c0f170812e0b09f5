"""What every `CallStore` promises, on memory and on the lake: hot lines, sealed files, both."""

from __future__ import annotations

import msgspec
import pytest

from tallybook.ingest import seal as sealing
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call, Cost, Step
from tallybook.model.errors import InputError
from tallybook.model.question import (
    DIMENSIONS,
    FAILURE_MEASURES,
    MEASURES,
    TOOL_DIMENSIONS,
    TOOL_MEASURES,
    Filter,
    Question,
)
from tallybook.model.usage import Usage
from tallybook.store.lake.light import LightStore
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory import MemoryStore

from .records import DAY_US, START_US, Book, random_calls, random_steps


class QuickDisk(RealDisk):
    """Does not wait for the disk."""

    def fsync(self, path):
        assert path.exists()


def seal(folder, prices):
    return sealing.seal(folder, prices, disk=QuickDisk())


def _write(folder, calls, steps=()):
    writer = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    for call in calls:
        writer.append(codec.encode(call), START_US)
    writer.close()
    if steps:
        writer = Writer(folder, "steps", segment_bytes_max=1 << 25)
        for step in steps:
            writer.append(codec.encode_step(step), START_US)
        writer.close()


def _memory(folder, calls, steps):
    store = MemoryStore(Book().price)
    store.append(calls, steps)
    return store


def _hot(folder, calls, steps):
    _write(folder, calls, steps)
    return LakeStore(folder, Book())


def _sealed(folder, calls, steps):
    _write(folder, calls, steps)
    seal(folder, Book())
    return LakeStore(folder, Book())


def _mixed(folder, calls, steps):
    """Sealed in two goes and compacted, the rest hot; steps lie in every part."""
    thirds = [slice(None, None, 3), slice(1, None, 3), slice(2, None, 3)]
    for number, part in enumerate(thirds):
        known = {tool.id for call in calls[part] for tool in call.tool_calls}
        own = [step for step in steps if step.tool_call_id in known or (number == 1 and step.tool_call_id is None)]
        _write(folder, calls[part], own)
        if number < 2:
            seal(folder, Book())
    return LakeStore(folder, Book())


def _light(make):
    """The same folder behind the store that opens the lake only when it must."""

    def build(folder, calls, steps):
        make(folder, calls, steps).close()
        return LightStore(folder, Book())

    return build


KINDS = {
    "memory": _memory, "hot": _hot, "sealed": _sealed, "mixed": _mixed,
    "light hot": _light(_hot), "light mixed": _light(_mixed),
}  # fmt: skip


@pytest.fixture(params=sorted(KINDS), scope="module")
def full(request, tmp_path_factory):
    """A store that holds all the random calls, for tests that only read."""
    store = KINDS[request.param](tmp_path_factory.mktemp("full") / "ledger", CALLS, STEPS)
    yield store
    store.close()


@pytest.fixture(params=sorted(KINDS))
def make(request, tmp_path):
    stores = []

    def build(calls=(), steps=()):
        store = KINDS[request.param](tmp_path / "ledger", list(calls), list(steps))
        stores.append(store)
        return store

    build.kind = request.param
    yield build
    for store in stores:
        store.close()


def _kept_hash(text):
    return None if text is None else text[:39]


def _same(call: Call) -> Call:
    """A call as every store gives it back: 128 bits of each hash are enough."""
    return msgspec.structs.replace(
        call, prompt_hash=_kept_hash(call.prompt_hash), response_hash=_kept_hash(call.response_hash)
    )


CALLS = random_calls(7, 400)
STEPS = random_steps(7, CALLS)
REFERENCE = MemoryStore(Book().price)
REFERENCE.append(CALLS, STEPS)

QUESTIONS = [
    Question(measures=MEASURES),
    Question(measures=MEASURES, filters=(Filter("project", "eq", "nobody"),)),
    Question(measures=("calls",), dimensions=("project",), filters=(Filter("project", "eq", "nobody"),)),
    *(Question(measures=MEASURES, dimensions=(name,)) for name in DIMENSIONS),
    Question(measures=MEASURES, dimensions=("project", "model", "tag")),
    *(
        Question(measures=MEASURES, dimensions=("provider",), grain=grain, zone=zone)
        for grain in ("hour", "day", "week", "month")
        for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York")
    ),
    *(
        Question(measures=("calls", "cost_nanousd"), dimensions=("hour_of_day", "day_of_week"), zone=zone)
        for zone in ("UTC", "Asia/Kolkata")
    ),
    Question(dimensions=("metadata.customer",), measures=MEASURES),
    Question(dimensions=("metadata.attempt", "metadata.a/b~c")),
    Question(dimensions=("metadata.none",), order=(("calls", "asc"),), limit=2),
    Question(dimensions=("user_id",), order=(("cost_nanousd", "desc"),), limit=5),
    Question(since_us=START_US + DAY_US // 3, until_us=START_US + 3 * DAY_US, measures=MEASURES, dimensions=("model",)),
    Question(since_us=START_US + DAY_US, until_us=START_US + 3 * DAY_US, measures=MEASURES, dimensions=("task",)),
]

FILTERS = [
    (Filter("project", "eq", "O'Hara"),),
    (Filter("project", "ne", "alpha"),),
    (Filter("project", "in", ["alpha", "beta"]),),
    (Filter("project", "not_in", ["alpha", "beta"]),),
    (Filter("project", "in", []),),
    (Filter("project", "not_in", []),),
    (Filter("project", "missing"),),
    (Filter("project", "exists"),),
    (Filter("name", "contains", "ПЛАН"),),
    (Filter("model", "contains", "LARGE"),),
    (Filter("project", "gte", "b"), Filter("project", "lt", "beta")),
    (Filter("duration_us", "gte", 50_000_000), Filter("duration_us", "lt", 80_000_000)),
    (Filter("cost_nanousd", "gte", 1000),),
    (Filter("cost_nanousd", "missing"),),
    (Filter("input_tokens", "lt", "700"),),
    (Filter("total_tokens", "gte", 1500),),
    (Filter("is_stream", "eq", True),),
    (Filter("is_stream", "eq", "false"),),
    (Filter("tag", "eq", 'a "b", c'),),
    (Filter("tag", "ne", "red"),),
    (Filter("tag", "in", ["red", "green"]),),
    (Filter("tag", "not_in", ["red", "green"]),),
    (Filter("tag", "contains", "RE"),),
    (Filter("tag", "missing"),),
    (Filter("tag", "exists"),),
    (Filter("operation_or_name", "eq", "chat"),),
    (Filter("operation_or_name", "in", ["summarise", "embeddings"]),),
    (Filter("operation_or_name", "ne", "chat"),),
    (Filter("metadata.customer", "eq", "acme"),),
    (Filter("metadata.customer", "missing"),),
    (Filter("metadata.attempt", "eq", 2),),
    (Filter("metadata.attempt", "gte", 1),),
    (Filter("metadata.a/b~c", "eq", True),),
    (Filter("metadata.a/b~c", "in", ["x", "2.5"]),),
    (Filter("task", "eq", "chat"), Filter("status", "ne", "ok")),
    (Filter("run_id", "eq", "session-3"),),
    (Filter("cost_status", "in", ["partial", "free"]),),
    (Filter("hour_of_day", "gte", 12), Filter("day_of_week", "eq", 2)),
    (Filter("http_status", "eq", 429),),
    (Filter("call_id", "eq", CALLS[5].call_id),),
]

TOOL_QUESTIONS = [
    Question(source="tool_calls", measures=TOOL_MEASURES),
    *(Question(source="tool_calls", measures=TOOL_MEASURES, dimensions=(name,)) for name in TOOL_DIMENSIONS),
    Question(
        source="tool_calls", measures=TOOL_MEASURES, dimensions=("tool", "project"), grain="day", zone="Asia/Tokyo"
    ),
    Question(
        source="tool_calls", measures=TOOL_MEASURES, dimensions=("tool",), filters=(Filter("tool", "eq", "bash"),)
    ),
    *(
        Question(
            source="tool_calls", measures=FAILURE_MEASURES, dimensions=dimensions,
            filters=(Filter("error", "exists"),), order=(("last_at_us", "desc"),), limit=7,
        )
        for dimensions in (("tool", "error"), ("tool", "error", "call_id"))
    ),
    Question(
        source="tool_calls", measures=("uses",), since_us=START_US + DAY_US, until_us=START_US + 2 * DAY_US,
        filters=(Filter("server_side", "eq", True),),
    ),
]  # fmt: skip


class TestCallStore:
    """One class, every store."""

    def test_every_question_has_the_reference_answer(self, full):
        store = full
        for question in QUESTIONS:
            assert store.ask(question) == REFERENCE.ask(question), question

    def test_every_filter_selects_what_the_reference_selects(self, full):
        store = full
        for filters in FILTERS:
            question = Question(measures=("calls", "cost_nanousd"), dimensions=("provider",), filters=filters)
            assert store.ask(question).rows == REFERENCE.ask(question).rows, filters
            got = [call.call_id for call in store.calls(filters, limit=10_000)]
            assert got == [call.call_id for call in REFERENCE.calls(filters, limit=10_000)], filters

    def test_tool_questions_count_a_use_once_whoever_saw_it(self, full):
        store = full
        for question in TOOL_QUESTIONS:
            assert store.ask(question) == REFERENCE.ask(question), question

    def test_a_call_comes_back_whole_with_its_cost(self, full):
        store = full
        for wanted in REFERENCE.calls(limit=10_000)[::7]:
            got = store.call(wanted.call_id)
            assert got is not None
            assert _same(got) == _same(wanted)

    def test_a_call_is_found_by_a_unique_beginning_of_its_id(self, make):
        call = msgspec.structs.replace(CALLS[0], call_id="01990000-aaaa-7000-8000-000000000001")
        other = msgspec.structs.replace(CALLS[1], call_id="01990000-aaaa-7000-8000-000000000002")
        store = make([call, other])
        got = store.call("01990000-aaaa-7000-8000-000000000001"[:36])
        assert got is not None and got.call_id == call.call_id
        with pytest.raises(InputError, match="2 calls begin with"):
            store.call("01990000-aaaa")
        assert store.call("0199") is None
        assert store.call("nothing-like-it") is None

    def test_pages_follow_each_other_without_gap_or_repeat(self, full):
        store = full
        for oldest_first in (False, True):
            wanted = [call.call_id for call in REFERENCE.calls(limit=10_000, oldest_first=oldest_first)]
            got: list[str] = []
            before = None
            while True:
                batch = store.calls(limit=37, before=before, oldest_first=oldest_first)
                if not batch:
                    break
                got.extend(call.call_id for call in batch)
                before = (batch[-1].started_at_us, batch[-1].call_id)
            assert got == wanted

    def test_the_moment_of_the_newest_call_is_known(self, full):
        assert full.latest_us() == max(call.started_at_us for call in CALLS)

    def test_a_call_that_is_written_later_may_be_the_newest(self, make):
        store = make(CALLS[:10])
        newest = max(call.started_at_us for call in CALLS[:10])
        later = msgspec.structs.replace(CALLS[10], call_id="later", response_id="later", started_at_us=newest + 1)
        earlier = msgspec.structs.replace(later, call_id="earlier", response_id="earlier", started_at_us=newest - 1)
        store.append([earlier])
        assert store.latest_us() == newest
        store.append([later])
        assert store.latest_us() == newest + 1

    def test_a_scan_gives_every_matching_call_once_oldest_first(self, full):
        store = full
        filters = (Filter("provider", "eq", "openai"),)
        got = [call for batch in store.scan(filters, since_us=START_US + DAY_US) for call in batch]
        wanted = [call for batch in REFERENCE.scan(filters, since_us=START_US + DAY_US) for call in batch]
        assert [_same(call) for call in got] == [_same(call) for call in wanted]

    def test_a_run_holds_its_calls_and_steps_in_order(self, full):
        store = full
        for run_id in ("run-3", "session-2", "no-such-run"):
            calls, steps = store.run_calls(run_id)
            wanted_calls, wanted_steps = REFERENCE.run_calls(run_id)
            assert [_same(call) for call in calls] == [_same(call) for call in wanted_calls]
            assert steps == wanted_steps

    def test_runs_carry_totals_over_all_their_calls(self, full):
        store = full
        for filters in ((), (Filter("project", "eq", "alpha"),), (Filter("model", "contains", "small"),)):
            assert store.runs(filters, limit=100) == REFERENCE.runs(filters, limit=100)
        first = store.runs(limit=10)
        rest = store.runs(limit=1000, before=(first[-1].updated_at_us, first[-1].run_id))
        assert first + rest == REFERENCE.runs(limit=1000)
        since = {"since_us": START_US + DAY_US, "until_us": START_US + 2 * DAY_US}
        assert store.runs(limit=100, **since) == REFERENCE.runs(limit=100, **since)

    def test_the_same_call_twice_is_stored_once(self, make):
        store = make(CALLS[:10])
        assert store.append(CALLS[5:15]) == (5, 5)
        assert store.ask(Question(measures=("calls",))).rows == [(15,)]
        assert store.append(CALLS[:15]) == (0, 15)
        assert store.ask(Question(measures=("calls",))).rows == [(15,)]

    def test_one_response_seen_from_two_sides_is_one_call(self, make):
        seen = Call(
            call_id="a", started_at_us=START_US, provider="openai", model="m", response_id="r1",
            usage=Usage(input_tokens=5, output_tokens=7),
        )  # fmt: skip
        gateway = msgspec.structs.replace(seen, call_id="b", source="gateway", usage=Usage())
        polled = msgspec.structs.replace(seen, call_id="c", may_repeat=True)
        elsewhere = msgspec.structs.replace(seen, call_id="d", provider="azure")
        store = make([gateway, seen, elsewhere, polled])
        assert [call.call_id for call in store.calls(oldest_first=True)] == ["a", "d"]
        assert store.ask(Question(measures=("calls", "input_tokens"))).rows == [(2, 10)]

    def test_of_two_records_of_one_id_the_one_with_the_providers_id_stays(self, make):
        first = Call(
            call_id="a",
            started_at_us=START_US,
            provider="openai",
            model="m",
            usage=Usage(input_tokens=5),
            source="otlp",
        )
        second = msgspec.structs.replace(first, response_id="r1", started_at_us=START_US + 5)
        again = msgspec.structs.replace(second, call_id="b", source="gateway")
        for order in ([first, second, again], [again, second, first]):
            store = make(order)
            assert [call.response_id for call in store.calls()] == ["r1"]
            assert store.ask(Question(measures=("calls", "input_tokens"))).rows == [(1, 5)]

    def test_an_empty_folder_answers_with_nothing(self, make):
        store = make()
        assert store.ask(Question(measures=("calls", "cost_nanousd"))).rows == [(0, None)]
        assert store.ask(Question(measures=("calls",), dimensions=("model",))).rows == []
        assert store.calls() == []
        assert store.latest_us() is None
        assert store.runs() == []
        assert store.call("01990000-aaaa-7000-8000-000000000001") is None
        assert store.run_calls("x") == ([], [])
        assert list(store.scan()) == []
        assert store.body("x") is None
        assert store.warnings() == []

    def test_an_amended_cost_replaces_the_first_one(self, make, tmp_path):
        if make.kind == "memory":
            pytest.skip("amendments are lines of the journal")
        store = make(CALLS[:30])
        lines = [
            {"call_id": CALLS[3].call_id, "timestamp": "2026-02-03T10:00:00Z", "kind": "cost", "cost_usd": 1.5},
            {"call_id": CALLS[3].call_id, "timestamp": "2026-02-03T11:00:00Z", "kind": "cost", "cost_usd": 2.5},
            {"call_id": CALLS[4].call_id, "timestamp": "2026-02-03T11:00:00Z", "kind": "feedback", "score": 1},
        ]
        path = tmp_path / "ledger" / "2026-02-02" / "amendments.jsonl"
        path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        call = store.call(CALLS[3].call_id)
        assert call.cost == Cost(status="reported", total_nanousd=2_500_000_000)
        others = [Book().price(one).total_nanousd or 0 for one in CALLS[:30] if one is not CALLS[3]]
        assert store.ask(Question(measures=("cost_nanousd",))).rows == [(sum(others) + 2_500_000_000,)]

    def test_an_unknown_cost_is_never_zero(self, make):
        store = make([Call(call_id="a", started_at_us=START_US, provider="x", model="unheard of")])
        answer = store.ask(Question(measures=("cost_nanousd", "calls", "unpriced_calls")))
        assert answer.rows == [(None, 1, 1)]
        call = store.call("a")
        assert call is not None and call.cost == Cost(status="unpriced", reasons=("usage_missing",))

    @pytest.mark.parametrize(
        ("question", "words"),
        [
            (Question(measures=("cals",)), "unknown measure 'cals'; did you mean 'calls'?"),
            (Question(dimensions=("modle",)), "unknown dimension 'modle'; did you mean 'model'?"),
            (Question(filters=(Filter("proyect", "eq", "x"),)), "unknown field 'proyect'; did you mean 'project'?"),
            (Question(zone="Europe/Berln"), "unknown time zone 'Europe/Berln'"),
            (Question(filters=(Filter("duration_us", "gte", "soon"),)), "duration_us is a whole number"),
            (Question(source="tool_calls", measures=("calls", "cost_nanousd")), "unknown measure 'cost_nanousd'"),
            (Question(source="tool_calls", measures=("uses",), dimensions=("error",)), "'uses' is not known by"),
            (Question(order=(("name", "asc"),)), "unknown column to order by 'name'"),
        ],
    )
    def test_an_unknown_name_is_refused_with_the_nearest(self, full, question, words):
        with pytest.raises(InputError, match=words.replace("?", r"\?")):
            full.ask(question)


def test_a_step_told_several_times_is_one_and_the_fullest_telling_stays(make):
    running = Step(step_id="s", run_id="r", started_at_us=START_US, name="search")
    ended = msgspec.structs.replace(running, duration_us=5_000, output_preview="found", status="error")
    other = Step(step_id="a", run_id="r", started_at_us=START_US, name="other")
    early = Step(step_id="s", run_id="r", started_at_us=START_US, name="search", duration_us=2_000)
    store = make([], [ended, running, other, early, ended])
    assert store.run_calls("r") == ([], [other, ended])
