from __future__ import annotations

from typing import Any

import pytest

from tallybook.model.limits import ERROR_MESSAGE_CHARS
from tallybook.providers.failure import failure


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({"error": {"message": "Bad key", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}},
         401, ("invalid_api_key", "Bad key")),
        ({"error": {"message": "No", "type": "invalid_request_error", "code": None}}, 400,
         ("invalid_request_error", "No")),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "r"}, 529,
         ("overloaded_error", "Overloaded")),
        ({"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED", "details": []}}, 429,
         ("RESOURCE_EXHAUSTED", "Quota")),
        ({"message": "The model is not ready"}, 429, ("rate_limit", "The model is not ready")),
        ({"detail": "Unauthorized"}, 401, ("authentication", "Unauthorized")),
        ({"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]}, 422,
         ("invalid_request", "field required")),
        ({"object": "error", "message": {"detail": [{"msg": "Extra inputs"}]}, "type": "invalid_request_error"}, 422,
         ("invalid_request_error", '{"detail":[{"msg":"Extra inputs"}]}')),
        ({"id": "x", "message": "invalid model", "error_type": "not_found"}, 404, ("not_found", "invalid model")),
        ({"code": "Client specified an invalid argument", "error": "Model not found: grok-x"}, 400,
         ("Client specified an invalid argument", "Model not found: grok-x")),
        ({"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": "upstream died"}}}, 502,
         ("502", "Provider returned error: upstream died")),
        ({"error": {"code": "RateLimitReached", "message": "Wait"}}, 429, ("RateLimitReached", "Wait")),
        ({"error": "model 'x' not found"}, 404, ("not_found", "model 'x' not found")),
        ([{"error": {"code": 400, "message": "Bad", "status": "INVALID_ARGUMENT"}}], 400, ("INVALID_ARGUMENT", "Bad")),
        (b'{"error": {"message": "m", "type": "t"}}', 400, ("t", "m")),
        (b"<html>502</html>", 502, ("bad_gateway", "<html>502</html>")),
        ("upstream timed out", 504, ("timeout", "upstream timed out")),
        (None, 500, ("server_error", None)),
        (b"", 503, ("unavailable", None)),
        ({}, 418, ("invalid_request", None)),
        ({"error": {"message": "inside a stream"}}, None, ("error", "inside a stream")),
        ({"type": "error", "code": "server_error", "message": "m"}, None, ("server_error", "m")),
        ({"error": True}, 400, ("invalid_request", None)),
    ],
)  # fmt: skip
def test_every_providers_error_shape_is_read(body: Any, status: int | None, expected: tuple[str, str]) -> None:
    assert failure(body, status) == expected


@pytest.mark.parametrize("body", [None, {}, [], 3, "fine", {"error": None}, {"message": "Hello", "id": "x"}, b"\xff"])
def test_a_success_is_no_error(body: Any) -> None:
    assert failure(body, 200) == failure(body, None) == (None, None)


def test_a_message_is_cut_at_the_limit() -> None:
    message = failure({"error": {"message": "x" * 10_000}}, 400)[1]
    assert message is not None
    assert len(message) == ERROR_MESSAGE_CHARS


def test_a_failure_in_minimax_s_own_words_is_one_with_http_status_200() -> None:
    body = {"id": "x", "choices": None, "base_resp": {"status_code": 1004, "status_msg": "login fail"}}
    assert failure(body, 200) == ("1004", "login fail")
    assert failure({**body, "base_resp": {"status_code": 0, "status_msg": ""}}, 200) == (None, None)
