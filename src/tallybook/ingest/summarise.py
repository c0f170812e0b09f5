"""`DIR/summary.json`: rolling totals as a small file that any tool can read without a query engine.

Written from the summaries after each sealing that changed something, by one rename. It holds sealed calls only; what is
newer stands in the journal's lines. The format is documented in `docs/lake.md`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tallybook.model.codec import time_of
from tallybook.model.money import usd
from tallybook.model.question import Question
from tallybook.store.lake.digest import NAME as DIGEST_NAME
from tallybook.store.lake.manifest import Disk
from tallybook.store.lake.store import LakeStore

NAME = "summary.json"
VERSION = 1
_MEASURES = (
    "calls", "errors", "input_tokens", "output_tokens", "total_tokens", "cost_nanousd", "unpriced_calls",
)  # fmt: skip


def _added(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The measures of several rows together; unknown where all are."""
    total: dict[str, Any] = dict.fromkeys(_MEASURES)
    for row in rows:
        for name in _MEASURES:
            if row[name] is not None:
                total[name] = (total[name] or 0) + row[name]
    return total | {name: total[name] or 0 for name in ("calls", "errors", "unpriced_calls")}


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    """Totals with S5's names; an unknown cost is null, and `unpriced_calls` tells what the cost lacks."""
    cost = row["cost_nanousd"]
    return {
        "calls": row["calls"],
        "errors": row["errors"],
        "tokens": {name: row[f"{name}_tokens"] or 0 for name in ("input", "output", "total")},
        "cost_usd": None if cost is None else float(usd(cost)),
        "unpriced_calls": row["unpriced_calls"],
    }


def rolled_up(store: LakeStore, now_us: int) -> dict[str, Any]:
    """The content of the file: totals over all, by UTC day and by model."""
    rows = store.ask(Question(measures=_MEASURES, dimensions=("model",), grain="day")).dicts()
    days: dict[str, list[dict[str, Any]]] = {}
    models: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        days.setdefault(row["time"], []).append(row)
        models.setdefault(row["model"] or "unknown", []).append(row)
    return {
        "version": VERSION,
        "updated_at": time_of(now_us).isoformat().replace("+00:00", "Z"),
        "total": _figures(_added(rows)),
        "days": {day: _figures(_added(own)) for day, own in sorted(days.items())},
        "models": {model: _figures(_added(own)) for model, own in sorted(models.items())},
    }


def write_summary(folder: Path, now_us: int, disk: Disk) -> None:
    """Put `summary.json` and the digest of the newest days in place of the old ones."""
    store = LakeStore(folder, with_hot=False)
    try:
        data = msgspec.json.format(msgspec.json.encode(rolled_up(store, now_us)), indent=1)
        digest = msgspec.msgpack.encode(store.condensed())
    finally:
        store.close()
    for name, content in ((NAME, data + b"\n"), (DIGEST_NAME, digest)):
        temporary = folder / f"{name}.{os.getpid()}.tmp"
        temporary.write_bytes(content)
        disk.fsync(temporary)
        disk.replace(temporary, folder / name)
