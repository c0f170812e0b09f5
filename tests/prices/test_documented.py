"""docs/prices.md tells every status, reason and field that the code knows, and its example of prices.toml is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from genai_prices.data import providers

from tallybook.model.call import CostStatus
from tallybook.prices import cost, listed, naming, overlay, override, row
from tallybook.prices.base import Key

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "prices.md").read_text(encoding="utf-8")


def reasons_of_rates() -> set[str]:
    """Every reason that any listed model bears, under any tier, less the name of tier or provider in it."""
    found = set()
    for provider in providers:
        for model in provider.models:
            for tier in (None, "flex"):
                for rate in listed.rates_of(Key(provider.id, model.id, tier)):
                    found.update((rate.estimated or "").split("; "))
    return {re.sub(r":.*", ":", reason) for reason in found if reason}


def test_every_status_is_documented() -> None:
    for status in get_args(CostStatus):
        assert f"| `{status}` |" in PAGE


@pytest.mark.parametrize(
    "reason",
    [
        *(value for name, value in vars(cost).items() if name.isupper() and isinstance(value, str)),
        naming.ONLINE,
        naming.VARIANT,
        "price_of:",
        "moving_alias",
        "endpoint_region_unknown",
    ],
)
def test_every_reason_of_the_arithmetic_is_documented(reason: str) -> None:
    assert f"`{reason}" in PAGE


def test_every_reason_that_a_listed_model_bears_is_documented() -> None:
    found = reasons_of_rates()
    assert {"time_of_day_price", "tier:", "deployment_type_unknown"} <= found
    assert [reason for reason in found if f"`{reason}" not in PAGE] == []


def test_every_reason_of_the_overlay_is_documented() -> None:
    found = {doubt for each in overlay.rows() for doubt in each.rate.doubts}
    assert "cached_price_in_tier_unknown" in found
    assert [reason for reason in found if f"`{reason}`" not in PAGE] == []


def test_every_field_of_the_price_file_is_documented() -> None:
    table = PAGE[PAGE.index("## Your own prices") :]
    assert [field for field in (*row._KNOWN, *row.UNITS) if f"`{field}`" not in table] == []


def test_the_example_of_the_price_file_is_read_as_it_stands(tmp_path: Path) -> None:
    example = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(example) == 1
    path = tmp_path / "prices.toml"
    path.write_text(example[0], encoding="utf-8")
    azure, own = override.read(path)
    assert (azure.rate.input_picousd, azure.rate.request_nanousd) == (2_500_000, 5_000_000)
    assert own.rate.is_free
