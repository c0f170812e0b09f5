from __future__ import annotations

import gc

from tallybook.store.lake.scratch import Scratch


def test_the_folder_goes_with_its_owner_without_a_word() -> None:
    scratch = Scratch()
    path = scratch.path
    (path / "copy.jsonl").write_bytes(b"{}\n")
    assert path.stat().st_mode & 0o077 == 0
    del scratch
    gc.collect()
    assert not path.exists()


def test_it_can_be_removed_at_once_and_twice() -> None:
    scratch = Scratch()
    scratch.cleanup()
    scratch.cleanup()
    assert not scratch.path.exists()
