"""`tail`: a call on a line, in any width."""

from __future__ import annotations

from pathlib import Path

from query.company import NOW_US, call
from tallybook.cli.table import width_of
from tallybook.cli.tail import line, pricer
from tallybook.config import Settings
from tallybook.query.span import everything
from tallybook.query.totals import Scope

from .conftest import PIPE, TERMINAL

SCOPE = Scope(span=everything(NOW_US, "UTC"))
CALL = call(
    "2026-11-22T14:03:11", "gpt-4o", 2_100_000, name="generate_ideas", status="error", error_type="RateLimitError"
)


def test_a_line_in_a_pipe_is_whole() -> None:
    assert line(CALL, SCOPE, PIPE) == (
        "14:03:11    $0.0021      500→200     1.2s  gpt-4o  generate_ideas  shop  mia  error: RateLimitError"
    )


def test_a_line_fits_its_terminal() -> None:
    for width in (40, 50, 60, 70, 80, 120):
        assert width_of(line(CALL, SCOPE, TERMINAL._replace(width=width))) <= width
    assert line(CALL, SCOPE, TERMINAL._replace(width=60)) == (
        "14:03:11    $0.0021  gpt-4o  generat…  error: RateLimitError"
    )


def test_an_unpriced_call_says_so_and_ascii_stays_ascii() -> None:
    unknown = call("2026-11-22T14:03:11", None, None, input_tokens=None, output_tokens=None, duration_us=None)
    shown = line(unknown, SCOPE, PIPE._replace(has_unicode=False))
    assert shown == "14:03:11   unpriced          ->-        -  unknown model  chat  shop  mia"


def test_the_prices_are_those_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(
        '[[price]]\nprovider = "*"\nmodel = "our-own"\ninput = 3\noutput = 4\n',
        encoding="utf-8",
    )
    unpriced = call("2026-11-22T14:03:11", "our-own", None, input_tokens=1_000_000, output_tokens=0)
    assert pricer(Settings(folder=tmp_path))(unpriced).total_nanousd == 3_000_000_000
