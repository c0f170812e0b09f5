"""Files and functions stay short; the list of exceptions may only shrink."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70

LONG_FILES: frozenset[str] = frozenset()
LONG_FUNCTIONS: frozenset[str] = frozenset()
"""`path::name` of what is longer all the same. Nothing is ever added here."""

SOURCES = sorted(
    path
    for folder in ("src", "tests", "bench", "examples", "docs")
    for path in (ROOT / folder).rglob("*.py")
    if "out" not in path.relative_to(ROOT).parts  # Environments that the benchmarks make.
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _long_functions(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                found[f"{_name(path)}::{node.name}"] = length
    return found


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_file_and_no_function_is_longer_than_one_can_read(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if _name(path) not in LONG_FILES:
        assert lines <= FILE_LINES_MAX, f"{_name(path)} has {lines} lines: part it by concept"
    too_long = {name: length for name, length in _long_functions(path).items() if name not in LONG_FUNCTIONS}
    assert not too_long, "part these functions"


def test_the_exceptions_are_still_needed() -> None:
    files = {_name(path) for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES_MAX}
    functions = {name for path in SOURCES for name in _long_functions(path)}
    assert files >= LONG_FILES and functions >= LONG_FUNCTIONS, "take what is short by now off the lists"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.is_relative_to(ROOT / "src")], ids=_name)
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{_name(path)} has no docstring"
    assert path.stem not in {"utils", "helpers", "common", "misc"}, "name the concept"
