"""One observed call: one record, estimates marked as such, nothing secret in it, bodies only where asked for."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

import tallybook
from tallybook.capture import recorder
from tallybook.capture.batch import record_batch
from tallybook.capture.observe import Observation
from tallybook.capture.scope import EMPTY, Seen, derive, enter, leave
from tallybook.model.call import Call, Cost, ToolCall
from tallybook.model.limits import ERROR_MESSAGE_CHARS, FIELD_CHARS, METADATA_BYTES
from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Parsed
from tallybook.providers.openai_chat import CHAT
from tallybook.testing import TemporaryLedger

PROMPT = [{"role": "user", "content": "What does the ledger of model calls hold?"}]
SECRET = "sk-ant-api03-" + "a1" * 20
TOLD = Usage(input_tokens=12, output_tokens=7)


def observed(*, is_stream: bool = False, prompt: Any = PROMPT, **asked: Any) -> Observation:
    given = Asked(model="gpt-4o", is_stream=is_stream, prompt=prompt, **asked)
    return Observation(recorder.get(), CHAT, given, "openai", None)


def recorded(ledger: TemporaryLedger) -> Call:
    return ledger.calls()[-1]


def test_only_the_first_end_of_a_call_counts(ledger: TemporaryLedger) -> None:
    observation = observed()
    observation.finish(Parsed(usage=TOLD), 1_500)
    observation.finish(Parsed(usage=TOLD), 2_500)
    observation.fail(ValueError("late"))
    observation.discard()
    (call,) = ledger.calls()
    assert (call.status, call.duration_us, call.usage) == ("ok", 1_500, TOLD)


def test_what_is_discarded_leaves_no_record_and_is_counted_by_no_track(ledger: TemporaryLedger) -> None:
    seen = Seen()
    token = enter(derive(EMPTY, seen=seen))
    observation = observed()
    assert seen.calls == 1
    observation.discard()
    observation.discard()
    leave(token)
    assert seen.calls == 0
    observation.finish(Parsed(usage=TOLD), 1)
    assert ledger.calls() == []


@pytest.mark.parametrize(
    ("is_stream", "parsed", "status", "expected"),
    [
        (False, Parsed(usage=TOLD), None, ((12, 7), ())),
        (True, Parsed(usage=TOLD), None, ((12, 7), ())),
        (False, Parsed(text="Hi"), None, ((None, None), ("usage_missing",))),
        (False, Parsed(text="Hi", flags=("usage_missing",)), None, ((None, None), ("usage_missing",))),
        (True, Parsed(text="Hi there"), None, ((9, 2), ("usage_estimated",))),
        (True, Parsed(is_complete=False), "incomplete", ((9, 0), ("usage_estimated",))),
        (True, Parsed(is_complete=False), "cancelled", ((9, 0), ("usage_estimated",))),
        (True, Parsed(text="Hi there", usage=TOLD, is_complete=False), None, ((12, 7), ("usage_estimated",))),
        (True, Parsed(text="w " * 50, usage=TOLD, is_complete=False), None, ((12, 30), ("usage_estimated",))),
        (True, Parsed(reasoning_chars=400, is_complete=False), None, ((9, 100), ("usage_estimated",))),
        (False, Parsed(error_type="boom", error_message="x"), None, ((None, None), ())),
        (True, Parsed(error_type="boom", error_message="x"), None, ((None, None), ())),
    ],
)  # fmt: skip
def test_usage_is_as_told_else_estimated_where_an_answer_had_begun_and_marked_so(
    ledger: TemporaryLedger, is_stream: bool, parsed: Parsed, status: Any, expected: tuple[Any, Any]
) -> None:
    observed(is_stream=is_stream).finish(parsed, 1, status=status)
    call = recorded(ledger)
    for found, wanted in zip((call.usage.input_tokens, call.usage.output_tokens), expected[0], strict=True):
        assert found == wanted or (wanted and found and "usage_estimated" in call.flags and abs(found - wanted) <= 2)
    assert call.flags == expected[1]


def test_of_a_prompt_nobody_saw_no_tokens_are_guessed(ledger: TemporaryLedger) -> None:
    observed(is_stream=True, prompt=None).finish(Parsed(text="Hi", is_complete=False), 1)
    call = recorded(ledger)
    assert call.usage.input_tokens is None and call.usage.output_tokens


def test_what_the_request_alone_tells_is_counted(ledger: TemporaryLedger) -> None:
    observed(quantities={"characters": 18, "images": 1}).finish(Parsed(usage=Usage(quantities={"images": 2})), 1)
    call = recorded(ledger)
    assert (call.usage.quantities, call.flags) == ({"characters": 18, "images": 2}, ())


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ValueError("odd"), "error", "ValueError"),
        (asyncio.CancelledError(), "cancelled", "CancelledError"),
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (GeneratorExit(), "cancelled", "GeneratorExit"),
    ],
)
def test_a_failure_is_recorded_by_what_it_is(
    ledger: TemporaryLedger, error: BaseException, status: str, kind: str
) -> None:
    observed().fail(error)
    call = recorded(ledger)
    assert (call.status, call.error_type, call.usage) == (status, kind, Usage())


def test_a_providers_own_words_for_a_failure_win_over_the_exceptions(ledger: TemporaryLedger) -> None:
    class StatusError(Exception):
        status_code = 429
        body = {"error": {"type": "rate_limit_error", "message": "Slow down"}}

    observed().fail(StatusError("Error code: 429 - …"))
    call = recorded(ledger)
    assert (call.http_status, call.error_type, call.error_message) == (429, "rate_limit_error", "Slow down")


def test_an_answer_the_sdk_could_not_make_sense_of_was_billed_all_the_same(ledger: TemporaryLedger) -> None:
    observation = observed()
    raw = b'{"choices":[{"message":{"content":"{"}}],"usage":{"prompt_tokens":12,"completion_tokens":7}}'
    observation.response = SimpleNamespace(status_code=200, _content=raw)
    observation.fail(ValueError("not the schema"))
    call = recorded(ledger)
    assert (call.status, call.error_type, call.usage) == ("error", "ValueError", TOLD)


def test_error_messages_are_masked_and_cut(ledger: TemporaryLedger) -> None:
    observed().fail(ValueError(f"Incorrect key {SECRET} of jane@example.com"))
    assert recorded(ledger).error_message == "Incorrect key [redacted:key] of [redacted:email]"
    observed().fail(ValueError("x" * 5_000_000))
    assert len(recorded(ledger).error_message or "") == ERROR_MESSAGE_CHARS


def test_the_error_of_a_tool_is_masked_too(ledger: TemporaryLedger) -> None:
    observed().finish(Parsed(usage=TOLD, tool_calls=(ToolCall(name="mail", error="no jane@example.com"),)), 1)
    assert recorded(ledger).tool_calls == (ToolCall(name="mail", error="no [redacted:email]"),)


def test_metadata_stay_within_their_limit_or_are_dropped_and_said_to_be(ledger: TemporaryLedger) -> None:
    with tallybook.tag(fill="x" * (METADATA_BYTES - 20)):
        observed().finish(Parsed(usage=TOLD), 1)
        assert len(recorded(ledger).metadata["fill"]) == METADATA_BYTES - 20
        with tallybook.tag(more="x" * 100):
            observed().finish(Parsed(usage=TOLD), 1)
    call = recorded(ledger)
    assert (call.metadata, call.flags, call.usage) == ({}, ("metadata_dropped",), TOLD)


def test_metadata_that_json_cannot_carry_become_texts(ledger: TemporaryLedger) -> None:
    with tallybook.tag(when=datetime(2026, 11, 22), numbers={1}):
        observed().finish(Parsed(usage=TOLD), 1)
        assert recorded(ledger).metadata == {"when": "2026-11-22T00:00:00", "numbers": [1]}
        with tallybook.tag(thing=len, torn="\ud83d"):
            observed().finish(Parsed(usage=TOLD), 1)
    assert recorded(ledger).metadata == {
        "when": "2026-11-22 00:00:00", "numbers": "{1}", "thing": "<built-in function len>", "torn": "?",
    }  # fmt: skip


def test_a_field_beyond_its_limit_is_cut_and_said_to_be(ledger: TemporaryLedger) -> None:
    with tallybook.tag(user="u" * (FIELD_CHARS + 1)):
        observed().finish(Parsed(usage=TOLD), 1)
    call = recorded(ledger)
    assert (call.user_id, call.flags) == ("u" * FIELD_CHARS, ("field_cut",))


def test_hashes_are_always_there_and_bodies_only_where_asked_for(ledger: TemporaryLedger) -> None:
    for kept in ("none", "preview", "full"):
        recorder.configure(prompts=kept, responses=kept)
        observed().finish(Parsed(usage=TOLD, text=f"An answer with {SECRET}"), 1)
    none, previewed, full = ledger.calls()
    assert none.prompt_hash and none.prompt_hash == previewed.prompt_hash == full.prompt_hash
    assert none.response_hash and none.response_hash == full.response_hash
    assert none.response_chars == len(f"An answer with {SECRET}")
    assert (none.prompt_preview, none.response_preview) == (None, None)
    assert previewed.prompt_preview == PROMPT[0]["content"]
    assert previewed.response_preview == full.response_preview == "An answer with [redacted:key]"
    (prompt,), (response,), (message,) = (ledger.lines(kind) for kind in ("prompts", "responses", "messages"))
    assert json.loads(prompt) == {
        "call_id": full.call_id, "timestamp": json.loads(prompt)["timestamp"],
        "messages": [json.loads(message)["hash"]],
    }  # fmt: skip
    assert json.loads(json.loads(message)["message"]) == PROMPT[0]
    assert json.loads(response)["response"] == "An answer with [redacted:key]"
    everything = b"".join(path.read_bytes() for path in ledger.folder.rglob("*") if path.is_file())
    assert SECRET.encode() not in everything


def test_a_conversation_on_disk_costs_each_message_once_and_no_picture(ledger: TemporaryLedger) -> None:
    recorder.configure(prompts="full")
    blob = base64.b64encode(bytes(4_000)).decode()
    picture = {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{blob}"}}],
    }
    history = [*PROMPT, picture]
    for turn in range(5):
        history.append({"role": "user", "content": f"turn {turn}"})
        observed(prompt=list(history)).finish(Parsed(usage=TOLD), 1)
    assert len(ledger.lines("messages")) == 7
    assert len(ledger.lines("prompts")) == 5
    assert sum(map(len, ledger.lines("messages"))) < 2_000


def test_a_body_that_cannot_be_stored_costs_no_record(ledger: TemporaryLedger, failures: Any) -> None:
    recorder.configure(prompts="full")
    observation = observed()
    observation.asked = Asked(model="gpt-4o", prompt=[{("a", "tuple"): "is no key"}])
    observation.finish(Parsed(usage=TOLD), 1)
    assert failures["bodies"] == 1
    assert recorded(ledger).usage == TOLD


def test_the_scope_is_that_of_the_calls_begin(ledger: TemporaryLedger) -> None:
    with tallybook.tag("a", user="u-1", project="shop"):
        observation = observed()
    with tallybook.tag("b", user="u-2"):
        observation.finish(Parsed(usage=TOLD), 1)
    call = recorded(ledger)
    assert (call.tags, call.user_id, call.project) == (("a",), "u-1", "shop")


def test_what_the_context_does_not_say_the_settings_do(ledger: TemporaryLedger) -> None:
    recorder.configure(user_id="u-9", environment="staging", project="shop")
    observed().finish(Parsed(usage=TOLD, cost_nanousd=2_500), 1)
    call = recorded(ledger)
    assert (call.user_id, call.environment, call.project) == ("u-9", "staging", "shop")
    assert call.cost == Cost(status="reported", total_nanousd=2_500)


def test_a_look_at_something_that_holds_no_batch_records_nothing(ledger: TemporaryLedger) -> None:
    assert record_batch(observed(), b"anything") == 0
    assert ledger.calls() == []
