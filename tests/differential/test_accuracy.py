"""The figures of all recorded traffic against every independent one: nothing disagrees without an explanation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_disagreement_over_all_recordings_is_explained_by_name(corpus: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "accuracy.py"), "--corpus", str(corpus), "--verbose"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    summary = re.search(r"^all +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)/(\d+)", ran.stdout, re.MULTILINE)
    assert summary is not None
    records, calls, sound, used, equal, checked = (int(figure) for figure in summary.groups())
    assert records == sound > 3_000
    assert calls > 3_000
    assert used > 3_000
    assert checked - equal < 20
