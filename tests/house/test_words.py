"""What tracked files never contain."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    "a package registry's host, so that settings of the machine decide where packages come from": re.compile(
        r"python[h]osted|py[p]i[.]org|registry[.]npm[j]s|deb[.]debia[n]"
    ),
    "a path of one machine": re.compile(r"(^|[^A-Za-z0-9_.])/(work/(main|shared|steering)|farm|home/\w+|Users/\w+)/"),
    "a secret": re.compile(r"\bsk-(proj|ant)-[A-Za-z0-9_-]{24,}|\bAIza[0-9A-Za-z_-]{35}\b"),
    "the mark of an unfinished merge": re.compile(r"^(<{7}|>{7}) ", re.MULTILINE),
}
MADE_UP_SECRETS = frozenset({"tests/capture/test_redact.py"})
"""Tests of redaction need text that looks like a secret."""


def _tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_contains_what_does_not_belong_there(what: str) -> None:
    found: list[str] = []
    for path in _tracked():
        name = path.relative_to(ROOT).as_posix()
        if name == "tests/house/test_words.py" or (what == "a secret" and name in MADE_UP_SECRETS):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match.group(0)}" for match in FORBIDDEN[what].finditer(text)]
    assert not found, f"{what}: {found}"
