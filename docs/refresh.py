"""Writes the parts of the documentation that follow from the code, between their marks.

    ./dev docs            refresh them
    ./dev docs --check    tell which are stale, and exit 1 if any is

A part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; what is outside is written by hand.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from tallybook import config
from tallybook.alert.episode import CONDITIONS
from tallybook.cli.main import COMMANDS, cli
from tallybook.config import NAMES, Settings
from tallybook.ingest.dialects import langfuse_spans, tokens
from tallybook.providers import habits, table
from tallybook.replay import scenario as replay_scenario
from tallybook.server.app import routes
from tallybook.server.gauge import METRICS, TIMES
from tallybook.store.lake import schema

ROOT = Path(__file__).resolve().parent.parent
_PART = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def field_notes(path: Path, class_name: str) -> dict[str, str]:
    """The text behind each field of a class."""
    body = next(
        node.body
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == class_name
    )
    notes: dict[str, str] = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            assert isinstance(after.value, ast.Constant)
            notes[field.target.id] = " ".join(str(after.value.value).split())
    return notes


def _default(name: str) -> str:
    defaults = dict(zip(Settings.__struct_fields__[::-1], Settings.__struct_defaults__[::-1], strict=False))
    value = defaults.get(name)
    if value is None or value == () or name == "folder":
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def settings() -> str:
    """The table of settings."""
    notes = field_notes(Path(config.__file__), "Settings")
    rows = [
        (
            f"`{name.variable}`",
            f"`{name.seed}`" if name.seed else "",
            f"`{'dir' if name.field == 'folder' else name.field}`",
            _default(name.field),
            notes[name.field],
        )
        for name in sorted(NAMES, key=lambda name: name.variable)
    ]
    return _table(("variable", "also read as", "in `tallybook.toml`", "default", "meaning"), rows)


def resources() -> str:
    """Every method of every path of the server."""
    rows = [(f"`{one.method} {one.path}`", one.need, one.summary) for one in routes()]
    return _table(("method and path", "needs", "what"), rows)


def metrics() -> str:
    """Every figure at `/metrics`."""
    found = [*METRICS.values(), TIMES]
    return _table(("metric", "labels", "what"), [(f"`{one.name}`", ", ".join(one.labels), one.about) for one in found])


def otlp_attributes() -> str:
    """Attributes of all conventions and the count that each tells."""
    named: dict[str, list[str]] = {}
    for name, field in tokens.FIELDS.items():
        named.setdefault(field, []).append(f"`{name}`")
    for name, field in langfuse_spans.BUCKETS.items():
        named.setdefault(field, []).append(f"`usage_details.{name}`")
    return _table(("count", "attributes, the first that is told"), [(f, ", ".join(n)) for f, n in named.items()])


def alerts() -> str:
    """Every trouble that is watched."""
    rows = [
        (f"`{one.code}`", one.grade, one.about, f"{one.at_least} in {one.within_s} s", f"{one.quiet_s} s", one.hint)
        for one in CONDITIONS.values()
    ]
    return _table(("alert", "grade", "what", "told after", "over after quiet", "what to do"), rows)


def commands() -> str:
    """The help text of every command."""
    text = ""
    for title, section in COMMANDS.items():
        text += f"## {title}\n\n"
        for name in section:
            context = click.Context(cli, info_name="tallybook", **cli.context_settings)
            command = cli.get_command(context, name)
            assert command is not None
            inner = click.Context(command, info_name=name, parent=context, max_content_width=100, terminal_width=100)
            text += f"### {name}\n\n```text\n{command.get_help(inner).rstrip()}\n```\n\n"
            for part, below in command.commands.items() if isinstance(command, click.Group) else ():
                deeper = click.Context(below, info_name=part, parent=inner, max_content_width=100, terminal_width=100)
                text += f"```text\n{below.get_help(deeper).rstrip()}\n```\n\n"
    return text


def columns() -> str:
    """The columns of `calls` in the lake."""
    rows = [(f"`{column.name}`", column.type) for column in schema.COLUMNS]
    rows += [(f"`{name}`", kind) for name, kind in schema.COST_COLUMNS]
    return _table(("column", "type"), rows)


def scenario() -> str:
    """The words of a scenario."""
    notes = field_notes(Path(replay_scenario.__file__), "Scenario")
    rows = [
        (f"`{item.name}`", "" if item.default is None else f"`{item.default}`", notes.get(item.name, ""))
        for item in dataclasses.fields(replay_scenario.Scenario)
    ]
    return _table(("word", "default", "meaning"), rows)


def formats() -> str:
    """Every wire format with its endpoints and its rule."""
    ends: dict[str, list[str]] = {}
    operations: dict[str, str] = {}
    for row in table.ROWS:
        form = table.loaded(row.format)
        operations[form.name] = form.operation
        ends.setdefault(form.name, []).append(f"`{row.method.upper()} …{row.path}`")
    rows = [
        (f"`{name}`", operations[name], "<br>".join(dict.fromkeys(paths)), habits.rule(name))
        for name, paths in sorted(ends.items())
    ]
    return _table(("format", "operation", "endpoints (as regular expressions)", "rule"), rows)


def hosts() -> str:
    """What OpenAI-shaped hosts do otherwise."""
    rows = [(f"`{habit.name}`", ", ".join(habit.hosts), habit.text) for habit in habits.HABITS]
    return _table(("habit", "known from", "what it is, and how it is counted"), rows)


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "resources": resources,
    "metrics": metrics,
    "otlp_attributes": otlp_attributes,
    "alerts": alerts,
    "columns": columns,
    "scenario": scenario,
    "formats": formats,
    "hosts": hosts,
}


def refreshed(text: str) -> str:
    """A document with its generated parts anew. Raises KeyError for a part that nothing makes."""
    return _PART.sub(lambda match: f"{match.group(1)}{PARTS[match.group(2)]()}{match.group(3)}", text)


def main() -> int:
    """Refresh or check all documents."""
    stale = []
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        text = path.read_text(encoding="utf-8")
        new = refreshed(text)
        if new != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'stale; run ./dev docs' if '--check' in sys.argv else 'refreshed'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
