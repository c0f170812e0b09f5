"""`search`: calls by what was sent and answered."""

from __future__ import annotations

import json
import re
from pathlib import Path

from contract.test_search import CALLS, _write
from tallybook.store.lake.store import LakeStore

from .conftest import PIPE, run_on, text


def test_hits_show_the_call_and_the_place(tmp_path: Path) -> None:
    _write(tmp_path, range(10))
    run = run_on(LakeStore(tmp_path), tmp_path)
    got = text(run("search", "bananas", "plants", "--all", page=PIPE))
    assert CALLS[0].call_id in got and "prompt[1].content: How do bananas grow?" in got
    told = json.loads(text(run("search", '"how do"', "--project", "p0", "--json", page=PIPE)))
    assert [hit["call"]["call_id"] for hit in told["hits"]] == [CALLS[0].call_id] and told["searched_to"] is None
    assert re.search("No stored prompt", text(run("search", "nowhere-at-all", page=PIPE)))
    assert "Looked back to" in text(run("search", "bananas", "-n", "1", page=PIPE))
