"""On the page of models: the same calls on another model, chosen by keyboard, with the price that is taken."""

from __future__ import annotations

import pytest
from tests.server.conftest import Running
from tests.web.conftest import Open
from tests.web.look import barriers, loaded

ON = "on=claude-opus-5-5&on_provider=anthropic"
ROW = "tb-other-model tbody tr"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_stands_in_nobodys_way(served: Running, open_tab: Open, scheme: str) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/models?{ON}", scheme=scheme)
    loaded(tab.page, ROW, "tb-table tbody tr")
    tab.shot(f"other-model-{scheme}")
    assert barriers(tab.page) == []


@pytest.mark.parametrize("width", [390, 1920])
def test_it_fits_every_screen(served: Running, open_tab: Open, width: int) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/models?{ON}", width=width)
    loaded(tab.page, ROW)
    tab.shot(f"other-model-{width}")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_model_is_chosen_and_the_amounts_are_the_interfaces(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/models?range=7d")
    loaded(tab.page, "tb-other-model select")
    tab.page.locator("tb-other-model select").select_option(label="claude-opus-5-5")
    tab.page.wait_for_url("**on=claude-opus-5-5*")
    loaded(tab.page, ROW)
    told = served.get(f"/api/v1/prices/other-model?days=7&timezone=Europe/Berlin&{ON}").json()
    exact = {one.get_attribute("label"): one.get_attribute("exact")
             for one in tab.page.locator("tb-other-model tb-figure").element_handles()}  # fmt: skip
    shown = [float((exact[name] or "").removesuffix(" USD").replace(",", ""))
             for name in ("As it was", "On claude-opus-5-5", "Difference")]  # fmt: skip
    wanted = [told["compared"]["cost_usd"], told["compared"]["other_cost_usd"], told["difference_usd"]]
    assert shown == pytest.approx(wanted, abs=1e-9)
    text = tab.page.locator("tb-other-model").evaluate("one => one.shadowRoot.textContent")
    assert told["basis"]["price"] in text and "not quality" in text
    assert tab.page.locator(ROW).count() == len(told["models"])


def test_a_model_without_a_price_is_told_in_the_servers_words(served: Running, open_tab: Open) -> None:
    tab = open_tab(f"http://127.0.0.1:{served.port}/models?on=nobodys")
    tab.page.wait_for_selector("tb-other-model [role=alert]:has-text('nobodys')")
    tab.told.clear()  # The browser itself notes the 404.
