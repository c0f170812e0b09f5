"""`tallybook explain`: one response as text and JSON, many as JSON lines."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run

CHAT: dict[str, Any] = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1_780_000_000, "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
    "usage": {
        "prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000,
        "prompt_tokens_details": {"cached_tokens": 400_000}, "completion_tokens_details": {"reasoning_tokens": 30_000},
    },
}  # fmt: skip


@pytest.fixture
def response(tmp_path: Path) -> Path:
    place = tmp_path / "response.json"
    place.write_text(json.dumps(CHAT), encoding="utf-8")
    return place


def test_a_response_is_explained_with_its_rule_its_parts_and_its_price(run: Run, response: Path) -> None:
    ran = run("explain", str(response))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("openai.chat of openai\n")
    for words in (
        "ok (stop)", "gpt-4o-2024-08-06", "chatcmpl-1", "cached tokens", "platform.openai.com",
        "Priced as openai/gpt-4o-2024-08-06 on 2026-05-28T20:26:40.000Z", "Price: genai-prices",
    ):  # fmt: skip
        assert words in ran.out
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["Input", "1,000,000", "$1.50"] in rows
    assert ["read", "from", "cache", "400,000", "$0.50"] in rows
    assert ["Output", "100,000", "$1.00"] in rows
    assert ["Total", "1,100,000", "$3.00"] in rows


def test_json_has_the_same_with_cost_by_part(run: Run, response: Path) -> None:
    found = json.loads(run("explain", str(response), "--json").out)
    assert found["usage"]["cache_read_tokens"] == 400_000
    assert found["cost"]["total_usd"] == found["cost_usd"] == 3.0
    assert found["cost"]["cache_read_usd"] == 0.5
    assert found["priced_as"] == "openai/gpt-4o-2024-08-06"
    assert found["rule"]["source"].startswith("https://")
    assert found["usage_raw"] == CHAT["usage"]


def test_what_nothing_tells_is_named_with_a_way_out(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "odd"
    place.write_text("what is this", encoding="utf-8")
    ran = run("explain", str(place))
    assert ran.code == 0
    assert "--provider and --api, or --url" in ran.out


def test_provider_and_api_help_where_the_body_does_not_tell(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "converse.json"
    usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 115, "cacheReadInputTokens": 100}
    place.write_text(json.dumps({"stopReason": "end_turn", "usage": usage}), encoding="utf-8")
    given = (
        "--provider",
        "bedrock",
        "--api",
        "bedrock-converse",
        "--model",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
    )
    found = json.loads(run("explain", str(place), *given, "--json").out)
    assert found["usage"]["input_tokens"] == 110
    assert found["model"] == "anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert found["cost_usd"] is not None


def test_a_price_of_another_day_can_be_asked_for(run: Run, response: Path) -> None:
    found = json.loads(run("explain", str(response), "--json", "--at", "2026-11-01").out)
    assert found["priced_at"] == "2026-11-01T00:00:00.000Z"


def test_the_users_own_prices_hold_here_too(run: Run, response: Path, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(
        '[[price]]\nprovider = "openai"\nmodel = "gpt-4o*"\ninput = 1\noutput = 1\n', encoding="utf-8"
    )
    found = json.loads(run("explain", str(response), "--json").out)
    assert found["cost_usd"] < 3.0
    assert "prices.toml" in found["cost"]["price"]


def test_many_records_where_one_was_meant_are_told(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "records.jsonl"
    place.write_text((json.dumps({"id": 1, "response": {"body": "{}"}}) + "\n") * 2, encoding="utf-8")
    ran = run("explain", str(place))
    assert ran.code == 0
    assert "--jsonl FILE" in ran.out


def test_records_come_out_line_by_line_in_order(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "records.jsonl"
    rows: list[Any] = [
        {"id": n, "provider": "openai", "api": "openai-chat", "response": {"status": 200, "body": json.dumps(CHAT)}}
        for n in range(1_100)
    ]
    lines = [json.dumps(row) for row in rows]
    lines[500] = "{ broken"
    lines[501] = ""
    place.write_text("\n".join(lines), encoding="utf-8")
    ran = run("explain", "--jsonl", str(place))
    assert (ran.code, ran.err) == (0, "")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [row["id"] for row in found] == [*range(500), None, *range(502, 1_100)]
    assert found[500]["usage"] is None
    assert found[500]["flags"] == ["record_unreadable"]
    assert {row["cost_usd"] for row in found} == {3.0, None}


def test_records_are_read_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = json.dumps({"id": "a", "response": {"body": json.dumps(CHAT)}}) + "\n"
    stdin = io.TextIOWrapper(io.BytesIO(raw.encode()), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", stdin)
    found = json.loads(run("explain", "--jsonl", "-").out)
    assert found["usage"]["input_tokens"] == 1_000_000


def test_text_from_a_provider_cannot_move_the_cursor(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "evil.json"
    place.write_text(json.dumps({**CHAT, "id": "\x1b[2Jgone", "model": "gpt\x1b]0;x\x07"}), encoding="utf-8")
    assert "\x1b" not in run("explain", str(place)).out


@pytest.mark.parametrize("given", [(), ("a", "--jsonl", "b")])
def test_one_file_or_many_records_must_be_named(run: Run, given: tuple[str, ...]) -> None:
    ran = run("explain", *given)
    assert ran.code == 2
    assert "--jsonl" in ran.err


def test_a_missing_file_is_told(run: Run) -> None:
    ran = run("explain", "/nowhere/at/all.json")
    assert ran.code == 1
    assert "/nowhere/at/all.json" in ran.err


def test_however_many_blank_lines_do_not_end_a_run(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "records.jsonl"
    record = json.dumps({"id": "1", "provider": "openai", "response": {"status": 200, "body": CHAT}})
    place.write_text("\n" * 5_000 + record + "\n", encoding="utf-8")
    assert json.loads(run("explain", "--jsonl", str(place)).out)["id"] == "1"


def test_a_file_that_is_not_there_is_named_and_nothing_else_is_blamed(run: Run, tmp_path: Path) -> None:
    ran = run("explain", str(tmp_path / "none.json"))
    assert (ran.code, ran.err) == (1, f"Error: {tmp_path / 'none.json'}: No such file or directory\n")
