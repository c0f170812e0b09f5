"""JSON: an array or a line a call; valid also when there is none."""

from __future__ import annotations

import io
import json as reader

import pytest

from query.company import call
from tallybook.export import json


@pytest.mark.parametrize("sizes", [[], [0], [1], [2, 0, 3]])
def test_an_array_and_lines_hold_every_call_in_order(sizes: list[int]) -> None:
    batches = [[call("2026-11-22T10:00") for _ in range(size)] for size in sizes]
    expected = [one.call_id for batch in batches for one in batch]
    array, lines = io.StringIO(), io.StringIO()
    assert list(json.array(batches, array)) == list(json.lines(batches, lines)) == sizes
    assert [one["call_id"] for one in reader.loads(array.getvalue())] == expected
    assert [reader.loads(line)["call_id"] for line in lines.getvalue().splitlines()] == expected


def test_batches_are_written_as_they_come_and_never_held() -> None:
    out = io.StringIO()

    def endless() -> object:
        while True:
            yield [call("2026-11-22T10:00")]

    writer = json.lines(endless(), out)  # type: ignore[arg-type]
    for count in range(1, 4):
        assert next(writer) == 1
        assert out.getvalue().count("\n") == count
