"""Where the process runs: project and git branch, from the working directory, without running git.

The project is the name of the git root above the working directory, else of the directory itself.
"""

from __future__ import annotations

import os
from pathlib import Path

_LOOK_US = 10_000_000
"""The branch is read anew at most this often: a notebook lives through many branches."""


def git_root(cwd: Path) -> Path | None:
    """The nearest directory at or above `cwd` that holds `.git`; `None` outside a repository."""
    for place in (cwd, *cwd.parents):
        try:
            if (place / ".git").exists():
                return place
        except OSError:
            continue  # A folder above that this user may not look into.
    return None


def git_branch(root: Path) -> str | None:
    """The branch checked out at `root`; a detached head gives its first 12 digits; `None` when unreadable."""
    try:
        marker = root / ".git"
        if marker.is_file():  # A worktree or submodule: `gitdir: <path>`.
            marker = (root / marker.read_text(encoding="utf-8").split(":", 1)[1].strip()).resolve()
        head = (marker / "HEAD").read_text(encoding="utf-8").strip()
    except (OSError, IndexError, UnicodeDecodeError):
        return None
    if not head.startswith("ref:"):
        return head[:12] or None
    branch = head.removeprefix("ref: refs/heads/")
    return None if branch == ".invalid" else branch  # What a repository with reftables has there.


class Place:
    """Project and branch of this process, looked up rarely."""

    def __init__(self, cwd: Path | None = None, project: str | None = None) -> None:
        try:
            here = cwd or Path.cwd()
        except OSError:  # The working directory was removed.
            here = Path(os.sep)
        self._root = git_root(here)
        self.project = project or (self._root or here).name or None
        self._branch: str | None = None
        self._looked_us = -_LOOK_US

    def branch(self, now_us: int) -> str | None:
        """The branch as of about now (microseconds)."""
        if self._root is not None and now_us - self._looked_us >= _LOOK_US:
            self._looked_us = now_us
            self._branch = git_branch(self._root)
        return self._branch
