from __future__ import annotations

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.google_predict import PREDICT, parse


def test_tokens_and_billable_characters_are_read() -> None:
    got = parse(
        body(
            {
                "predictions": [{"content": "Hi"}],
                "metadata": {
                    "tokenMetadata": {
                        "inputTokenCount": {"totalTokens": 7, "totalBillableCharacters": 20},
                        "outputTokenCount": {"totalTokens": 3, "totalBillableCharacters": 2},
                    }
                },
            }
        )
    )
    assert got.usage == Usage(input_tokens=7, output_tokens=3, quantities={"characters": 22})
    assert got.text == "Hi"


def test_a_chat_answer_stands_among_candidates() -> None:
    got = parse(body({"predictions": [{"candidates": [{"content": "Ho"}]}]}))
    assert (got.text, got.usage, got.flags) == ("Ho", None, ("usage_missing",))


def test_the_model_stands_in_the_url() -> None:
    asked = PREDICT.asked({"instances": [{"prompt": "x"}], "parameters": {"temperature": 0}},
                          "/v1/projects/p/locations/l/publishers/google/models/text-bison@002:predict")  # fmt: skip
    assert (asked.model, asked.prompt, asked.parameters) == ("text-bison@002", {"prompt": "x"}, {"temperature": 0})
