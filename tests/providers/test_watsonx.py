from __future__ import annotations

from providers.framing import body, named, streamed
from tallybook.model.usage import Usage
from tallybook.providers.watsonx import GENERATION, parse


def _event(text: str, said: int, asked: int, reason: str) -> dict[str, object]:
    result = {"generated_text": text, "generated_token_count": said, "input_token_count": asked, "stop_reason": reason}
    return {"type": "message", "model_id": "google/flan-ul2", "results": [result]}


def test_a_result_tells_input_and_output() -> None:
    got = parse(body(_event("2", 2, 7, "eos_token")))
    assert got.usage == Usage(input_tokens=7, output_tokens=2)
    assert (got.response_model, got.text, got.finish_reasons) == ("google/flan-ul2", "2", ("eos_token",))


def test_a_stream_counts_up_and_the_last_count_wins() -> None:
    events = [_event("A", 1, 7, "NOT_FINISHED"), _event("b", 2, 0, "NOT_FINISHED"), _event("c", 3, 0, "max_tokens")]
    got = streamed(GENERATION, named(events))
    assert (got.usage, got.text, got.is_complete) == (Usage(input_tokens=7, output_tokens=3), "Abc", True)
    assert not streamed(GENERATION, named(events[:2])).is_complete


def test_embeddings_count_their_input() -> None:
    got = parse(body({"model_id": "m", "results": [{"embedding": [0.1]}], "input_token_count": 11}))
    assert got.usage == Usage(input_tokens=11)


def test_an_error_is_told() -> None:
    got = parse(body({"errors": [{"code": "model_not_supported", "message": "No."}], "status_code": 404}))
    assert (got.error_type, got.error_message) == ("model_not_supported", "No.")


def test_the_request_is_told() -> None:
    asked = GENERATION.asked({"model_id": "m", "input": "x"}, "/ml/v1/text/generation_stream?version=1")
    assert (asked.model, asked.prompt, asked.is_stream) == ("m", "x", True)
