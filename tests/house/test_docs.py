"""The documentation says what the code does: nothing is missing, nothing named that does not exist."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tallybook import config
from tallybook.cli.main import cli
from tallybook.journal.layout import KINDS
from tallybook.model import codec
from tallybook.model.started import StartedLine
from tallybook.store.sqlite.migrations import STEPS

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md")])
_HELP = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
VERBS = set(re.findall(r"^  (\w+) ", _HELP, re.MULTILINE))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def refresh() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "refresh.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_generated_parts_are_what_the_code_says(path: Path, refresh: ModuleType) -> None:
    written = path.read_text(encoding="utf-8")
    assert refresh.refreshed(written) == written, "run ./dev docs"


def test_every_setting_is_documented_with_its_names_and_default() -> None:
    table = {
        line.split("|")[1].strip(): line
        for line in text("docs/settings.md").splitlines()
        if line.startswith("| `TALLYBOOK_")
    }
    for name in config.NAMES:
        row = table[f"`{name.variable}`"]
        assert name.seed is None or f"`{name.seed}`" in row
        assert len(row.split("|")[-2].strip()) > 10, f"{name.variable} has no meaning"
    assert len(table) == len(config.NAMES)


def test_every_key_of_a_line_is_documented() -> None:
    page = text("docs/journal.md")
    for struct in (codec.Line, codec.StepLine, codec.Tokens, codec.Where, codec.Tool, StartedLine):
        missing = [key for key in struct.__struct_encode_fields__ if f"`{key}`" not in page]
        assert not missing, (struct.__name__, missing)
    assert [kind for kind in KINDS if kind not in page] == []


def test_every_table_of_the_state_is_documented() -> None:
    page = text("docs/state.md")
    created = re.findall(r"CREATE TABLE (\w+) \((.*?)\) STRICT", " ".join(" ".join(step) for step in STEPS), re.DOTALL)
    assert created
    for table, columns in created:
        names = [word.split()[0] for word in columns.split(",")]
        assert f"`{table}`" in page and [name for name in names if f"`{name}`" not in page] == []


def test_every_dependency_has_its_reasons_written_down() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    extra = project["optional-dependencies"]
    names = [re.split(r"[<>=\[]", wanted)[0] for wanted in (*project["dependencies"], *extra["dev"], "hatchling")]
    shared = {
        "pytest-timeout": "pytest", "pytest-xdist": "pytest", "opentelemetry-sdk": "sdks", "tallybook": "sdks",
        "opentelemetry-exporter-otlp-proto-http": "protobuf",
    }  # fmt: skip
    for name in names:
        assert (ROOT / "docs" / "decisions" / f"{shared.get(name, name)}.md").is_file(), name
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert all(len(page.splitlines()) <= 35 for page in pages), "a decision record is short"


def understood(line: str) -> None:
    """Parse a command line as the program would, without running it; raises click's error for one it refuses."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&<>;")
    lexer.whitespace_split = True
    words = list(itertools.takewhile(lambda word: word.strip("|&<>;"), lexer))
    with cli.make_context(words[0], words[1:], obj=None) as context:
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, command, arguments = cli.resolve_command(context, rest)
        assert name is not None and command is not None, line
        with command.make_context(name, arguments, parent=context):
            pass


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_command_and_link_that_a_page_names_exists(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    for line in re.findall(r"^(?:\$ |    )(tally(?:book)? .*)$", page, re.MULTILINE):
        understood(line)
    for verb in re.findall(r"\./dev (\w+)", page):
        assert verb in VERBS, f"{path.name}: ./dev {verb}"
    for target in re.findall(r"\]\(([^)#:]+)\)", page):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_name_of_the_public_face_stands_in_the_readme_or_the_docs() -> None:
    import tallybook

    everything = "\n".join(path.read_text(encoding="utf-8") for path in DOCS)
    missing = [name for name in tallybook.__all__ if not name.startswith("_") and name not in everything]
    assert missing == []
