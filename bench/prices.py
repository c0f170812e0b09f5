"""How many of the hand-checked price cases come out right, and which are wrong though claimed to be exact.

    python bench/prices.py [price-cases.jsonl]

A case is right when its cost is within 0.1 % of the true one, or unknown where no price exists.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tallybook.model.call import Call
from tallybook.model.codec import unix_us_of
from tallybook.model.money import usd
from tallybook.model.usage import Usage
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of, key_of

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "research" / "price-cases.jsonl"
TOKENS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_5m_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "reasoning": "reasoning_tokens",
    "output_audio": "output_audio_tokens",
    "output_image": "output_image_tokens",
}


def call_of(case: dict[str, Any]) -> Call:
    """The call as capture would have recorded it, without a cost stated by the provider."""
    use, context = case["usage"], case["context"]
    raw = case["raw_response"] or {}
    quantities = {"audio_ms": use["audio_seconds"] * 1000} if "audio_seconds" in use else {}
    if "searches" in use:
        quantities["search_units"] = use["searches"]
    return Call(
        call_id=case["id"],
        started_at_us=unix_us_of(datetime.fromisoformat(case["timestamp"])),
        provider=case["provider"],
        model=case["model"],
        response_model=raw.get("model") or raw.get("modelVersion"),
        usage=Usage(
            **{TOKENS[key]: value for key, value in use.items() if key in TOKENS},
            requests={"web_search": use["web_searches"]} if use.get("web_searches") else {},
            quantities=quantities,
        ),
        service_tier=context.get("service_tier") or context.get("speed"),
        is_batch=bool(context.get("batch")),
    )


def main(path: Path) -> int:
    cases = [json.loads(line) for line in path.read_text().splitlines()]
    book = PriceBook()
    tally: Counter[str] = Counter()
    for case in cases:
        call = call_of(case)
        cost = cost_of(call, book.rates([key_of(call)])[key_of(call)])
        true = None if case["true_cost_usd"] is None else Decimal(str(case["true_cost_usd"]))
        got = None if cost.total_nanousd is None else usd(cost.total_nanousd)
        if got is None:
            verdict = "right" if true is None else "unknown"
        elif true is not None and abs(got - true) <= abs(true) / 1000:
            verdict = "right"
        else:
            verdict = "wrong"
        if verdict == "wrong" and cost.status in ("priced", "free"):
            verdict = "WRONG BUT CLAIMED"
        tally[f"{verdict} ({cost.status})" if verdict != "right" else "right"] += 1
        if verdict != "right":
            print(f"{verdict:18} {case['id']:28} true {true} got {got} {cost.status} {', '.join(cost.reasons)}")
    print(f"{len(cases)} cases: " + ", ".join(f"{count} {what}" for what, count in tally.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT))
