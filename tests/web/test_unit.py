"""State and arithmetic of the pages, under Node: plain modules with unit tests of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
UNIT = sorted((HERE / "unit").glob("*.test.mjs"))
NODE_MAJOR_MIN = 18


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed: the pages' modules are not tested")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        pytest.skip(f"Node {told.strip()} is older than {NODE_MAJOR_MIN}")
    return node


@pytest.mark.parametrize("path", UNIT, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_the_modules_of_the_pages_keep_what_their_tests_promise(path: Path) -> None:
    ran = subprocess.run([_node(), "--test", str(path)], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "# fail 0" in ran.stdout and "# pass 0" not in ran.stdout
