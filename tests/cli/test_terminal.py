"""What the output goes to, and the zone of the machine."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tallybook.cli.terminal import local_zone, page_of


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Ascii(Terminal):
    encoding = "ANSI_X3.4-1968"


def test_a_pipe_has_no_width_and_no_colour() -> None:
    found = page_of(io.StringIO(), {"COLUMNS": "70"})
    assert (found.width, found.has_color, found.is_terminal) == (None, False, False)
    assert page_of(io.StringIO(), {"FORCE_COLOR": "1"}).has_color


def test_a_terminal_has_both_and_no_color_is_respected() -> None:
    assert page_of(Terminal(), {"COLUMNS": "70"})[:2] == (70, True)
    assert not page_of(Terminal(), {"NO_COLOR": ""}).has_color
    assert not page_of(Terminal(), {"TERM": "dumb"}).has_color
    assert page_of(Terminal(), {"COLUMNS": "7"}).width == 40
    assert page_of(Terminal(), {}).width == 80
    assert not page_of(Ascii(), {}).has_unicode


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("UTC0", "UTC"),
        ("Etc/UTC", "UTC"),
        ("Nowhere/At", "UTC"),
    ],
)
def test_the_zone_is_what_tz_says(tmp_path: Path, variable: str, expected: str) -> None:
    assert local_zone({"TZ": variable}, tmp_path) == expected


def test_without_tz_the_zone_is_that_of_etc(tmp_path: Path) -> None:
    assert local_zone({}, tmp_path) == "UTC"
    (tmp_path / "timezone").write_text("America/Santiago\n")
    assert local_zone({}, tmp_path) == "America/Santiago"
    zones = tmp_path / "usr" / "zoneinfo" / "Asia"
    zones.mkdir(parents=True)
    (zones / "Tokyo").write_bytes(b"TZif")
    (tmp_path / "localtime").symlink_to(zones / "Tokyo")
    assert local_zone({}, tmp_path) == "Asia/Tokyo"
