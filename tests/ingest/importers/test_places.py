"""Where agents keep their transcripts."""

from __future__ import annotations

from pathlib import Path

from tallybook.ingest.importers.places import AGENTS, folders
from tallybook.ingest.importers.portion import NAMES

HOME = Path("/srv/ada")


def test_the_usual_folders_are_looked_in() -> None:
    assert folders("claude-code", {}, HOME) == [HOME / ".config/claude/projects", HOME / ".claude/projects"]
    assert folders("codex", {}, HOME) == [HOME / ".codex/sessions", HOME / ".codex/archived_sessions"]
    assert folders("gemini-cli", {}, HOME) == [HOME / ".gemini/tmp"]


def test_the_tools_own_variables_come_first() -> None:
    told = {"CLAUDE_CONFIG_DIR": "/a, /b/projects", "CODEX_HOME": "/c"}
    assert folders("claude-code", told, HOME) == [Path("/a/projects"), Path("/b/projects")]
    assert folders("codex", told, HOME) == [Path("/c/sessions"), Path("/c/archived_sessions")]


def test_every_agent_has_an_importer_and_a_place() -> None:
    assert set(AGENTS) == set(NAMES)
