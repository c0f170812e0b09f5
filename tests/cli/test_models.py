"""`models`: what was used, and the registry behind `list` and `show`."""

from __future__ import annotations

import csv
import io
import json

from .conftest import TERMINAL, Run


def test_models_alone_still_shows_what_was_used(run: Run) -> None:
    assert "calls" in run("models", "--top=2", "--json").out
    assert json.loads(run("models", "--json").out)["report"] == "models"


def test_the_registry_lists_sizes_prices_and_use(run: Run) -> None:
    ran = run("models", "list", "--provider", "anthropic")
    assert (ran.code, ran.err) == (0, "")
    line = next(line for line in ran.out.splitlines() if line.startswith("claude-opus-5 "))
    assert line.split()[:6] == ["claude-opus-5", "anthropic", "1.0M", "128k", "5", "25"]
    assert "claude-3-opus" not in ran.out
    assert "claude-3-opus" in run("models", "list", "--provider", "anthropic", "--retired").out


def test_the_registry_can_be_had_as_json_and_csv(run: Run) -> None:
    found = json.loads(run("models", "list", "--capability", "vision", "--capability", "reasoning", "--json").out)
    assert found["report"] == "model_registry" and found["capabilities"] == ["vision", "reasoning"]
    assert all({"vision", "reasoning"} <= set(model["capabilities"]) for model in found["models"])
    rows = list(csv.DictReader(io.StringIO(run("models", "list", "--provider", "openai", "--csv").out)))
    row = next(row for row in rows if row["name"] == "gpt-4o")
    assert (row["retires"], row["input_usd_per_mtok"], row["max_output"]) == ("2027-01-14", "2.5", "16384")


def test_one_model_is_shown_by_any_spelling(run: Run) -> None:
    ran = run("models", "show", "openai/gpt-4o-2024-08-06", page=TERMINAL)
    assert ran.code == 0
    assert "128,000 tokens" in ran.out and "$2.5 per million tokens" in ran.out and "retiring, on 2027-01-14" in ran.out
    assert json.loads(run("models", "show", "gpt-4o", "--json").out)["max_output"] == 16_384


def test_unknown_names_are_refused_with_what_there_is(run: Run) -> None:
    ran = run("models", "show", "gpt-4oo")
    assert ran.code == 1 and "gpt-4o" in ran.err
    ran = run("models", "list", "--capability", "telepathy")
    assert ran.code == 2 and "vision" in ran.err
    ran = run("models", "list", "--provider", "nobody")
    assert ran.code == 2 and "anthropic" in ran.err
