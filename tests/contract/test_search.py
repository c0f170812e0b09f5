"""Free text in bodies: what every `CallStore` finds, hot, sealed and in between."""

from __future__ import annotations

import msgspec
import pytest

from tallybook.capture.bodies import BodyWriter
from tallybook.capture.redact import Redactor
from tallybook.ingest.seal import seal
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.errors import InputError
from tallybook.model.ids import span_ident, uuid7
from tallybook.model.question import Filter
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory import MemoryStore

from .records import DAY_US, START_US


def at(number: int) -> int:
    return START_US + number // 4 * DAY_US + number % 4 * 60_000_000


def made(number: int, **fields) -> Call:
    call_id = uuid7(at(number) // 1000, number + 1)
    return Call(**{"call_id": call_id, "started_at_us": at(number), "project": f"p{number % 2}", **fields})


SYSTEM = {"role": "system", "content": "You are terse.\nAnswer in GERMAN."}
CALLS = [
    made(0), made(1), made(2, prompt_preview="only a preview of Bananas", response_preview="yes"), made(3),
    made(4), made(5), made(6), made(7), made(8), made(9),
]  # fmt: skip
BODIES = {
    0: ([SYSTEM, {"role": "user", "content": "How do bananas grow?"}], "On plants."),
    1: ('a "quoted" back\\slash', "Ärger im Straßenverkehr"),
    3: ([SYSTEM, {"role": "user", "content": [{"type": "text", "text": "bananas and new\nlines"}]}], "grow"),
    5: ([SYSTEM, {"role": "user", "content": "on another day: BANANAS"}], "in 中文 they are 香蕉"),
    8: ([{"role": "user", "content": "apart bananas"}], "no"),
    9: ("late", None),
}
APART = {8}


def _write(folder, chosen):
    writers: dict[str, Writer] = {}
    for number in chosen:
        moment = at(number)

        def write(kind, line, moment=moment):
            if kind not in writers:
                writers[kind] = Writer(folder, kind, segment_bytes_max=1 << 25)
            writers[kind].append(line, moment)

        call = CALLS[number]
        write("telemetry", codec.encode(call))
        bodies = BodyWriter(Redactor(), write)
        ident = span_ident(call.call_id) if number in APART else call.call_id
        stamp = codec.time_of(call.started_at_us).isoformat().replace("+00:00", "Z")
        prompt, response = BODIES.get(number, (None, None))
        if prompt is not None:
            bodies.prompt(ident, stamp, prompt)
        if response is not None:
            bodies.response(ident, stamp, response)
    for writer in writers.values():
        writer.close()


@pytest.fixture(params=["memory", "hot", "sealed", "mixed"])
def store(request, tmp_path):
    if request.param == "memory":
        store = MemoryStore()
        store.append(CALLS)
        for number, (prompt, response) in BODIES.items():
            ident = span_ident(CALLS[number].call_id) if number in APART else CALLS[number].call_id
            store.keep_body(ident, prompt, response)
    else:
        sealed = {"hot": 0, "sealed": 10, "mixed": 5}[request.param]
        _write(tmp_path, range(sealed))
        if sealed:
            seal(tmp_path, None)
        _write(tmp_path, range(sealed, 10))
        store = LakeStore(tmp_path)
    yield store
    store.close()


def found(store, text, *filters, **more):
    return [
        CALLS.index(msgspec.structs.replace(hit.call, cost=None)) for hit in store.search(text, filters, **more).hits
    ]


def test_every_word_stands_in_prompt_or_response_whatever_the_case(store):
    assert found(store, "Bananas") == [8, 5, 3, 2, 0]
    assert found(store, "BANANAS grow") == [3, 0]
    assert found(store, "bananas plants") == [0]
    assert found(store, "bananas role") == []  # Names in the JSON are no text.


def test_a_phrase_stands_as_it_is(store):
    assert found(store, '"do bananas"') == [0]
    assert found(store, '"new\nlines"') == [3]
    assert found(store, '"bananas do"') == []


def test_letters_of_every_script_and_those_that_json_escapes_are_found(store):
    assert found(store, "ärger") == [1]
    assert found(store, "straßenverkehr ÄRGER") == [1]
    assert found(store, "香蕉") == [5]
    assert found(store, "香蕉\ud800") == []
    assert found(store, "back\\slash") == [1]
    assert found(store, "german terse") == [5, 3, 0]


def test_a_hit_tells_where_and_shows_the_text_around(store):
    hit = store.search("bananas and").hits[0]
    assert (hit.place, hit.snippet) == ("prompt[1].content[0].text", "bananas and new lines")
    hit = store.search("preview").hits[0]
    assert (hit.place, hit.snippet) == ("prompt_preview", "only a preview of Bananas")
    assert store.search("ärger").hits[0].place == "response"


def test_filters_and_times_hold(store):
    assert found(store, "bananas", Filter("project", "eq", "p1")) == [5, 3]
    assert found(store, "bananas", since_us=at(2), until_us=at(5)) == [3, 2]


def test_pages_tell_each_call_once_and_end(store):
    seen, before = [], None
    for _ in range(20):
        got = store.search("bananas", limit=2, before=before)
        seen += [hit.call.call_id for hit in got.hits]
        before = got.reached
        if before is None:
            break
    assert seen == [CALLS[number].call_id for number in (8, 5, 3, 2, 0)]


def test_a_search_without_time_tells_how_far_it_came_and_goes_on_there(store):
    seen, before, turns = [], None, 0
    while True:
        got = store.search("bananas", before=before, seconds=0.0)
        seen += [hit.call.call_id for hit in got.hits]
        turns += 1
        if got.reached is None:
            break
        assert before is None or got.reached < before
        before = got.reached
    assert seen == [CALLS[number].call_id for number in (8, 5, 3, 2, 0)] and turns < 30


def test_nothing_to_search_for_is_refused(store):
    for text in ("", "  ", '""', "x " * 17 + "y z " + " ".join("abcdefghijklmnopq"), "x" * 2000):
        with pytest.raises(InputError):
            store.search(text)
