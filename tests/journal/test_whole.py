"""A whole segment is there or is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tallybook.journal.layout import segments
from tallybook.journal.whole import WholeSegment, sweep

NOW_US = 1_795_000_000_000_000


def test_nobody_sees_it_before_it_is_done(tmp_path: Path) -> None:
    segment = WholeSegment(tmp_path, "telemetry", NOW_US)
    segment.append(b'{"a":1}\n')
    assert segments(tmp_path) == []
    path = segment.done()
    assert [one.path for one in segments(tmp_path)] == [path] and path.read_bytes() == b'{"a":1}\n'
    assert segments(tmp_path)[0].day == "2026-11-18"


def test_what_is_dropped_or_left_by_the_dead_goes(tmp_path: Path) -> None:
    WholeSegment(tmp_path, "steps", NOW_US).drop()
    left = WholeSegment(tmp_path, "telemetry", NOW_US)
    left._file.close()
    (path,) = (tmp_path / "2026-11-18").iterdir()
    sweep(tmp_path, time.time())
    assert path.exists()
    os.utime(path, (0, 0))
    sweep(tmp_path, time.time())
    assert not path.exists()
