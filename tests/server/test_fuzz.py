"""Hostile bodies at every route that takes one: a clear answer below 500 each, no hang, no growth, and it goes on."""

from __future__ import annotations

import copy
import gzip
import http.client
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.exporters.payload import payloads
from tests.ingest.otlp import made
from tests.server.conftest import Reply, Running, Start, servers
from tests.server.test_usage_post import LOG

from tallybook.server.app import routes
from tallybook.server.body import MEMBERS_MAX
from tallybook.server.route import Route

JSON = "application/json"
QUICK = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
TAKING = [route for route in routes() if route.body is not None]
FIRST = {route.handler.__qualname__ + route.group: route for route in reversed(TAKING)}.values()
"""One route of each handler."""

DEEP = 200_000
BODIES: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "nothing": b"{}",
    "a list of nothing": b"[]",
    "lists in lists": b"[" * DEEP,
    "closed lists in lists": b"[" * DEEP + b"]" * DEEP,
    "objects in objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a list of deep things": b"[" + b'{"a":[' * 2000 + b"]}" * 2000 + b"]",
    "NaN": b'{"input_tokens": NaN}',
    "infinity": b'{"input_tokens": -Infinity, "x": 1e999}',
    "a number of a million digits": b'{"input_tokens": ' + b"9" * 1_000_000 + b"}",
    "a fraction of a million digits": b'{"estimated_cost": 0.' + b"9" * 1_000_000 + b"}",
    "no UTF-8": b'{"model": "\xff\xfe\xfa"}',
    "a half surrogate": b'{"operation": "\\ud800", "model": "\\udfff", "provider": "a\\u0000b"}',
    "encoded surrogate": b'{"model": "\xed\xa0\x80"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"model": "m"}'.encode("utf-16"),
    "the same key twice": b'{"model": "a", "model": "b", "operation": "c", "operation": null, "provider": "p"}',
    "many keys": b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(100_000)) + b"}",
    "a long key": b'{"' + b"k" * 1_000_000 + b'": 1}',
    "many nothings": b"[" + b"{}," * 200_000 + b"{}]",
    "cut off": b'{"model": "a", "opera',
    "two values": b"{}{}",
    "zeros": b"\0" * 100_000,
    "a million lines": b"\n" * 1_000_000,
    "lines of lists": b"[]\n" * 5000,
    "protobuf that never ends": b"\x0a\xff\xff\xff\xff\x0f" + b"x" * 100,
    "protobuf in protobuf": b"\x0a\x7e" * 60_000,
    "a varint without end": b"\xff" * 10_000,
    "groups in groups": b"\x0b" * DEEP,
}
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 2**63, 2**64, -(2**70), 10**400, 1e308, "",
    "x" * 100_000, "\0", "\ud800", "NaN", "-1", "1e999",
    "1970-01-01T00:00:00Z", "2100-12-31T23:59:59Z", "9999-12-31T23:59:60Z", "0000-00-00",
    [], {}, [[[]]], {"": {"": {}}},
    [None], [{}], [{"a": [1, "x"]}] * 3, "[" * 5000, '{"a":' * 5000,
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all, as in life."""
    with servers(tmp_path_factory.mktemp("fuzz")) as start:
        yield start()


def sent(server: Running, route: Route, body: bytes, media: str, **headers: str) -> Reply:
    path = re.sub(r"\{[^}]+\}", "x", route.path)
    began = time.monotonic()
    reply = server.ask(route.method, path, body, {"content-type": media, **headers}, timeout=60)
    assert reply.status < 500, (route.path, media, body[:200], reply.body[:500])
    assert time.monotonic() - began < 30, (route.path, media, body[:200])
    return reply


def still_well(server: Running) -> None:
    assert server.post("/api/ai-usage", LOG).status == 201
    assert server.context.alerts.under_way("bug") == []
    assert server.context.room.held_bytes == 0


@pytest.mark.parametrize("route", FIRST, ids=lambda route: route.path)
def test_every_route_answers_every_hostile_body(server: Running, route: Route) -> None:
    for body in BODIES.values():
        for media in dict.fromkeys((route.body_type, *route.more_body_types[:1])):
            sent(server, route, body, media)
    still_well(server)


@pytest.mark.parametrize("route", FIRST, ids=lambda route: route.path)
def test_types_and_encodings_that_are_not_read_are_told(server: Running, route: Route) -> None:
    for media in (
        "",
        "text/plain",
        "multipart/form-data; boundary=x",
        "a" * 5000,
        'application/json; charset="',
        "*/*",
    ):
        sent(server, route, b"{}", media)
    for encoding, status in (("br", 415), ("gzip, gzip, gzip, gzip, gzip", 415), ("gzip", 400), ("zstd", 400),
                             ("deflate", 400), ("identity", None), (",,", None), ("chunked", 415)):  # fmt: skip
        reply = sent(server, route, b"no such thing", route.body_type, **{"content-encoding": encoding})
        assert status is None or reply.status == status, encoding
    still_well(server)


def zeros() -> bytes:
    return gzip.compress(b" " * 80_000_000, 6)


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (zeros, "gzip"),
    "a bomb in a bomb": (lambda: gzip.compress(gzip.compress(zeros())), "gzip, gzip, gzip"),
    "many members": (lambda: gzip.compress(b"") * 200_000, "gzip"),
    "members that are bombs": (lambda: gzip.compress(b" " * 1_000_000) * 100, "gzip"),
    "cut off": (lambda: zeros()[:-20], "gzip"),
    "a wrong sum": (lambda: gzip.compress(b"{}")[:-8] + b"\0" * 8, "gzip"),
    "deflate": (lambda: zlib.compress(b" " * 80_000_000, 6), "deflate"),
    "members of deflate": (lambda: zlib.compress(b"") * 200_000, "deflate"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_takes_neither_time_nor_memory(server: Running, name: str) -> None:
    made_by, encoding = BOMBS[name]
    bomb = made_by()
    before = rss_mb()
    for route in FIRST if name == "a bomb" else list(FIRST)[:2]:
        reply = sent(server, route, bomb, route.body_type, **{"content-encoding": encoding})
        assert reply.status in (400, 413), (route.path, reply.body[:300])
    assert rss_mb() - before < 400
    still_well(server)


def test_a_body_of_several_members_is_read_as_one(server: Running) -> None:
    data = json.dumps(LOG).encode()
    members = b"".join(gzip.compress(data[at : at + 20]) for at in range(0, len(data), 20))
    assert len(data) // 20 < MEMBERS_MAX
    assert server.post("/api/ai-usage", members, **{"content-encoding": "gzip", "content-type": JSON}).status == 201


def rss_mb() -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1000  # type: ignore[index]


def samples() -> dict[str, bytes]:
    """A body of each dialect as its clients send it, as JSON."""
    span = made.span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
                                     "gen_ai.usage.input_tokens": 5, "gen_ai.input.messages": "[]"})  # fmt: skip
    return {
        "/api/ai-usage": json.dumps({**LOG, "created_at": "2026-11-26T04:00:00Z", "tags": ["a"]}).encode(),
        "/v1/traces": made.as_json(made.traces(span)),
        "/api/ingest/litellm": payloads("litellm_callback")[0].body,
        "/custom/v1/log": payloads("helicone_helpers_logger")[0].body,
    }


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a JSON value, at most a hundred of one list or object."""
    if above:
        yield above
    inner = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, part in list(inner)[:100]:
        yield from places(part, (*above, key))


