"""`statusline`: one line, whatever is told."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.importers.lines import answer, data
from query.company import NOW, NOW_US
from tallybook.cli.statusline import Told, _Now, line, told_by
from tallybook.cli.terminal import Page
from tallybook.ingest.importers.recent import Used

from .conftest import Run

HOUR = 3_600_000_000
ASCII = Page(has_unicode=False)
TOLD = {"session_id": "s1", "model": {"id": "claude-opus-4-6", "display_name": "Opus 4.6"}, "version": "2.1.50",
        "workspace": {"current_dir": "/x"}, "cost": {"total_cost_usd": 1.234, "total_duration_ms": 5}}  # fmt: skip
USED = [Used(NOW_US - 30 * HOUR, "s0", 10, 9_000_000_000), Used(NOW_US - HOUR, "s1", 10, 2_000_000_000)]


def test_the_line_tells_model_session_today_window_and_rate() -> None:
    now = _Now(NOW_US, NOW_US - 12 * HOUR)
    found = line(told_by(json.dumps(TOLD)), USED, ASCII, now)
    assert found.startswith("Opus 4.6 | $1.23 session | $2.00 today | $2.00 window, ") and found.endswith(
        "left | $2.00/h"
    )


def test_without_the_tools_figure_the_session_is_added_up() -> None:
    found = line(Told(session_id="s1"), USED, ASCII, _Now(NOW_US, NOW_US))
    assert found.startswith("$2.00 session | $0.00 today")


def test_what_has_no_price_is_said() -> None:
    used = [*USED, Used(NOW_US - 60, "s1", 10, None)]
    assert "$2.00+ today" in line(Told(), used, ASCII, _Now(NOW_US, NOW_US - 12 * HOUR))
    assert "unpriced today" in line(Told(), used[-1:], ASCII, _Now(NOW_US, NOW_US - 12 * HOUR))


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"model":7}', '{"model":"own\\u001b[31m"}', '{"cost":null,"model":null}']
)
def test_odd_input_still_gives_a_line(text: str) -> None:
    found = line(told_by(text), [], ASCII, _Now(NOW_US, NOW_US))
    assert "$0.00 today" in found and "\x1b" not in found


def test_the_command_reads_standard_input_and_the_transcripts_beside_the_one_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = tmp_path / "elsewhere/projects/atlas"
    place.mkdir(parents=True)
    told = {**TOLD, "transcript_path": str(place / "s1.jsonl")}
    (place / "s1.jsonl").write_bytes(data(answer(timestamp=(NOW - timedelta(minutes=30)).isoformat())))
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(told)))
    ran = run("statusline")
    assert ran.code == 0 and ran.out.count("\n") == 1
    assert ran.out.startswith("Opus 4.6 · $1.23 session · $0.0") and " window, " in ran.out
