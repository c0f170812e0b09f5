"""`tallybook price`: one call for people, many cases as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

from cli.conftest import Run


def test_one_call_is_priced_by_part_with_the_price_and_its_source(run: Run) -> None:
    ran = run("price", "gpt-5.2", "--input", "12000", "--cache-read", "2000", "--output", "800", "--at", "2026-11-20")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("openai/gpt-5.2 on 2026-11-20")
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["Input", "$0.0175"] in rows
    assert ["Total", "$0.029", "(priced)"] in rows
    assert "genai-prices" in ran.out


def test_an_unknown_model_has_no_cost_and_says_why(run: Run) -> None:
    found = json.loads(run("price", "gpt-9", "--input", "3", "--json").out)
    assert (found["status"], found["total_nanousd"], found["reasons"]) == ("unpriced", None, ["unknown_model"])


def test_context_and_units_are_given_as_pairs(run: Run) -> None:
    found = json.loads(
        run("price", "claude-opus-5-5", "--input", "10000", "--output", "0", "--with", "inference_geo=us", "--json").out
    )
    assert found["total_nanousd"] == 44_000_000
    found = json.loads(run("price", "whisper-1", "--use", "audio_seconds=90", "--batch", "--json").out)
    assert found["status"] == "estimated"
    assert run("price", "whisper-1", "--use", "audio_seconds").code == 2
    assert run("price", "whisper-1", "--use", "audio_seconds=x").code == 2
    assert run("price").code == 2


def test_cases_are_answered_line_by_line_and_a_bad_one_stops_nothing(run: Run, tmp_path: Path) -> None:
    good = {"id": "a", "provider": "openai", "model": "gpt-5", "usage": {"input": 1_000, "output": 0},
            "timestamp": "2026-11-20T12:00:00Z"}  # fmt: skip
    place = tmp_path / "cases.jsonl"
    place.write_text(f"{json.dumps(good)}\nnonsense\n\n{json.dumps({**good, 'id': 'b', 'model': 'gpt-9'})}\n")
    ran = run("price", "--jsonl", str(place))
    assert ran.code == 0
    assert [json.loads(line) for line in ran.out.splitlines()] == [
        {"id": "a", "cost_usd": 0.00125, "cost_status": "priced", "reasons": []},
        {"id": None, "cost_usd": None, "cost_status": "unpriced", "reasons": ["line_unreadable"]},
        {"id": "b", "cost_usd": None, "cost_status": "unpriced", "reasons": ["unknown_model"]},
    ]


def test_a_wrong_row_of_the_own_prices_is_told_and_the_others_hold(run: Run, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(
        '[[price]]\nprovider = "*"\nmodel = "gpt-9"\ninput = 1\noutput = 1\n[[price]]\nmodel = 3\n', encoding="utf-8"
    )
    ran = run("price", "gpt-9", "--input", "1000000", "--output", "0", "--json", "--dir", str(tmp_path))
    assert json.loads(ran.out)["total_nanousd"] == 1_000_000_000
    assert "prices.toml, line 6, price 2" in ran.err
