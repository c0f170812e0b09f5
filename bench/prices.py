"""How many hand-checked price cases come out right, which are wrong though claimed, and what pricing takes a call.

    python bench/prices.py [price-cases.jsonl] [--calls 200000]

A case is right when its cost is the true one to 1e-9 USD, or unknown where no price exists. Times are CPU time of one
thread, the least of several passes: in Python the reference arithmetic with rates looked up, in SQL all calls of a
table.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb

from tallybook.model.call import Call
from tallybook.model.usage import TOKEN_FIELDS, Usage
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of, key_of
from tallybook.query.price_case import answers
from tallybook.store.lake.price import load_cells, needed, priced_sql
from tallybook.store.lake.schema import COST_COLUMNS, PRICE_INPUTS

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "research" / "price-cases.jsonl"
NOW_US = 1_795_300_000_000_000
MODELS = (
    ("openai", "gpt-5.2"), ("openai", "gpt-5.4"), ("openai", "gpt-6.1-sol"), ("anthropic", "claude-opus-5-5"),
    ("anthropic", "claude-haiku-5-5"), ("google", "gemini-2.5-pro"), ("deepseek", "deepseek-v4-pro"),
    ("mistral", "mistral-large-4"), ("azure", "gpt-4o-2024-11-20"), ("openai", "no-such-model"),
)  # fmt: skip


def correctness(path: Path) -> int:
    """Print what is not right; the number of wrong ones that were claimed to be exact."""
    cases = [json.loads(line) for line in path.read_text().splitlines()]
    tally: Counter[str] = Counter()
    for case, got in zip(cases, answers(path.read_bytes().splitlines(), PriceBook(), NOW_US), strict=True):
        true = None if case["true_cost_usd"] is None else Decimal(str(case["true_cost_usd"]))
        cost = None if got["cost_usd"] is None else Decimal(str(got["cost_usd"]))
        if cost is None:
            verdict = "right" if true is None else "unknown"
        else:
            verdict = "right" if true is not None and abs(cost - true) <= Decimal("1e-9") else "wrong"
        if verdict == "wrong" and got["cost_status"] in ("priced", "free", "reported"):
            verdict = "WRONG BUT CLAIMED"
        tally[verdict if verdict != "right" else f"right ({got['cost_status']})"] += 1
        if verdict != "right":
            print(f"{verdict:18} {case['id']:28} true {true} got {cost} {got['cost_status']} {got['reasons']}")
    print(f"{len(cases)} cases: " + ", ".join(f"{count} {what}" for what, count in tally.most_common()))
    return tally["WRONG BUT CLAIMED"]


def some_calls(count: int) -> list[Call]:
    """Calls of a month as a company makes them: ten models, a tenth of them batches or with server tools."""
    r = random.Random(7)
    found = []
    for number in range(count):
        provider, model = MODELS[r.randrange(len(MODELS))]
        total = r.randrange(200, 30_000)
        found.append(
            Call(
                call_id=str(number), started_at_us=NOW_US - r.randrange(30 * 86_400_000_000), provider=provider,
                model=model, project=r.choice(("shop", "support", None)), is_batch=r.random() < 0.05,
                usage=Usage(
                    input_tokens=total, output_tokens=r.randrange(2_000), cache_read_tokens=r.randrange(total),
                    reasoning_tokens=r.choice((None, 100)), requests={"web_search": 2} if r.random() < 0.05 else {},
                ),
            )
        )  # fmt: skip
    return found


def least(passes: int, work) -> float:
    """The least CPU time of several passes, in seconds."""
    found = []
    for _ in range(passes):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def speed(count: int) -> None:
    """Print microseconds a call, in Python and in SQL."""
    book = PriceBook()
    calls = some_calls(count)
    sample = calls[: max(count // 10, 1)]
    rates = book.rates(list({key_of(call) for call in sample}))
    spent = least(3, lambda: [cost_of(call, rates[key_of(call)]) for call in sample])
    print(f"in Python {spent / len(sample) * 1e6:.2f} µs a call (key, rate, cost of {len(sample):,} calls)")
    con = duckdb.connect(config={"threads": 1})
    types = dict.fromkeys(PRICE_INPUTS, "VARCHAR") | dict.fromkeys(TOKEN_FIELDS, "BIGINT")
    types |= {"started_at": "TIMESTAMP", "is_batch": "BOOLEAN", "http_status": "INTEGER", "stated_nanousd": "BIGINT"}
    con.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind}' for name, kind in types.items())})")
    path = Path(__file__).with_name("prices.tmp.jsonl")
    try:
        with path.open("w") as file:
            for call in calls:
                line = {name: getattr(call.usage, name) for name in TOKEN_FIELDS}
                line |= {
                    "call_id": call.call_id,
                    "provider": call.provider,
                    "model": call.model,
                    "is_batch": call.is_batch,
                }
                line |= {"requested_model": call.model, "project": call.project, "status": "ok"}
                line |= {
                    "started_at": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(call.started_at_us // 10**6))}"
                }
                line |= {"requests": json.dumps(call.usage.requests) if call.usage.requests else None}
                file.write(json.dumps(line) + "\n")
        columns = {name: kind for name, kind in types.items() if name != "stated_nanousd"}
        con.execute(f"INSERT INTO t BY NAME SELECT * FROM read_json('{path}', columns={columns})")
    finally:
        path.unlink(missing_ok=True)

    costs = ", ".join(("call_id", *(name for name, _ in COST_COLUMNS)))

    def price() -> None:
        absent = load_cells(con, "t", book)
        con.execute(f"CREATE OR REPLACE TEMP TABLE done AS {priced_sql('t', costs, needed(book), absent)}")

    spent = least(5, price)
    known = con.execute("SELECT count(cost_nanousd), count(*) FILTER (cost_status = 'unpriced') FROM done").fetchone()
    print(f"in SQL    {spent / count * 1e6:.2f} µs a call ({count:,} calls; priced and unpriced: {known})")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--calls", type=int, default=200_000)
    given = parser.parse_args()
    claimed = correctness(given.cases) if given.cases.exists() else 0
    speed(given.calls)
    return 1 if claimed else 0


if __name__ == "__main__":
    sys.exit(main())
