"""Project and branch from the working directory, without running git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tallybook.capture.place import Place, git_branch, git_root

SECOND = 1_000_000


def repository(place: Path, head: str = "ref: refs/heads/main\n") -> Path:
    (place / ".git").mkdir(parents=True)
    (place / ".git" / "HEAD").write_text(head)
    return place


def test_the_project_is_the_repositorys_name_wherever_below_it_one_works(tmp_path: Path) -> None:
    root = repository(tmp_path / "spacewalker")
    below = root / "src" / "deep"
    below.mkdir(parents=True)
    assert git_root(below) == root
    assert Place(below).project == "spacewalker"
    assert Place(below).branch(0) == "main"
    assert Place(below, "given").project == "given"


def test_outside_a_repository_the_project_is_the_folder_and_there_is_no_branch(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert (place.project, place.branch(0)) == (tmp_path.name, None)
    assert Place(Path(os.sep)).project is None


@pytest.mark.parametrize(
    ("head", "branch"),
    [
        ("ref: refs/heads/main\n", "main"),
        ("ref: refs/heads/feature/with/slashes", "feature/with/slashes"),
        ("9fceb02d0ae598e95dc970b74767f19372d61af8\n", "9fceb02d0ae5"),
        ("ref: refs/heads/.invalid\n", None),
        ("", None),
    ],
)
def test_the_branch_is_what_head_names_and_a_detached_head_its_first_digits(
    tmp_path: Path, head: str, branch: str | None
) -> None:
    assert git_branch(repository(tmp_path / "r", head)) == branch


def test_a_worktree_points_to_its_own_head(tmp_path: Path) -> None:
    main = repository(tmp_path / "main")
    inner = main / ".git" / "worktrees" / "side"
    inner.mkdir(parents=True)
    (inner / "HEAD").write_text("ref: refs/heads/side\n")
    for target in (str(inner), os.path.relpath(inner, tmp_path / "side")):
        side = tmp_path / "side"
        side.mkdir(exist_ok=True)
        (side / ".git").write_text(f"gitdir: {target}\n")
        assert git_branch(side) == "side"
        assert Place(side).project == "side"


@pytest.mark.parametrize("content", ["", "nonsense", "gitdir: /nowhere"])
def test_a_broken_pointer_gives_no_branch(tmp_path: Path, content: str) -> None:
    (tmp_path / ".git").write_text(content)
    assert git_branch(tmp_path) is None


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_itself_agrees(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "trunk")
    assert git_branch(tmp_path) == "trunk"
    git("commit", "-q", "--allow-empty", "-m", "first")
    git("worktree", "add", "-q", "-b", "side/way", "linked")
    assert git_branch(tmp_path / "linked") == "side/way"
    git("checkout", "-q", "--detach")
    head = git_branch(tmp_path)
    assert head is not None and len(head) == 12


def test_the_branch_is_read_anew_now_and_then(tmp_path: Path) -> None:
    place = Place(repository(tmp_path / "r"))
    assert place.branch(0) == "main"
    (tmp_path / "r" / ".git" / "HEAD").write_text("ref: refs/heads/other\n")
    assert place.branch(9 * SECOND) == "main"
    assert place.branch(11 * SECOND) == "other"


def test_a_folder_above_that_may_not_be_looked_into_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def forbidding(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if os.fspath(path) == str(tmp_path / ".git"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", forbidding)
    assert Place(tmp_path).project == tmp_path.name


def test_a_working_directory_that_was_removed_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Place().project is None
