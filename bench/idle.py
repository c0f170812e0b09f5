"""What a server takes that has nothing to do: `./dev bench idle [--seconds 30]`.

A month of the demo is served, nobody asks and nothing is written. The figure is the share of one processor.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from process import Server

SETTLE_S = 10
"""Sealing and the first reading of run totals are over by then."""


def main() -> int:
    """Fill, serve, wait, print."""
    from tallybook.demo import fill

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        filled = fill(Path(folder), until=datetime.now(UTC))
        with Server(folder=Path(folder)) as server:
            time.sleep(SETTLE_S)
            cpu_s, began = server.cpu_s(), time.perf_counter()
            time.sleep(given.seconds)
            share = (server.cpu_s() - cpu_s) / (time.perf_counter() - began)
            print(f"{filled.calls:,} calls of {filled.days} days, nothing happens: {share:.1%} of a processor, "
                  f"{server.memory_mb():.0f} MB")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
