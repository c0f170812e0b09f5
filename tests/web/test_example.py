"""The examples of `examples/` in a browser, against a real server: in plain HTML, and in a real React."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_tree import known
from tests.web.look import barriers
from tests.web.other import Site
from tests.web.test_types import PACKAGES

EXAMPLES = Path(__file__).parents[2] / "examples"
LOG = {"operation": "chat", "model": "gpt-4o", "provider": "openai", "chat_id": "c-1", "user_id": "ada"}


@pytest.fixture
def server(start: Start, site: Site) -> Running:
    """A server without keys, as on one's own machine, that lets the other site's pages read."""
    one = start(origins=(site.url,), any_project=True)
    for number, tokens in ((1, 1_200), (2, 3_400)):
        sent = {"message_id": f"m-{number}", "input_tokens": tokens, "output_tokens": 80}
        assert one.post("/api/ai-usage", LOG | sent).status == 201
    known(one, "c-1")
    return one


def opened(site: Site, server: Running, name: str) -> str:
    """The address of an example, which asks this server."""
    text = (EXAMPLES / name).read_text().replace("http://127.0.0.1:4318", f"http://127.0.0.1:{server.port}")
    site.files[f"/{name}"] = text
    site.files["/favicon.ico"] = ""
    return f"{site.url}/{name}"


def wait_figure(page: Any, selector: str, exact: str) -> None:
    page.locator(selector).get_by_title(exact, exact=True).first.wait_for()


def test_the_page_in_plain_html_shows_its_figures_and_an_estimate_while_it_writes(
    server: Running,
    site: Site,
    open_tab: Any,
) -> None:
    page = (tab := open_tab(opened(site, server, "embed.html"))).page
    wait_figure(page, "tb-user-usage", "4,760 tokens")
    wait_figure(page, "tb-message-usage", "1,280 tokens")
    wait_figure(page, "tb-chat-usage", "4,760 tokens")
    page.wait_for_selector("tb-cost-chart svg.tb-plot")
    page.wait_for_selector("tb-runs-list tbody tr")
    page.wait_for_selector("tb-run-tree [role=treeitem]")
    assert barriers(page) == []
    tab.shot("example-html")
    page.get_by_role("button", name="Write on").click()
    page.locator("tb-message-usage").get_by_text("estimate").wait_for()
    page.wait_for_function("!document.querySelector('#usage').hasAttribute('streaming')")
    wait_figure(page, "tb-message-usage", "1,280 tokens")


@pytest.fixture(scope="session", params=[19, 18], ids=["React 19", "React 18"])
def version(request: pytest.FixtureRequest) -> int:
    """The present React, and the one before."""
    return int(request.param)


@pytest.fixture(scope="session")
def react(tmp_path_factory: pytest.TempPathFactory, version: int) -> dict[str, str]:
    """The modules that the example's import map names, made of the real React."""
    bundler = PACKAGES / ".bin" / "esbuild"
    place = PACKAGES if version == 19 else PACKAGES / f"react-{version}" / "node_modules"
    if not bundler.exists() or not (place / "react").exists():
        pytest.skip(f"React {version} is not installed: npm install --prefix tests/exporters/js")
    assert json.loads((place / "react" / "package.json").read_text())["version"].startswith(f"{version}.")
    made = tmp_path_factory.mktemp("react")
    names = "useState, useRef, useEffect, useCallback, createElement"
    (made / "react.js").write_text(
        f"import React from 'react'; export default React; export const {{ {names} }} = React;"
    )
    (made / "react-dom-client.js").write_text("import D from 'react-dom/client'; export const { createRoot } = D;")
    subprocess.run(
        [str(bundler), str(made / "react.js"), str(made / "react-dom-client.js"), "--bundle", "--splitting",
         "--format=esm", f"--outdir={made / 'out'}", "--out-extension:.js=.mjs",
         "--define:process.env.NODE_ENV='development'", "--log-level=error"],
        check=True, timeout=120, env={"NODE_PATH": str(place), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return {f"/{path.name}": path.read_text() for path in (made / "out").glob("*.mjs")}


def test_the_page_in_react_streams_a_chat_and_shows_what_it_took(
    server: Running,
    site: Site,
    open_tab: Any,
    react: dict[str, str],
) -> None:
    seen, recorded = threading.Event(), threading.Event()

    def record() -> None:
        assert server.post("/api/ai-usage", LOG | {"input_tokens": 40, "output_tokens": 200}).status == 201
        recorded.set()

    def nothing() -> None:
        """Nothing has to happen first."""

    site.stream = [
        (json.dumps({"type": "status", "data": {"status": "starting", "message": "Thinking"}}), nothing),
        (json.dumps({"type": "content", "data": {"content": "The largest gap "}}), nothing),
        (json.dumps({"type": "content", "data": {"content": "is time."}}), lambda: seen.wait(20)),
        (json.dumps({"type": "complete", "data": {"message": "The largest gap is time."}}), record),
    ]
    site.files.update(react)
    tab = open_tab(opened(site, server, "embed-react.html"))
    page = tab.page
    wait_figure(page, "tb-chat-usage", "4,760 tokens")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("status").filter(has_text="The largest gap").wait_for()
    page.locator("tb-chat-usage").get_by_text("Estimate while the answer streams").wait_for()
    assert page.get_by_role("button", name="Stop").is_visible()
    seen.set()
    page.get_by_text("The largest gap is time.").wait_for()
    assert recorded.wait(10)  # The words are on the page a moment before the stream ends.
    wait_figure(page, "tb-chat-usage", "5,000 tokens")
    page.get_by_role("button", name="Go on").wait_for()
    tab.shot("example-react")


def test_the_larger_elements_take_reacts_attributes_and_events(
    server: Running,
    site: Site,
    open_tab: Any,
    react: dict[str, str],
    version: int,
) -> None:
    """React 18 knows no events of elements: there a reference listens."""
    heard = "'ontb-run': chosen" if version > 18 else "ref: (list) => list && (list.addEventListener('tb-run', chosen))"
    site.files.update(react)
    script = f"""
        import {{ createElement as h, useState }} from '/react.mjs';
        import {{ createRoot }} from '/react-dom-client.mjs';
        import 'http://127.0.0.1:{server.port}/embed.js';
        function App() {{
          const [run, setRun] = useState(null);
          const chosen = (event) => setRun(event.detail.run_id);
          return h('div', null, h('tb-runs-list', {{ user: 'ada', {heard} }}),
            run && h('tb-run-tree', {{ chat: run }}), h('tb-cost-chart', {{ user: 'ada', days: 3 }}));
        }}
        createRoot(document.querySelector('#root')).render(h(App));
    """
    page = open_tab(site.page(script, '<div id="root"></div>')).page
    page.locator("tb-runs-list .name").first.click()
    page.wait_for_selector("tb-run-tree [role=treeitem]")
    assert page.evaluate("document.querySelector('tb-run-tree').getAttribute('chat')") == "c-1"
    page.wait_for_selector("tb-cost-chart svg.tb-plot")
