"""Modules that the application imports after `instrument()` are patched right then, and imports work as ever."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tallybook.capture.patches.hook import Waiting


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    made = Waiting()
    yield made
    made.clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def module(folder: Path, name: str, text: str) -> None:
    path = folder.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(exist_ok=True)
    if path.parent != folder:
        (path.parent / "__init__.py").touch()
    path.write_text(text)


def test_a_module_is_handed_over_right_after_its_own_code(waiting: Waiting, tmp_path: Path) -> None:
    module(tmp_path, "late_sdk.client", "value = 1\nseen = value")
    handed: list[ModuleType] = []

    def then(found: ModuleType) -> None:
        handed.append(found)
        found.value = 2  # type: ignore[attr-defined]

    waiting.add("late_sdk.client", then)
    import late_sdk.client  # type: ignore[import-not-found]

    assert handed == [late_sdk.client]
    assert (late_sdk.client.value, late_sdk.client.seen) == (2, 1)
    importlib.import_module("late_sdk.client")
    assert len(handed) == 1


def test_the_module_looks_as_if_nobody_had_waited(waiting: Waiting, tmp_path: Path) -> None:
    module(tmp_path, "plain_sdk", "")
    module(tmp_path, "watched_sdk", "")
    waiting.add("watched_sdk", lambda _: None)
    plain, watched = map(importlib.import_module, ("plain_sdk", "watched_sdk"))
    assert type(watched.__loader__) is type(plain.__loader__)
    assert type(watched.__spec__.loader) is type(plain.__spec__.loader)  # type: ignore[union-attr]
    assert importlib.reload(watched) is watched


def test_a_module_that_is_loaded_anew_is_handed_over_anew(waiting: Waiting, tmp_path: Path) -> None:
    module(tmp_path, "again_sdk", "value = 1")
    values: list[int] = []
    waiting.add("again_sdk", lambda found: values.append(found.value))
    found = importlib.import_module("again_sdk")
    importlib.reload(found)
    assert values == [1, 1]


def test_an_import_error_passes_unchanged_and_a_later_import_is_handed_over(waiting: Waiting, tmp_path: Path) -> None:
    module(tmp_path, "broken_sdk", "raise RuntimeError('its own')")
    handed: list[ModuleType] = []
    waiting.add("broken_sdk", handed.append)
    with pytest.raises(RuntimeError, match="its own"):
        importlib.import_module("broken_sdk")
    assert handed == [] and "broken_sdk" not in sys.modules
    (tmp_path / "broken_sdk.py").write_text("value = 'mended at last'")
    importlib.invalidate_caches()
    assert importlib.import_module("broken_sdk").value == "mended at last"
    assert len(handed) == 1


def test_a_module_that_is_not_there_is_said_to_be_missing_as_ever(waiting: Waiting) -> None:
    waiting.add("missing_sdk", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match="missing_sdk"):
        importlib.import_module("missing_sdk")
    assert importlib.util.find_spec("missing_sdk") is None


def test_what_fails_in_our_patch_does_not_fail_the_import(
    waiting: Waiting, tmp_path: Path, failures: Counter[str]
) -> None:
    module(tmp_path, "innocent_sdk", "value = 1")

    def then(found: ModuleType) -> None:
        raise RuntimeError("ours")

    waiting.add("innocent_sdk", then)
    assert importlib.import_module("innocent_sdk").value == 1
    assert failures["patching"] == 1


def test_a_module_can_be_looked_up_without_being_imported(waiting: Waiting, tmp_path: Path) -> None:
    module(tmp_path, "looked_sdk", "value = 1")
    waiting.add("looked_sdk", lambda _: None)
    spec = importlib.util.find_spec("looked_sdk")
    assert spec is not None and spec.loader is not None
    assert spec.loader.get_source("looked_sdk") == "value = 1"  # type: ignore[attr-defined]
    assert "looked_sdk" not in sys.modules


def test_after_clearing_nothing_is_handed_over_and_the_finder_is_gone(waiting: Waiting, tmp_path: Path) -> None:
    module(tmp_path, "free_sdk", "")
    handed: list[ModuleType] = []
    waiting.add("free_sdk", handed.append)
    waiting.add("other_sdk", handed.append)
    assert sys.meta_path.count(waiting) == 1
    waiting.clear()
    waiting.clear()
    assert waiting not in sys.meta_path
    importlib.import_module("free_sdk")
    assert handed == []
