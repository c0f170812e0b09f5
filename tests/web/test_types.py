"""The types in the comments of the pages' modules are right, as TypeScript's checker has it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "exporters" / "js" / "node_modules"
CHECKER = PACKAGES / ".bin" / "tsc"


def _complaints(project: Path) -> str:
    if not CHECKER.exists():
        pytest.skip("TypeScript is not installed: npm install --prefix tests/exporters/js")
    ran = subprocess.run([str(CHECKER), "-p", str(project)], capture_output=True, text=True, timeout=300, check=False)
    return ran.stdout + ran.stderr


def test_the_checker_has_nothing_to_say() -> None:
    assert _complaints(HERE / "tsconfig.json") == ""


def test_it_would_say_so(tmp_path: Path) -> None:
    (tmp_path / "wrong.js").write_text(
        "/** @param {number} value @returns {string} */\nexport const f = (value) => value;\n"
    )
    settings = (HERE / "tsconfig.json").read_text().replace("../../src/tallybook/web/**/*.js", "*.js")
    (tmp_path / "tsconfig.json").write_text(settings)
    assert "TS2322" in _complaints(tmp_path / "tsconfig.json")
