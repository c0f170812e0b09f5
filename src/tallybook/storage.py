"""The storage of the seed's command-line tools, by its names: `LocalStorage` with dictionaries in and out.

    storage = LocalStorage()
    storage.store_telemetry({"timestamp": …, "model": …, "tokens": {"input": 500, "output": 200}, …})
    storage.get_today_stats()

It writes the same journal and reads the same lake as everything else here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from tallybook import config
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.errors import InputError
from tallybook.model.ids import uuid7
from tallybook.model.limits import SEGMENT_BYTES
from tallybook.model.money import usd
from tallybook.model.question import Question

_MEASURES = (
    "calls", "errors", "input_tokens", "output_tokens", "total_tokens", "cost_nanousd", "unpriced_calls",
    "duration_avg_us",
)  # fmt: skip
_DAY_US = 86_400_000_000


class LocalStorage:
    """Telemetry in one folder: the given one, else that of the settings (`LLM_TELEMETRY_DIR` …)."""

    def __init__(self, base_dir: Path | None = None) -> None:
        settings = config.load(folder=base_dir)
        self.base_dir = settings.folder
        self._settings = settings
        self._writer: Writer | None = None

    def store_telemetry(self, data: Mapping[str, Any]) -> bool:
        """Append one record to today's file; True when it is written, False when storing is switched off.

        All keys but `timestamp` may be missing; `call_id` is made when absent. Raises InputError naming the key
        that is not valid, OSError when the disk does not take it.
        """
        if not self._settings.enabled:
            return False
        now_us = time.time_ns() // 1000
        if not isinstance(data, Mapping):
            raise InputError(f"a record must be an object, not {type(data).__name__}")
        call = codec.from_dict({"timestamp": codec.time_of(now_us), **data})
        if not call.call_id:
            random_bits = int.from_bytes(os.urandom(10), "big") >> 6
            call = msgspec.structs.replace(call, call_id=uuid7(max(call.started_at_us, 0) // 1000, random_bits))
        if self._writer is None:
            self._writer = Writer(
                self.base_dir, "telemetry", segment_bytes_max=SEGMENT_BYTES, fsync=self._settings.fsync == "always"
            )
        self._writer.append(codec.encode(call), now_us)
        return True

    def get_today_stats(self) -> dict[str, Any]:
        """Totals of the current UTC day: calls, errors, tokens, cost with its coverage, average duration, by model."""
        today_us = time.time_ns() // 1000 // _DAY_US * _DAY_US
        store = self._store()
        try:
            span = {"since_us": today_us, "until_us": today_us + _DAY_US}
            total = store.ask(Question(measures=_MEASURES, **span)).dicts()[0]  # type: ignore[arg-type]
            models = store.ask(Question(measures=_MEASURES, dimensions=("model",), **span)).dicts()  # type: ignore[arg-type]
        finally:
            store.close()
        day = datetime.fromtimestamp(today_us // 1_000_000, UTC).date().isoformat()
        by_model = {row["model"] or "unknown": _figures(row) for row in models}
        return {"date": day, **_figures(total), "by_model": by_model}

    def query_by_date_range(self, start: date, end: date) -> list[dict[str, Any]]:
        """Records of the UTC days `start` to `end`, both included, oldest first, each with its cost."""
        if end < start:
            raise InputError(f"the range ends ({end}) before it starts ({start})", field="end")
        since = datetime(start.year, start.month, start.day, tzinfo=UTC)
        until = datetime(end.year, end.month, end.day, tzinfo=UTC) + timedelta(days=1)
        store = self._store()
        try:
            return [
                codec.to_dict(call)
                for batch in store.scan(since_us=codec.unix_us_of(since), until_us=codec.unix_us_of(until))
                for call in batch
            ]
        finally:
            store.close()

    def _store(self) -> Any:
        from tallybook.store.open import open_store  # here, because storing a record needs no DuckDB

        return open_store(self._settings)

    def close(self) -> None:
        """Give up the segment; the next `store_telemetry` takes one again."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    cost, duration = row["cost_nanousd"], row["duration_avg_us"]
    return {
        "calls": row["calls"],
        "errors": row["errors"],
        "tokens": {name: row[f"{name}_tokens"] or 0 for name in ("input", "output", "total")},
        "cost_usd": None if cost is None else float(usd(cost)),
        "unpriced_calls": row["unpriced_calls"],
        "avg_duration_ms": None if duration is None else duration / 1000,
    }


def store_telemetry(data: Mapping[str, Any]) -> bool:
    """`LocalStorage().store_telemetry(data)`."""
    storage = LocalStorage()
    try:
        return storage.store_telemetry(data)
    finally:
        storage.close()


def get_today_stats() -> dict[str, Any]:
    """`LocalStorage().get_today_stats()`."""
    return LocalStorage().get_today_stats()


def query_by_date_range(start: date, end: date) -> list[dict[str, Any]]:
    """`LocalStorage().query_by_date_range(start, end)`."""
    return LocalStorage().query_by_date_range(start, end)
