"""The prices in force: sources in the order in which they win, and models in use with theirs."""

from __future__ import annotations

from pathlib import Path

from tallybook.config import Settings
from tallybook.query.price_list import prices
from tallybook.query.span import everything
from tallybook.query.totals import Scope
from tallybook.store.memory import MemoryStore
from tallybook.store.open import open_prices

from .company import NOW_US, call

SCOPE = Scope(span=everything(NOW_US, "UTC"))


def test_models_in_use_have_their_price_and_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(
        '[[price]]\nprovider = "acme"\nmodel = "solo"\ninput = 1.5\noutput = 2\n[[price]]\nmodel = "bad"\ninput = "x"\n'
    )
    settings = Settings(folder=tmp_path)
    store = MemoryStore()
    store.append([
        call("2026-11-20T10:00:00", "solo", provider="acme"), call("2026-11-20T10:00:01", "solo", provider="acme"),
        call("2026-11-20T10:00:02", "gpt-4o", provider="openai"), call("2026-11-20T10:00:03", None, None),
    ])  # fmt: skip
    found = prices(store, SCOPE, settings, open_prices(settings), NOW_US)
    assert [one.source for one in found.sources] == ["own", "overlay", "list"]
    own = found.sources[0]
    assert own.where == str(tmp_path / "prices.toml") and own.rows == 1 and len(own.faults) == 1
    used = {one.model: one for one in found.models}
    assert (used["solo"].calls, used["solo"].input_picousd, used["solo"].price) == (
        2,
        1_500_000,
        "prices.toml: price 1",
    )
    assert used["gpt-4o"].price and "gpt-4o" in used["gpt-4o"].price
    assert used[None].price is None and used[None].input_picousd is None
    assert any(one.model == "claude-opus-5" and one.provider == "anthropic" for one in found.known)


def test_without_own_prices_that_is_said(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path)
    found = prices(MemoryStore(), SCOPE, settings, open_prices(settings), NOW_US)
    assert found.sources[0].where is None and found.sources[0].rows is None and found.models == []
