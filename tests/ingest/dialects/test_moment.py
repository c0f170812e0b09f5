from __future__ import annotations

from typing import Any

import pytest

from tallybook.ingest.dialects.moment import between_us, moment_us


@pytest.mark.parametrize(
    "told",
    ["2026-11-26T04:00:00Z", "2026-11-26T05:00:00+01:00", "2026-11-26T04:00:00", 1_795_665_600, 1_795_665_600.0,
     1_795_665_600_000, " 2026-11-26T04:00:00.000000Z "],
)  # fmt: skip
def test_a_moment_is_the_same_however_it_is_written(told: Any) -> None:
    assert moment_us(told) == 1_795_665_600_000_000


@pytest.mark.parametrize(
    "told",
    [None, True, "", "soon", 0, -1, 5.0, 1e30, float("inf"), "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z",
     "0001-01-01T00:00:00+14:00", [], {}, 10**40],
)  # fmt: skip
def test_what_is_no_moment_of_this_century_is_none(told: Any) -> None:
    assert moment_us(told) is None


def test_an_end_before_its_start_or_unknown_gives_no_duration() -> None:
    assert (between_us(5, 7), between_us(5, 5), between_us(5, 4), between_us(5, None)) == (2, 0, None, None)
