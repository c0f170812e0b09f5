"""What leaves as OTLP comes back as the same calls, once, with the same totals."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.server.conftest import Start

from tallybook.config import Settings
from tallybook.demo.fill import fill
from tallybook.export import otlp
from tallybook.model.question import Question
from tallybook.store.open import open_store

QUESTION = Question(
    measures=("calls", "errors", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
              "reasoning_tokens", "users", "sessions", "duration_sum_us"),
    dimensions=("project", "provider", "model"),
)  # fmt: skip


def test_an_exported_ledger_is_the_same_ledger_when_it_is_taken_in_twice(start: Start, tmp_path: Path) -> None:
    source = Settings(folder=tmp_path / "source")
    fill(source.folder, until=datetime(2026, 11, 20, tzinfo=UTC), days=2, seed=5, scale=0.3)
    store = open_store(source)
    out = io.StringIO()
    for _ in otlp.lines(store.scan(), out):
        pass
    expected: Any = sorted(map(repr, store.ask(QUESTION).rows))
    ids = {call.call_id for batch in store.scan() for call in batch}
    store.close()
    server = start(tmp_path / "target")
    for line in [*out.getvalue().splitlines(), *out.getvalue().splitlines()]:
        assert server.ask("POST", "/v1/traces", line.encode(), {"content-type": "application/json"}).status == 200
    target = open_store(server.context.settings)
    assert {call.call_id for batch in target.scan() for call in batch} == ids
    assert sorted(map(repr, target.ask(QUESTION).rows)) == expected
    target.close()
