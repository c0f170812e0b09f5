"""What is done after an answer: learning from answers that were stored."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from tallybook import config
from tallybook.cli.tend import learn
from tallybook.prices import ratio
from tallybook.prices.tokens import raw
from tallybook.testing import ReplayServer, Scenario, temporary_ledger

TEXT = "The ledger of model calls. " * 60


@pytest.mark.parametrize("responses", ["full", "none"])
def test_stored_answers_of_real_calls_correct_estimates(responses: str) -> None:
    tokens = round(raw(TEXT, "gpt-4o", "characters") * 1.2)
    with ReplayServer() as server, temporary_ledger(responses=responses) as ledger:
        server.scenario = Scenario(text=TEXT, output_tokens=tokens)
        client = openai.OpenAI(base_url=server.openai_url, api_key="any")
        for _ in range(5):
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Tell me."}])
        settings = config.load(environ={}, cwd=Path.cwd(), folder=ledger.folder, responses=responses)
        taken = learn(settings)
        factor = ratio.read(ledger.folder).factor(ledger.calls()[0].response_model, "characters")
        assert (taken, round(factor, 2)) == ((5, 1.2) if responses == "full" else (0, 1.0))
