from __future__ import annotations

from providers.framing import body, fed, plain, streamed
from tallybook.model.usage import Usage
from tallybook.providers.openai_completions import COMPLETIONS

COUNT = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_text_of_the_first_choice_and_usage_are_told() -> None:
    choices = [{"text": "one", "index": 0, "finish_reason": "stop"}, {"text": "two", "index": 1}]
    got = COMPLETIONS.parse(body({"id": "cmpl-1", "model": "davinci-002", "choices": choices, "usage": COUNT}))
    assert (got.text, got.usage, got.finish_reasons) == ("one", Usage(input_tokens=3, output_tokens=2), ("stop",))


def test_a_stream_joins_its_texts() -> None:
    events = [
        {"id": "cmpl-1", "model": "m", "choices": [{"text": "a", "index": 0, "finish_reason": None}]},
        {"id": "cmpl-1", "model": "m", "choices": [{"text": "b", "index": 0, "finish_reason": "length"}]},
        {"id": "cmpl-1", "model": "m", "choices": [], "usage": COUNT},
    ]
    got = streamed(COMPLETIONS, plain(events))
    assert got == fed(COMPLETIONS, events)
    assert (got.text, got.usage) == ("ab", Usage(input_tokens=3, output_tokens=2))


def test_a_request_tells_its_prompt() -> None:
    got = COMPLETIONS.asked({"model": "m", "prompt": "Once", "best_of": 2}, "/completions")
    assert (got.model, got.prompt, got.parameters) == ("m", "Once", {"best_of": 2})
