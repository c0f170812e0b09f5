"""The hand-written reader gives what protobuf's own classes give, and refuses what they refuse."""

from __future__ import annotations

import time

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.ingest.otlp import made

from tallybook.ingest.otlp import wire
from tallybook.model.errors import InputError

_VALUES = st.recursive(
    st.one_of(
        st.text(max_size=300), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
_KEYS = st.sampled_from(
    ["gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.input.messages", "llm.model_name", "metadata",
     "session.id", "gen_ai.response.finish_reasons", "x" * 200, "gen_ai." + "y" * 130]
)  # fmt: skip


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.dictionaries(_KEYS, _VALUES, max_size=6), st.text(max_size=200), st.integers(0, 2**40)), max_size=4
    )
)
def test_spans_are_what_the_generated_classes_say(told):
    spans = [
        made.span(attributes, number=place + 1, name=name, start_ns=begin, lasts_ns=1, message=name, status=2,
                  events=((name, begin, attributes),))
        for place, (attributes, name, begin) in enumerate(told)
    ]  # fmt: skip
    found = wire.spans(made.traces(*spans))
    assert [(one.name, one.start_ns, one.status, one.status_message) for one in found] == [
        (name, begin, 2, name) for _, name, begin in told
    ]
    for one, (attributes, name, begin) in zip(found, told, strict=True):
        read = {**one.attributes, **one.usage, **{key: _text(value) for key, value in one.content.items()}}
        assert read == {key: value for key, value in attributes.items() if not key.startswith("x")}
        assert (one.events[0].name, one.events[0].time_ns, one.events[0].attributes) == (name, begin, attributes)
        assert (one.resource.attributes, one.scope.name, one.scope.version) == ({"service.name": "shop"}, "test", "1")


def test_ids_and_parents_are_raw_bytes():
    (one,) = wire.spans(made.traces(made.span({}, number=7, parent=6)))
    assert (one.trace_id, one.span_id, one.parent_id) == (made.TRACE, (7).to_bytes(8), (6).to_bytes(8))


def test_an_attribute_that_no_dialect_reads_is_passed_over():
    (one,) = wire.spans(made.traces(made.span({"code.filepath": "x.py", "db.statement": "select 1", "thread.id": 5})))
    assert (one.attributes, one.usage, one.content) == ({}, {}, {})


def test_a_conversation_is_left_as_bytes():
    (one,) = wire.spans(made.traces(made.span({"gen_ai.input.messages": '[{"role": "user"}]'})))
    assert one.content == {"gen_ai.input.messages": b'[{"role": "user"}]'}


def test_fields_in_another_order_and_unknown_fields_are_read():
    attribute = b"\x12\x06\x0a\x04chat" + b"\x0a\x15gen_ai.operation.name"
    span = b"\xf8\x07\x05" + b"\x4a" + bytes((len(attribute),)) + attribute + b"\x85\x01\x00\x01\x00\x00"
    scope = b"\x12" + bytes((len(span),)) + span + b"\x1a\x03abc"
    resource = b"\x12" + bytes((len(scope),)) + scope
    (one,) = wire.spans(b"\x0a" + bytes((len(resource),)) + resource)
    assert one.attributes == {"gen_ai.operation.name": "chat"}


def test_text_that_is_no_utf8_is_read_with_replacements():
    body = made.traces(made.span({"gen_ai.request.model": "gpt-XYZ"})).replace(b"XYZ", b"\xff\xfeZ")
    (one,) = wire.spans(body)
    assert one.attributes == {"gen_ai.request.model": "gpt-\ufffd\ufffdZ"}


def test_logs_sent_as_spans_are_refused_with_a_hint():
    with pytest.raises(InputError, match="log records, not spans") as raised:
        wire.spans(made.logs(("x", {}, None)))
    assert raised.value.hint is not None and "/v1/logs" in raised.value.hint


def test_spans_sent_as_logs_are_refused_with_a_hint():
    with pytest.raises(InputError, match="spans, not log records"):
        wire.logs(made.traces(made.span({})))


def test_log_records_are_read_with_all_their_attributes():
    (one,) = wire.logs(made.logs(("codex.sse_event", {"input_token_count": 5, "any": {"thing": [1.5, None]}}, "text")))
    assert (one.event_name, one.body, one.time_ns) == ("codex.sse_event", "text", made.START_NS)
    assert one.attributes == {"input_token_count": 5, "any": {"thing": [1.5, None]}}
    assert (one.trace_id, one.span_id) == (made.TRACE, (1).to_bytes(8))


def test_points_of_metrics_are_counted():
    assert wire.points(made.metrics(7)) == 7


def test_an_empty_request_has_nothing():
    assert (wire.spans(b""), wire.logs(b""), wire.points(b"")) == ([], [], 0)


_BODY = made.traces(
    made.span({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 300, "gen_ai.input.messages": "x" * 300,
               "metadata": {"a": [1, 2.5, True]}}, events=(("e", 5, {"k": "v"}),), message="bad", status=2)
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_damage_raises_anything_but_an_input_error(data):
    body = bytearray(_BODY)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    for damaged in (bytes(body), bytes(body[:cut])):
        for read in (wire.spans, wire.logs, wire.points):
            try:
                read(damaged)
            except InputError:
                pass


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_raise_nothing_but_an_input_error(body):
    for read in (wire.spans, wire.logs, wire.points):
        try:
            read(body)
        except InputError:
            pass


def test_a_body_that_is_cut_is_refused_wherever_it_is_cut():
    for cut in range(1, len(_BODY)):
        with pytest.raises(DecodeError):
            ExportTraceServiceRequest.FromString(_BODY[:cut])
        with pytest.raises(InputError):
            wire.spans(_BODY[:cut])


def test_values_nested_too_deeply_are_refused_in_no_time():
    value = b""
    for _ in range(20_000):
        size = len(value)
        length = b""
        while size > 127:
            length += bytes((size & 127 | 128,))
            size >>= 7
        value = b"\x0a" + length + bytes((size,)) + value
        if len(value) > 60_000:
            break
    began = time.perf_counter()
    with pytest.raises(InputError):
        wire.spans(b"\x0a" + value)
    assert time.perf_counter() - began < 2


def test_what_is_remembered_of_attributes_is_bounded(monkeypatch):
    monkeypatch.setattr(wire, "_ALIKE_MAX", 50)
    wire._alike.clear()
    for place in range(500):
        (one,) = wire.spans(made.traces(made.span({"gen_ai.response.id": f"id-{place}"})))
        assert one.attributes == {"gen_ai.response.id": f"id-{place}"}
    assert len(wire._alike) <= 50
