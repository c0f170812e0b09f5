from __future__ import annotations

from providers.framing import body, plain, streamed
from tallybook.model.usage import Usage
from tallybook.providers.huggingface_generate import GENERATE, parse

DETAILS = {"finish_reason": "length", "generated_tokens": 3, "prefill": [{"id": 1}, {"id": 2}]}


def test_generated_tokens_are_output_and_the_prefill_is_input() -> None:
    got = parse(body({"generated_text": "Hi there", "details": DETAILS}))
    assert got.usage == Usage(input_tokens=2, output_tokens=3)
    assert (got.text, got.finish_reasons) == ("Hi there", ("length",))
    assert parse(body([{"generated_text": "Hi there", "details": DETAILS}])) == got


def test_without_prefill_the_input_is_unknown() -> None:
    got = parse(body({"generated_text": "Hi", "details": {**DETAILS, "prefill": []}}))
    assert (got.usage, got.flags) == (Usage(output_tokens=3), ("input_missing",))


def test_without_details_nothing_is_counted() -> None:
    got = parse(body([{"generated_text": "Hi"}]))
    assert (got.usage, got.flags) == (None, ("usage_missing",))


def test_a_stream_counts_by_its_last_event() -> None:
    events = [
        {"token": {"id": 1, "text": "Hi", "special": False}, "generated_text": None, "details": None},
        {"token": {"id": 2, "text": "</s>", "special": True}, "generated_text": "Hi",
         "details": {"finish_reason": "eos_token", "generated_tokens": 2, "input_length": 9}},
    ]  # fmt: skip
    got = streamed(GENERATE, plain(events, done=False))
    assert (got.usage, got.text) == (Usage(input_tokens=9, output_tokens=2), "Hi")
    broken = streamed(GENERATE, plain(events[:1], done=False))
    assert (broken.usage, broken.text, broken.is_complete) == (None, "Hi", False)


def test_the_model_stands_in_the_url() -> None:
    asked = GENERATE.asked({"inputs": "x", "parameters": {"max_new_tokens": 5}}, "https://h/models/org/name")
    assert (asked.model, asked.prompt, asked.parameters) == ("org/name", "x", {"max_new_tokens": 5})
