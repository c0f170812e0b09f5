from __future__ import annotations

from typing import Any

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.replicate import PREDICTION, parse


def _prediction(**changes: Any) -> dict[str, Any]:
    return {"id": "p1", "model": "meta/llama", "status": "succeeded", "error": None, **changes}


def test_a_finished_prediction_tells_time_and_tokens() -> None:
    metrics = {"predict_time": 2.811363, "input_token_count": 12, "output_token_count": 90}
    got = parse(body(_prediction(output=["Hi ", "there"], metrics=metrics)))
    assert got.usage == Usage(input_tokens=12, output_tokens=90, quantities={"compute_ms": 2811})
    assert (got.text, got.response_id, got.is_complete) == ("Hi there", "p1", True)


def test_pictures_are_counted() -> None:
    got = parse(body(_prediction(output=["https://x/out-0.png", "https://x/out-1.webp"], metrics={})))
    assert (got.usage, got.text) == (Usage(quantities={"images": 2}), None)


def test_a_prediction_under_way_counts_nothing_and_is_not_complete() -> None:
    got = parse(body(_prediction(status="starting")))
    assert (got.usage, got.is_complete, got.flags) == (None, False, ())


def test_a_failed_prediction_tells_why() -> None:
    got = parse(body(_prediction(status="failed", error="Out of memory")))
    assert (got.error_message, got.is_complete) == ("Out of memory", True)


def test_an_event_stream_of_plain_text_tells_its_text_only() -> None:
    raw = (b": hi\n\nevent: output\nid: 1\ndata: Sure\n\nevent: output\nid: 2\ndata: :\ndata: \ndata: Why\n\n"
           b"event: done\nid: 3\ndata: {}\n\n")  # fmt: skip
    got = parse(raw)
    assert (got.text, got.is_complete, got.flags) == ("Sure:\n\nWhy", True, ("usage_missing",))
    assert not parse(raw[:60]).is_complete


def test_the_model_stands_in_the_url_or_is_a_version() -> None:
    asked = PREDICTION.asked({"input": {"prompt": "x", "temperature": 1}, "stream": True}, "/v1/models/a/b/predictions")
    assert (asked.model, asked.prompt, asked.is_stream) == ("a/b", "x", True)
    assert PREDICTION.asked({"version": "abc"}, "/v1/predictions").model == "abc"
