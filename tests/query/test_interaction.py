"""Records are read whatever is missing in them or of another type than it should be."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tallybook.query.interaction import Interaction, named, of_record, read_any, read_record

RECORD: dict[str, Any] = {
    "id": "r1", "provider": "openai", "api": "openai-chat", "kind": "recorded",
    "request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "body": '{"model":"gpt-5"}'},
    "response": {"status": 200, "headers": {"Content-Type": "application/json"}, "body": '{"id":"c"}'},
}  # fmt: skip


def test_a_record_has_its_names_request_and_body() -> None:
    seen = read_record(json.dumps(RECORD).encode())
    assert (seen.id, seen.provider, seen.api, seen.flags) == ("r1", "openai", "openai-chat", ())
    assert seen.exchange.body == b'{"id":"c"}'
    assert seen.exchange.http_status == 200
    assert seen.exchange.url.endswith("/chat/completions")


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b'{"id": "r1"', b"[1, 2]", b"7", b"null", b"\xff\xfe", b"[" * 100_000]
)
def test_a_line_that_is_no_record_says_so(line: bytes) -> None:
    assert read_record(line) == Interaction(flags=("record_unreadable",))


@pytest.mark.parametrize("response", [None, 5, "text", [1]])
def test_a_record_without_a_response_says_so_and_takes_a_body_beside_it(response: object) -> None:
    seen = of_record({"id": 1, "response": response, "body": {"usage": {"prompt_tokens": 3}}})
    assert seen.flags == ("response_missing",)
    assert json.loads(seen.exchange.body) == {"usage": {"prompt_tokens": 3}}


@pytest.mark.parametrize("key", ["id", "provider", "api", "kind", "request", "response", "recorded_at", "model"])
@pytest.mark.parametrize("value", [None, 5, [], {}, "", True, {"body": 5, "headers": 7, "status": "x", "url": 3}])
def test_members_of_any_type_are_read_without_an_exception(key: str, value: object) -> None:
    of_record({**RECORD, key: value})


def test_a_binary_body_is_decoded() -> None:
    body = base64.b64encode(b"\x00\x01binary").decode()
    seen = of_record({"response": {"body": body, "body_encoding": "base64"}})
    assert seen.exchange.body == b"\x00\x01binary"


@pytest.mark.parametrize(
    ("told", "us"),
    [
        ("2026-07-17T11:05:14+00:00", 1_784_286_314_000_000),
        ("2026-07-17T11:05:14", 1_784_286_314_000_000),
        ("Fri, 17 Jul 2026 11:05:14 GMT", 1_784_286_314_000_000),
        ("2026-07-17T13:05:14+02:00", 1_784_286_314_000_000),
        ("yesterday", None),
        ("1970-01-02", None),
        ("9999-99-99", None),
    ],
)
def test_the_moment_of_a_recording_is_read_in_both_spellings(told: str, us: int | None) -> None:
    assert of_record({**RECORD, "recorded_at": told}).recorded_us == us


def test_a_file_is_a_record_or_a_bare_body() -> None:
    assert read_any(json.dumps(RECORD).encode()).id == "r1"
    bare = b'{"id":"x","choices":[]}'
    assert read_any(bare).exchange.body == bare
    assert read_any(b"data: {}\n\n").exchange.body == b"data: {}\n\n"
    batch_line = b'{"custom_id":"a","response":{"status_code":200,"body":{}}}'
    assert read_any(batch_line).exchange.body == batch_line


def test_what_the_user_says_goes_before_what_the_record_says() -> None:
    seen = named(of_record(RECORD), provider="azure", model="my-deployment")
    assert (seen.provider, seen.model, seen.exchange.provider) == ("azure", "my-deployment", "azure")
    moved = named(of_record(RECORD), url="https://openrouter.ai/api/v1/chat/completions")
    assert moved.exchange.url == "https://openrouter.ai/api/v1/chat/completions"
    same = of_record(RECORD)
    assert named(same) is same
