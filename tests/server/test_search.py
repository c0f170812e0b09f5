"""Text search over HTTP: pages to the end, a key's project, bodies sealed and not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contract.test_search import CALLS, _write
from tests.server.conftest import Start
from tests.server.test_app import key

from tallybook.ingest.seal import seal


def fill(folder: Path) -> None:
    _write(folder, range(5))
    seal(folder, None)
    _write(folder, range(5, 10))


def test_pages_of_hits_lead_to_the_end(start: Start, tmp_path: Path) -> None:
    fill(tmp_path / "ledger")
    running = start(tmp_path / "ledger")
    seen, path = [], "/api/v1/search?q=bananas&limit=2"
    for _ in range(9):
        got = running.get(path).json()
        seen += [hit["call"]["call_id"] for hit in got["hits"]]
        if got["next"] is None:
            break
        assert got["searched_to"].endswith("Z")
        path = f"/api/v1/search?q=bananas&limit=2&cursor={got['next']}"
    assert seen == [CALLS[number].call_id for number in (8, 5, 3, 2, 0)] and got["searched_to"] is None
    (hit,) = running.get("/api/v1/search?q=%22how%20do%22").json()["hits"]
    assert (hit["place"], hit["snippet"]) == ("prompt[1].content", "How do bananas grow?")


def test_a_key_of_a_project_finds_nothing_of_others(start: Start, tmp_path: Path) -> None:
    fill(tmp_path / "ledger")
    made = key(tmp_path / "ledger", "read", "p1")
    running = start(tmp_path / "ledger", is_open=False)
    headers = {"authorization": f"Bearer {made.text}"}
    for more in ("", "&project=p0", "&project=p1"):
        got = running.get(f"/api/v1/search?q=bananas{more}", **headers).json()
        expected = [] if more == "&project=p0" else [CALLS[5].call_id, CALLS[3].call_id]
        assert [hit["call"]["call_id"] for hit in got["hits"]] == expected
    assert running.get("/api/v1/search?q=bananas").status == 401


@pytest.mark.parametrize("query", ["", "q=", "q=a&cursor=x", "q=a&cursor=LTEgYQ", "q=a&limit=0", "q=a&nonsense=1"])
def test_what_is_no_search_is_refused(start: Start, tmp_path: Path, query: str) -> None:
    assert start(tmp_path / "ledger").get(f"/api/v1/search?{query}").status == 400
