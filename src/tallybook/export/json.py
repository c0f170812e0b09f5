"""JSON: calls as an array, or one object a line. Keys as in the journal, with the cost by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

import msgspec

from tallybook.model.call import Call
from tallybook.query.plain import call as plain_call

_encode = msgspec.json.Encoder().encode


def line(call: Call) -> str:
    """One call as a JSON object on one line, without the newline."""
    return _encode(plain_call(call)).decode()


def lines(batches: Iterable[list[Call]], out: TextIO) -> Iterator[int]:
    """Write one object a line. Yields the number written after each batch."""
    for batch in batches:
        out.write("".join(f"{line(call)}\n" for call in batch))
        yield len(batch)


def array(batches: Iterable[list[Call]], out: TextIO) -> Iterator[int]:
    """Write one array, valid also when empty. Yields the number written after each batch."""
    separator = "[\n"
    for batch in batches:
        for call in batch:
            out.write(f"{separator}{line(call)}")
            separator = ",\n"
        yield len(batch)
    out.write("[]\n" if separator == "[\n" else "\n]\n")
