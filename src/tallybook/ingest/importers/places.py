"""Where coding agents keep their transcripts: their own variables first, then their usual folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

AGENTS = ("claude-code", "codex", "gemini-cli")


def folders(agent: str, environ: Mapping[str, str], home: Path) -> list[Path]:
    """Folders to look in, existing or not. `CLAUDE_CONFIG_DIR` may name several, with commas, as ccusage reads it."""
    if agent == "claude-code":
        named = environ.get("CLAUDE_CONFIG_DIR", "")
        roots = [Path(part.strip()).expanduser() for part in named.split(",") if part.strip()]
        if not roots:
            roots = [_config(environ, home) / "claude", home / ".claude"]
        return [root if root.name == "projects" else root / "projects" for root in roots]
    if agent == "codex":
        root = Path(environ.get("CODEX_HOME") or home / ".codex").expanduser()
        return [root / "sessions", root / "archived_sessions"]
    if agent == "gemini-cli":
        root = Path(environ["GEMINI_CLI_HOME"]) if environ.get("GEMINI_CLI_HOME") else home
        return [root / ".gemini" / "tmp"]
    raise KeyError(agent)


def _config(environ: Mapping[str, str], home: Path) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config").expanduser()
