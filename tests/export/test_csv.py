"""CSV: exact amounts, unknown as nothing, and no formulas."""

from __future__ import annotations

import csv as reader
import io

import pytest

from query.company import call
from tallybook.export import csv
from tallybook.model.call import ToolCall


def test_a_call_is_one_row_of_known_columns() -> None:
    out = io.StringIO()
    one = call(
        "2026-11-22T10:00", "gpt-4o", 1_234_567_891, tags=("a", "b"), metadata={"k": "v"}, error_message="two\nlines",
        tool_calls=(ToolCall(name="search"), ToolCall(name="grep")),
    )  # fmt: skip
    assert list(csv.calls([[one], []], out)) == [1, 0]
    (row,) = reader.DictReader(io.StringIO(out.getvalue()))
    assert tuple(row) == csv.COLUMNS
    assert row["cost_usd"] == "1.234567891"
    assert row["started_at"] == "2026-11-22T10:00:00.000Z"
    assert (row["tags"], row["metadata"], row["tool_calls"]) == ("a b", '{"k":"v"}', "search grep")
    assert (row["reasoning_tokens"], row["is_stream"], row["error_message"]) == ("", "false", "two\nlines")


def test_an_unpriced_call_has_no_amount() -> None:
    assert csv.cells(call("2026-11-22T10:00", "x", None))["cost_usd"] is None


def test_an_export_of_nothing_has_a_header_and_a_report_of_nothing_has_not() -> None:
    out = io.StringIO()
    assert list(csv.calls([], out)) == []
    assert out.getvalue().startswith("call_id,")
    report = io.StringIO()
    csv.write([], report)
    assert report.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "expected"), [("=1+1", "'=1+1"), ("+1", "'+1"), ("-x", "'-x"), ("@a", "'@a"), ("a=1", "a=1"), ("", "")]
)
def test_text_is_never_a_formula(text: str, expected: str) -> None:
    assert csv.safe(text) == expected
