"""A damaged manifest is made up from the files, also where a crash had left some that did not count any more."""

from __future__ import annotations

import json

import pytest

from contract.records import START_US, Book, random_calls, random_steps
from store.test_repeat import POLLED, SUBMITTED, QuickDisk, write
from tallybook.ingest import seal as sealing
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.question import Question
from tallybook.store.lake import answer
from tallybook.store.lake.store import LakeStore

CALLS = random_calls(31, 60, days=2)
STEPS = random_steps(31, CALLS)
QUESTIONS = (
    Question(measures=("calls", "input_tokens", "cost_nanousd", "errors"), dimensions=("project",)),
    Question(measures=("calls",), dimensions=("metadata.customer",)),
    Question(source="tool_calls", measures=("uses", "failures"), dimensions=("tool",)),
)


class Keeping(QuickDisk):
    """A machine that stops before anything is removed, again and again."""

    def unlink(self, path):
        pass


def _everything(folder):
    store = LakeStore(folder, Book())
    try:
        answers = [store.ask(question).rows for question in QUESTIONS]
        calls = [call for batch in store.scan() for call in batch]
        return answers, calls, store.runs(limit=999), store.run_calls("run-3")
    finally:
        store.close()


def _write_steps(folder):
    writer = Writer(folder, "steps", segment_bytes_max=1 << 25)
    writer.append(b"".join(codec.encode_step(step) for step in STEPS), START_US)
    writer.close()


@pytest.mark.parametrize("by_summary", [False, True])
def test_files_that_counted_no_more_are_told_apart_when_the_manifest_is_made_up(tmp_path, monkeypatch, by_summary):
    if by_summary:
        monkeypatch.setattr(answer, "SUMMARY_ROWS", 0)
    folder, later = tmp_path / "ledger", {"disk": Keeping(), "now_s": 1.9e9}
    write(folder, *CALLS[:20], SUBMITTED)
    _write_steps(folder)
    sealing.seal(folder, Book(), disk=QuickDisk(), compact=False)
    write(folder, *CALLS[20:])
    sealing.seal(folder, Book(), disk=QuickDisk(), compact=False)
    sealing.seal(folder, Book(), **later)  # Merged, and the merged files stay where they are.
    write(folder, POLLED)
    sealing.seal(folder, Book(), **later)  # A day is written anew, and what it was before stays too.
    wanted = _everything(folder)
    names = {path.name for path in folder.glob("*/*.parquet")}
    listed = {file["path"].split("/")[1] for file in json.loads((folder / "manifest.json").read_bytes())["files"]}
    assert names - listed, "nothing was left over"
    for path in folder.glob("*/*.jsonl"):
        path.unlink()
    (folder / "manifest.json").write_bytes(b"{")
    sealing.seal(folder, Book(), disk=QuickDisk())
    assert _everything(folder) == wanted
    sealing.seal(folder, Book(), disk=QuickDisk())
    assert _everything(folder) == wanted
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert not manifest.get("is_rebuilt")
    assert {str(path.relative_to(folder)) for path in folder.glob("*/*.parquet")} == {
        file["path"] for file in manifest["files"]
    }


def test_what_is_sealed_after_a_manifest_was_made_up_takes_no_name_that_is_there(tmp_path):
    folder = tmp_path / "ledger"
    write(folder, *CALLS[:30])
    sealing.seal(folder, Book(), disk=QuickDisk(), compact=False)
    for path in folder.glob("*/*.jsonl"):
        path.unlink()
    (folder / "manifest.json").write_bytes(b"{")
    write(folder, *CALLS[30:])
    before = _everything(folder)
    assert len(before[1]) == len(CALLS)
    sealing.seal(folder, Book(), disk=QuickDisk(), compact=False)
    assert _everything(folder) == before
