"""The server's notice for `tallybook doctor`: written in place, so that a full disk can be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallybook.alert import notice
from tallybook.alert.episode import Episodes
from tallybook.query.served import examine

S = 1_000_000


def said(count: int = 1, **changes: object) -> notice.Notice:
    episodes = Episodes()
    for number in range(count):
        episodes.note("sender", "x" * 300, S, subject=f"client-{number}", by=20)
    return notice.Notice(pid=1, url="http://127.0.0.1:1", written_us=S, alerts=episodes.under_way(), **changes)  # type: ignore[arg-type]


def test_what_was_written_is_read_and_a_shorter_one_leaves_nothing_behind(tmp_path: Path) -> None:
    for one in (said(20), said(1), said(0)):
        notice.write(tmp_path, one)
        assert notice.read(tmp_path) == one


def test_the_file_never_grows_and_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    notice.write(tmp_path, said(0))
    size = (tmp_path / notice.NAME).stat().st_size
    notice.write(tmp_path, said(300))
    found = notice.read(tmp_path)
    assert (tmp_path / notice.NAME).stat().st_size == size
    assert found is not None and found.more and len(found.alerts) + found.more == 300


@pytest.mark.parametrize("data", [b"", b"{", b'{"pid": 1}', b"\xff" * 100])
def test_a_torn_notice_is_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / notice.NAME).write_bytes(data)
    assert notice.read(tmp_path) is None and list(examine(tmp_path, S)) == []


def test_doctor_tells_what_a_running_server_complains_of_and_nothing_of_one_that_is_gone(tmp_path: Path) -> None:
    assert list(examine(tmp_path, S)) == []
    notice.write(tmp_path, said(1))
    (finding,) = examine(tmp_path, 2 * S)
    assert finding.grade == "warn" and "client-0" in finding.text and finding.remedy
    assert list(examine(tmp_path, 100 * S)) == [], "it has not written for a minute"
    notice.write(tmp_path, said(1, is_stopped=True))
    assert list(examine(tmp_path, 2 * S)) == []
    notice.write(tmp_path, said(0))
    assert [finding.grade for finding in examine(tmp_path, 2 * S)] == ["good"]
    notice.write(tmp_path, said(300))
    assert "more alerts" in list(examine(tmp_path, 2 * S))[-1].text
