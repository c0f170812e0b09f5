"""What the command line prints equals a sum over the journal's lines that knows nothing of the product.

The lines of a made-up week are read as plain JSON before anything is sealed. Then a part of them is sealed, others stay
hot, repeats and a torn line are added, and the program is asked in processes of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tallybook import config
from tallybook.ingest.seal import seal
from tallybook.prices.book import PriceBook

TOKENS = {
    "input_tokens": ("input",),
    "output_tokens": ("output",),
    "cache_read_tokens": ("cache_read",),
    "cache_write_tokens": ("cache_write_5m", "cache_write_1h"),
    "reasoning_tokens": ("reasoning",),
}
Rows = list[dict[str, Any]]


def tallybook(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "tallybook", *words, "--dir", str(folder)]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "TZ": "UTC"}, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*/telemetry*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.endswith("}"):
                yield json.loads(line)


def once(found: Rows) -> Rows:
    """Each call once: by its id, and by the provider's id of the response."""
    kept: Rows = []
    ids: set[Any] = set()
    for line in found:
        response = (line.get("provider"), line.get("response_id"))
        if line["call_id"] in ids or (response[1] and response in ids):
            continue
        ids |= {line["call_id"], response}
        kept.append(line)
    return kept


class Ledger:
    """A folder, part of it sealed, and its calls as plain data."""

    def __init__(self, folder: Path) -> None:
        tallybook(folder, "demo", "--days", "7", "--scale", "0.4", "--seed", "11")
        made = list(lines(folder))
        today = sorted(path for path in folder.glob("*/telemetry*.jsonl"))[-1]
        repeated = [
            {**made[5], "may_repeat": True},
            {**made[9], "call_id": made[9]["call_id"][:-4] + "beef", "source": "gateway"},
        ]
        settings = config.load(environ={}, folder=folder)
        sealed = seal(folder, PriceBook(None, prices_file=settings.prices_file))
        assert sealed is not None and sealed.calls >= len(made)
        hot = [
            {**line, "call_id": f"{line['call_id'][:-4]}{number:04x}", "response_id": None}
            for number, line in enumerate(made[-40:])
        ]
        text = "".join(json.dumps(line) + "\n" for line in [*repeated, *hot]) + '{"v":1,"timestamp":"2026-'
        (today.parent / "telemetry.by-hand.jsonl").write_text(text, encoding="utf-8")
        self.folder = folder
        self.calls = once([*made, *repeated, *hot])
        assert len(self.calls) == len(made) + len(hot)

    def report(self, *words: str) -> dict[str, Any]:
        return dict(json.loads(tallybook(self.folder, *words, "--json", "--timezone", "UTC")))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("differential"))


def figures(calls: Rows) -> dict[str, Any]:
    """Calls, errors and tokens; a sum over nothing known is unknown."""
    found: dict[str, Any] = {"calls": len(calls), "errors": sum(call.get("status") == "error" for call in calls)}
    for name, keys in TOKENS.items():
        known = [call["tokens"][key] for call in calls for key in keys if call["tokens"].get(key) is not None]
        found[name] = sum(known) if known else None
    return found


def same(row: dict[str, Any], calls: Rows) -> None:
    expected = figures(calls)
    assert {name: row[name] or 0 for name in expected} == {name: value or 0 for name, value in expected.items()}


def model(call: dict[str, Any]) -> Any:
    return call.get("response_model") or call["model"]


GROUPS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "model": model,
    "project": lambda call: call["metadata"]["project"],
    "user_id": lambda call: call["user_id"],
    "provider": lambda call: call.get("provider"),
    "agent_name": lambda call: call["agent_name"],
    "status": lambda call: call.get("status"),
    "environment": lambda call: call.get("environment"),
}


def test_totals_and_days(ledger: Ledger) -> None:
    report = ledger.report("daily", "--days", "9")
    same(report["total"], ledger.calls)
    by_day: dict[str, Rows] = defaultdict(list)
    for call in ledger.calls:
        by_day[call["timestamp"][:10]].append(call)
    printed = {row["time"]: row for row in report["groups"] if row["calls"]}
    assert printed.keys() == by_day.keys()
    for day, calls in by_day.items():
        same(printed[day], calls)


@pytest.mark.parametrize("dimension", GROUPS)
def test_groups(dimension: str, ledger: Ledger) -> None:
    by = dimension.removesuffix("_id").removesuffix("_name")
    sections = ledger.report("costs", "--all", "--top", "500", "--by", by)["sections"]
    ((_, rows),) = sections.items()
    groups: dict[Any, Rows] = defaultdict(list)
    for call in ledger.calls:
        groups[GROUPS[dimension](call)].append(call)
    printed = {row[dimension]: row for row in rows}
    assert printed.keys() == groups.keys()
    for value, calls in groups.items():
        same(printed[value], calls)


def test_the_cost_of_a_total_is_the_sum_of_its_calls_and_tells_what_it_lacks(ledger: Ledger) -> None:
    exported = [json.loads(line) for line in tallybook(ledger.folder, "export", "--format", "jsonl").splitlines()]
    assert len(exported) == len(ledger.calls)
    costs = [Decimal(str(call["cost_usd"])) for call in exported if call.get("cost_usd") is not None]
    total = ledger.report("costs", "--all")["total"]
    assert Decimal(total["cost_nanousd"]).scaleb(-9) == sum(costs)
    assert (total["priced_calls"], total["unpriced_calls"]) == (len(costs), len(exported) - len(costs))


def test_plain_calls_cost_what_the_price_list_says(ledger: Ledger) -> None:
    """Tokens times list price by the list's own arithmetic, for calls without cache, tier or tools."""
    genai_prices = pytest.importorskip("genai_prices")
    exported = [json.loads(line) for line in tallybook(ledger.folder, "export", "--format", "jsonl").splitlines()]
    compared = 0
    for call in exported:
        tokens = {key: value for key, value in call["tokens"].items() if value}
        plain = set(tokens) <= {"input", "output", "total", "reasoning"} and call.get("provider") == "openai"
        if (
            not plain
            or call.get("service_tier") not in (None, "default")
            or call.get("requests")
            or call.get("is_batch")
        ):
            continue
        if call.get("cost_usd") in (None, 0) or call.get("status") != "ok":
            continue
        usage = genai_prices.Usage(input_tokens=tokens.get("input", 0), output_tokens=tokens.get("output", 0))
        priced = genai_prices.calc_price(usage, model(call), provider_id="openai")
        assert abs(Decimal(str(call["cost_usd"])) - Decimal(priced.total_price)) <= Decimal("1e-9"), call
        compared += 1
    assert compared > 50
