"""What does a record cost in the run totals? Processor time and wall time of following it, while their number grows.

    python bench/totals.py [--batches 40]

Batches of 8,192 records with ids as they come, each in one transaction as a busy server follows them; the first ten and
the last ten batches are told apart, for the indexes grow.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from statistics import mean

from tallybook.model.ids import uuid7
from tallybook.store.sqlite.state import SqliteState
from tallybook.store.tally import Entry, response_key

BATCH = 8_192
RUNS = 64


def batch(rng: random.Random, first: int) -> list[Entry]:
    """Records of calls that nothing is known of."""
    return [
        Entry(
            uuid7(1_700_000_000_000 + number, rng.getrandbits(74)),
            response_key(f"openai\x1fchatcmpl-{rng.getrandbits(128):032x}"),
            f"run-{number // 8 % RUNS}", 3, number * 1_000, number * 1_000 + 5, 0, 100, 100, 12_345, "shop", "ada",
        )
        for number in range(first, first + BATCH)
    ]  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=40)
    batches = parser.parse_args().batches
    rng = random.Random(1)
    taken: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="tallybook-bench-") as folder:
        state = SqliteState(Path(folder) / "state.db")
        for number in range(batches):
            entries = batch(rng, number * BATCH)
            cpu, wall = time.thread_time(), time.perf_counter()
            state.follow(entries, "segment", number + 1, sequence=0)
            taken.append((time.thread_time() - cpu, time.perf_counter() - wall))
        state.close()
    for name, part in (("first", taken[:10]), ("last", taken[-10:])):
        cpu_us, wall_us = (mean(one[place] for one in part) / BATCH * 1e6 for place in (0, 1))
        print(
            f"{name} {len(part)} batches of {BATCH:,}: {cpu_us:5.1f} µs of processor a record, {wall_us:5.1f} µs wall"
        )


if __name__ == "__main__":
    main()
