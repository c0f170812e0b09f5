from __future__ import annotations

import gc
import subprocess
import sys
import tempfile

from tallybook.ingest.seal import seal
from tallybook.store.lake.scratch import Scratch, remove_left, spill_path


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


_KILLED = """
import os, signal
from tallybook.store.lake.reader import connect
from tallybook.store.lake.scratch import Scratch
scratch = Scratch()
con = connect()
con.execute("SET memory_limit='30MB'")
con.execute("CREATE TABLE t AS SELECT range AS i, md5(range::VARCHAR) AS text FROM range(2000000)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_processes_left_goes_and_what_living_ones_use_stays(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    subprocess.run([sys.executable, "-c", _KILLED], check=False)
    left = sorted(path.name.split("-")[1] for path in tmp_path.iterdir())
    assert left == ["scratch", "spill"]
    mine = Scratch()
    (tmp_path / "tallybook-spill-1-2-elsewhere").mkdir()  # Of another container.
    assert remove_left() == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.path.name, "tallybook-spill-1-2-elsewhere"])


def test_two_connections_of_a_process_spill_apart() -> None:
    assert spill_path() != spill_path()


def test_sealing_removes_what_killed_sealers_left(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    subprocess.run([sys.executable, "-c", _KILLED], check=False)
    assert list((tmp_path / "tmp").iterdir())
    seal(tmp_path / "ledger", None)
    assert not list((tmp_path / "tmp").iterdir())
