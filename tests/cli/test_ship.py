"""`ship`: what waits, sent now."""

from __future__ import annotations

from pathlib import Path

from ship.double import Double
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call

from .conftest import Run


def write(folder: Path, count: int) -> None:
    writer = Writer(folder, "telemetry", segment_bytes_max=1 << 20)
    for number in range(count):
        writer.append(codec.encode(Call(call_id=f"c{number}", started_at_us=1_767_268_800_000_000 + number)), 1_000_000)
    writer.close()


def test_what_waits_is_sent_once(run: Run, tmp_path: Path) -> None:
    write(tmp_path, 100)
    with Double() as server:
        first = run("ship", "--url", server.url)
        again = run("ship", url=server.url)
        assert len(server.lines) == 100 and server.twice() == []
    assert first.code == 0 and first.out.startswith("Sent ") and server.url in first.out
    assert again.out == f"{server.url} has everything.\n"


def test_json_tells_bytes(run: Run, tmp_path: Path) -> None:
    write(tmp_path, 1)
    with Double() as server:
        assert '"refused":0' in run("ship", "--url", server.url, "--json").out


def test_without_a_server_it_says_what_is_missing(run: Run) -> None:
    ran = run("ship")
    assert ran.code == 1 and "TALLYBOOK_URL" in ran.err


def test_a_server_that_refuses_is_told_and_nothing_is_lost(run: Run, tmp_path: Path) -> None:
    write(tmp_path, 3)
    with Double() as server:
        server.script = [(429, 0), (429, 0), (429, 0)]
        ran = run("ship", "--url", server.url)
        assert ran.code == 1 and "429" in ran.err and "wait in the folder" in ran.err
        assert run("ship", "--url", server.url).code == 0
        assert len(server.lines) == 3
