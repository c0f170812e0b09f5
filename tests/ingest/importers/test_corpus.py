"""Recorded transcripts agree with every independent figure, or the difference has a name (`bench/transcripts.py`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_difference_to_an_independent_total_has_a_name(corpus: Path) -> None:
    command = [sys.executable, "bench/transcripts.py", "agree", str(corpus)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    agreeing = int(ran.stdout.rstrip().splitlines()[-1].split()[0])
    assert agreeing >= 90, ran.stdout
