"""Forms are told by what is in a file, never by its name; what cannot be read is named by line and column."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tallybook.model.errors import InputError
from tallybook.query.bills.read import read, read_bytes

ANTHROPIC = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count\n"
)
ROW = "2026-11-02,claude-opus-5,demo,Default,standard,up to 200k,{},0,0,0,20,0\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_in_the_usual_encodings_and_separators(encoding: str, delimiter: str) -> None:
    text = (ANTHROPIC + ROW.format(100)).replace(",", delimiter)
    bill = read_bytes(text.encode(encoding), "any-name.txt")
    assert (bill.form, bill.lines[0].input_tokens) == ("Anthropic usage, CSV", 100)


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(ANTHROPIC + ROW.format(7))
    assert read(path).lines[0].input_tokens == 7
    with pytest.raises(OSError, match="No such file"):
        read(tmp_path / "absent.csv")


def test_numbers_as_spreadsheets_write_them_are_understood() -> None:
    bill = read_bytes((ANTHROPIC + ROW.format('"1,234"') + ROW.format("12.0")).encode(), "x.csv")
    assert [line.input_tokens for line in bill.lines] == [1_234, 12]


@pytest.mark.parametrize(
    ("value", "message"),
    [("many", "'many' is not a number"), ("-5", "not a whole number"), ("1.5", "not a whole number"), ("nan", "not a")],
)
def test_a_value_that_is_none_is_named_by_line_and_column(value: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_bytes((ANTHROPIC + ROW.format(1) + ROW.format(value)).encode(), "november.csv")
    assert "november.csv: line 3, column usage_input_tokens_no_cache" in str(caught.value)
    assert caught.value.hint


def test_a_date_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match="line 2, column usage_date_utc"):
        read_bytes((ANTHROPIC + ROW.format(1).replace("2026-11-02", "2026-13-02")).encode(), "x.csv")
    with pytest.raises(InputError, match="no date"):
        read_bytes((ANTHROPIC + ROW.format(1).replace("2026-11-02", "")).encode(), "x.csv")


def test_a_row_with_too_many_columns_is_named() -> None:
    with pytest.raises(InputError, match="line 2 has 13 columns, the header 12"):
        read_bytes((ANTHROPIC + ROW.format(1).strip() + ",extra\n").encode(), "x.csv")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"name,amount\nx,1\n", "no known export has these columns: name, amount"),
        (b'{"usage": 3}', "no known export has these fields: usage"),
        (b'{"data": []}', "without data"),
        (b'{"data": [', "not JSON"),
        (b'{"data": [}\n{"x":', "not JSON"),
        (b"[1, 2]", "is not an object"),
        (b"\xff\xfe\x00", "UTF-8|utf-16|empty"),
        (b"caf\xe9,1\n", "line 1 is not UTF-8"),
    ],
)
def test_what_is_no_export_is_refused_with_what_is_known(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_bytes(data, "x")
    assert caught.value.hint


def test_an_export_without_usage_says_so() -> None:
    with pytest.raises(InputError, match="without a line of usage"):
        read_bytes(ANTHROPIC.encode(), "x.csv")


def test_json_may_be_one_page_a_list_of_pages_or_one_object_a_line() -> None:
    page = {
        "object": "page",
        "data": [
            {
                "object": "bucket", "start_time": 1793491200, "end_time": 1793577600,
                "results": [{"object": "organization.usage.completions.result", "input_tokens": 5, "output_tokens": 1}],
            }
        ],
        "has_more": False,
    }  # fmt: skip
    one, two = json.dumps(page), json.dumps([page, page])
    for text, count in ((one, 1), (two, 2), (f"{one}\n{one}\n\n{one}", 3)):
        assert len(read_bytes(text.encode(), "x.json").lines) == count


def test_pages_that_are_missing_are_said() -> None:
    page = {
        "data": [{"starting_at": "2026-11-02T00:00:00Z", "results": [{"output_tokens": 1}]}], "has_more": True
    }  # fmt: skip
    assert "has_more" in read_bytes(json.dumps(page).encode(), "x.json").remarks[0]
