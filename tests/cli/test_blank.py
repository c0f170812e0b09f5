"""What is said when there is nothing to show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tallybook.ingest import seal as sealing
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call

from .conftest import Run


def test_a_day_without_calls_needs_no_query_engine_to_name_the_latest(tmp_path: Path) -> None:
    writer = Writer(tmp_path, "telemetry", segment_bytes_max=1 << 20)
    writer.append(codec.encode(Call(call_id="a", started_at_us=1_770_000_000_000_000, provider="x", model="m")), 0)
    writer.close()
    sealing.seal(tmp_path, None)
    code = """
import sys
from tallybook.cli.main import main
assert main(["stats", "today", "--dir", sys.argv[1], "--timezone", "UTC"]) == 0
print([name for name in sys.modules if "duckdb" in name])
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("No calls in: ") and lines[1].startswith("The latest call is of 2026-02-02 02:40,")
    assert lines[-1] == "[]"


@pytest.mark.parametrize(("asked", "sought"), [(["gpt*"], "~gpt "), (["x", "*sonnet*"], "~sonnet "), (["*"], "")])
def test_a_star_that_finds_nothing_is_told_to_be_no_wildcard(run: Run, asked: list[str], sought: str) -> None:
    text = run("calls", *(word for model in asked for word in ("--model", model)), "--all").out
    assert ("no wildcard" in text) is bool(sought)
    assert sought in text
