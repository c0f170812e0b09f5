"""Texts of a call that came apart from it, kept under its span's id, are found by the call's, hot and sealed."""

from __future__ import annotations

import pytest

from tallybook.capture.bodies import BodyWriter
from tallybook.capture.redact import Redactor
from tallybook.ingest.seal import seal
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.ids import span_ident, unix_ms_of
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory import MemoryStore

CALL = "01a21659-2e4f-7e06-8b59-930507d1c47c"
APART = span_ident(CALL)


def _lake(folder, texts):
    at_us = (unix_ms_of(CALL) or 0) * 1000
    writers: dict[str, Writer] = {}

    def write(kind, line):
        if kind not in writers:
            writers[kind] = Writer(folder, kind, segment_bytes_max=1 << 25)
        writers[kind].append(line, at_us)

    write("telemetry", codec.encode(Call(call_id=CALL, started_at_us=at_us)))
    bodies = BodyWriter(Redactor(), write)
    for ident, prompt, response in texts:
        timestamp = codec.time_of(at_us).isoformat().replace("+00:00", "Z")
        if prompt is not None:
            bodies.prompt(ident, timestamp, prompt)
        if response is not None:
            bodies.response(ident, timestamp, response)
    for writer in writers.values():
        writer.close()


def _memory(texts):
    store = MemoryStore()
    for ident, prompt, response in texts:
        store.keep_body(ident, prompt, response)
    return store


CASES = {
    "all apart": ([(APART, [{"role": "user", "content": "hi"}], "yes")], {"prompt": [{"role": "user", "content": "hi"}],
                                                                          "response": "yes"}),
    "answer apart": ([(CALL, "own", None), (APART, None, "yes")], {"prompt": "own", "response": "yes"}),
    "own goes first": ([(APART, "other", "other"), (CALL, "own", "mine")], {"prompt": "own", "response": "mine"}),
}  # fmt: skip


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("kind", ["memory", "hot", "sealed"])
def test_texts_that_came_apart_are_found_by_the_calls_id(kind, case, tmp_path):
    texts, expected = CASES[case]
    if kind == "memory":
        assert _memory(texts).body(CALL) == expected
        return
    _lake(tmp_path, texts)
    if kind == "sealed":
        seal(tmp_path, None)
    store = LakeStore(tmp_path)
    assert store.body(CALL) == expected
    store.close()


def test_a_spans_id_has_the_calls_tail_and_no_time():
    assert (APART, unix_ms_of(APART)) == ("00000000-0000-7e06-8b59-930507d1c47c", 0)
    assert span_ident("not an id") is None
