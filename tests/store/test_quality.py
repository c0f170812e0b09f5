from __future__ import annotations

import duckdb
import msgspec
import pytest

from tallybook.model.call import Call
from tallybook.model.usage import Usage
from tallybook.store.quality import SQL, quality, quality_number, revised, revision_of

FIRST = Call(call_id="c", started_at_us=1, usage=Usage(input_tokens=1))


@pytest.mark.parametrize(
    ("flags", "revision"),
    [
        ((), 0), (("usage_missing",), 0), (("a", "revision:7"), 7), (("revision:1795700000000", "a"), 1795700000000),
        (("revision:",), 0), (("revision:x",), 0), (("revision:-1",), 0), (("revision:" + "9" * 18,), 10**18 - 1),
        (("revision:" + "9" * 19,), 0), (("not_revision:5",), 0),
    ],
)  # fmt: skip
def test_a_revision_is_read_alike_in_python_and_in_sql(flags: tuple[str, ...], revision: int) -> None:
    assert revision_of(flags) == revision
    con = duckdb.connect()
    columns = "input_tokens BIGINT, output_tokens BIGINT, may_repeat BOOLEAN, response_id VARCHAR, flags VARCHAR"
    con.execute(f"CREATE TABLE t ({columns})")
    text = msgspec.json.encode(flags).decode() if flags else None
    con.execute("INSERT INTO t VALUES (1, NULL, false, 'r', ?)", [text])
    assert con.execute(f"SELECT {', '.join(SQL)} FROM t").fetchone() == (False, False, False, -revision)
    con.close()


def test_usage_goes_before_first_hand_and_first_hand_before_the_id_and_that_before_the_revision() -> None:
    blind = msgspec.structs.replace(FIRST, usage=Usage())
    again = msgspec.structs.replace(FIRST, may_repeat=True)
    later = msgspec.structs.replace(FIRST, flags=revised((), 9))
    latest = msgspec.structs.replace(FIRST, flags=revised(("revision:9", "a"), 10))
    assert latest.flags == ("a", "revision:10")
    named = msgspec.structs.replace(FIRST, response_id="r")
    wanted = [named, latest, later, FIRST, again, blind]
    assert sorted([blind, again, FIRST, later, named, latest], key=quality) == wanted
    assert sorted([blind, again, FIRST, later, named, latest], key=quality_number) == wanted
    assert all(0 <= quality_number(call) < 2**63 for call in wanted)
