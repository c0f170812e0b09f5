"""Looking at a page: whether it has loaded, and what axe finds in it."""

from __future__ import annotations

from typing import Any

import pytest

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOADED = """() => {
    const inside = (one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])];
    const all = (root) => [...root.querySelectorAll('*')].flatMap(inside);
    return !all(document).some((one) => one.localName === 'tb-condition' && one.state === 'loading');
}"""


def loaded(page: Any, *selectors: str) -> None:
    """Wait until what is named is there and nothing of the page is loading any more."""
    for selector in selectors:
        page.wait_for_selector(selector)
    page.wait_for_function(LOADED)


def barriers(page: Any) -> list[str]:
    """What axe finds: the rule, and the first elements that break it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    options = {"runOnly": {"type": "tag", "values": _TAGS}}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found]
