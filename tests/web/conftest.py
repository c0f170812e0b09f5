"""Pages in a real headless Chromium on the demo's month; whatever a page complains of fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running, Start, start  # noqa: F401  (a fixture)
from tests.web.other import site  # noqa: F401  (a fixture)

from tallybook.demo.fill import fill

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), None)
SHOTS = os.environ.get("TALLYBOOK_SCREENSHOTS")
"""Folder that screenshots are kept in."""
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for each file: while it lives, its event loop counts as running, and no other test could start one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as run:
        one = run.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield one
        one.close()


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's month up to now."""
    folder = tmp_path_factory.mktemp("demo")
    fill(folder, until=datetime.now(UTC), days=30, scale=0.25)
    return folder


@pytest.fixture
def served(start: Start, month: Path) -> Running:  # noqa: F811
    """A server on that month."""
    return start(month)


class Tab:
    """One tab, and what its console said."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.told: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.told.append(str(error)))

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.told.append(message.text)

    def shot(self, name: str) -> None:
        """Keep a screenshot where one was asked for."""
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


Open = Callable[..., Tab]


@pytest.fixture
def open_tab(browser: Any) -> Iterator[Open]:
    """Opens tabs; at the end none may have complained."""
    opened: list[tuple[Any, Tab]] = []

    def begin(url: str, *, width: int = 1280, scheme: str = "light", zone: str = "Europe/Berlin") -> Tab:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, timezone_id=zone)
        tab = Tab(context.new_page())
        opened.append((context, tab))
        tab.page.goto(url)
        return tab

    yield begin
    for context, tab in opened:
        told = list(tab.told)
        context.close()
        assert told == []