def replaced(value: Any, place: tuple[Any, ...], by: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = by
    return changed


@pytest.mark.parametrize("path", samples())
def test_no_value_in_any_place_of_a_body_makes_the_server_fail(server: Running, path: str) -> None:
    sample = json.loads(samples()[path])
    found = list(places(sample))
    random = Random(7)
    if len(found) > 60:
        found = random.sample(found, 60)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for place in found:
        for value in random.sample(VALUES, 12):
            body = json.dumps(replaced(sample, place, value)).encode()
            connection.request("POST", path, body, {"content-type": JSON})
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status < 500, (place, str(value)[:100], told[:300])
    connection.close()
    still_well(server)


def test_moments_before_2000_and_after_2100_are_refused_and_those_between_taken(server: Running) -> None:
    for moment, status in (
        (0, 400), ("1970-01-01T00:00:00Z", 400), ("2101-01-01T00:00:00Z", 400), (4e20, 400), (-1, 400), (1e300, 400),
        ("2000-01-02T00:00:00Z", 201), ("2026-02-30T00:00:00Z", 400),
    ):  # fmt: skip
        assert server.post("/api/ai-usage", {**LOG, "created_at": moment}).status == status, moment


@QUICK
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(LOG)), inner),
                    max_leaves=30), st.sampled_from(list(FIRST)))  # fmt: skip
def test_no_json_makes_a_route_fail(server: Running, value: Any, route: Route) -> None:
    sent(server, route, json.dumps(value).encode(), JSON)


@QUICK
@given(st.binary(max_size=300), st.sampled_from(list(FIRST)))
def test_no_bytes_make_a_route_fail(server: Running, data: bytes, route: Route) -> None:
    sent(server, route, data, route.body_type)


@settings(QUICK, max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_no_damage_to_a_protobuf_request_makes_the_server_fail(server: Running, seed: int, count: int) -> None:
    random = Random(seed)
    data = bytearray(made.traces(made.span({"gen_ai.usage.input_tokens": 5, "a": [1, {"b": "c"}]})))
    for _ in range(count):
        at = random.randrange(len(data))
        match random.randrange(4):
            case 0:
                data[at] = random.randrange(256)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = random.randbytes(random.randrange(1, 9))
            case _:
                data[at:at] = data[at : at + random.randrange(1, 40)]
        data = data or bytearray(b"x")
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
        reply = server.post(path, bytes(data), **{"content-type": "application/x-protobuf"})
        assert reply.status < 500, reply.body


ADDRESSES = (
    "/" + "a" * 60_000, "/%00", "/%ff%fe", "/..%2f..%2fetc/passwd", "//evil.example/", "/api//ai-usage",
    "/api/v1/runs/" + "%f0%9f%92%a9" * 500, "/healthz?" + "a=b&" * 10_000, "/docs/../healthz",
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = (
    {"idempotency-key": "k" * 20_000}, {"authorization": "Basic ====="}, {"authorization": "Bearer " + "x" * 20_000},
    {"authorization": "Basic " + "QUFB" * 5000}, {"origin": "null"}, {"x": "\xff"}, {"cookie": "a=" + "b" * 30_000},
    {"user-agent": "\x7f" * 1000},
)  # fmt: skip


def test_hostile_addresses_and_headers_are_answered(server: Running) -> None:
    for path in ADDRESSES:
        assert server.get(path).status < 500, path[:50]
    for headers in HEADERS:
        assert server.ask("POST", "/api/ai-usage", b"{}", headers).status < 500, headers
    still_well(server)


def test_memory_stays_what_it_is_under_all_of_it(start: Start) -> None:
    server = start()
    route = TAKING[0]
    for body in BODIES.values():
        sent(server, route, body, JSON)
    before = rss_mb()
    for _ in range(5):
        for body in BODIES.values():
            sent(server, route, body, JSON)
    assert rss_mb() - before < 100
