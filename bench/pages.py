"""Are the pages fast? The first page on a large ledger, and the list of calls while a thousand a second arrive.

    python bench/pages.py load --folder DIR      # as `bench/store.py --calls 10000000 --folder DIR --keep` leaves it
    python bench/pages.py live --seconds 20

`load`: the overview in headless Chromium, each time in a new profile with nothing in its cache: the largest contentful
paint, what was transferred (compressed, as it came over the wire), requests, the longest task. `live`: the list of
calls follows while batches are posted; the longest task of the page, also when what is new is put into the list.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from process import Server, machine_load

LCP_MS = 800
TRANSFER_KB = 500
TASK_MS = 200
RATE = 1_000
BATCH = 50
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync")  # fmt: skip
WATCH = """
globalThis.seen = { lcp: 0, task: 0 };
const watch = (type, each) => new PerformanceObserver((list) => list.getEntries().forEach(each))
  .observe({ type, buffered: true });
watch('largest-contentful-paint', (one) => { seen.lcp = Math.max(seen.lcp, one.startTime); });
watch('longtask', (one) => { seen.task = Math.max(seen.task, one.duration); });
"""


def _browser(run: Any) -> Any:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    return run.chromium.launch(executable_path=path, args=list(ARGUMENTS))


def _told(name: str, value: float, unit: str, most: float) -> None:
    verdict = "pass" if value <= most else "FAIL"
    print(f"{verdict}  {name:<44} {value:8,.0f} {unit:<4} <= {most:,.0f}")


def _once(browser: Any, url: str) -> tuple[dict[str, float], dict[str, int], int]:
    """One visit with nothing cached: what the page saw, bytes by kind, requests."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    kinds: dict[str, str] = {}
    sizes: dict[str, int] = {}
    wire.on("Network.responseReceived", lambda event: kinds.__setitem__(event["requestId"], event["type"]))
    wire.on("Network.loadingFinished", lambda event: sizes.__setitem__(event["requestId"], event["encodedDataLength"]))
    page.goto(url)
    page.wait_for_selector("tb-heat td")
    page.wait_for_selector("tb-chart svg.tb-plot")
    page.wait_for_timeout(1_000)
    seen = page.evaluate("seen")
    context.close()
    by_kind: dict[str, int] = {}
    for number, size in sizes.items():
        kind = kinds.get(number, "other").lower()
        by_kind[kind] = by_kind.get(kind, 0) + int(size)
    return seen, by_kind, len(sizes)


def load(folder: Path | None, visits: int) -> None:
    """The overview on a ledger, cold in the browser and warm on the server after the first visit."""
    from playwright.sync_api import sync_playwright

    with Server(folder=folder) as server, sync_playwright() as run:
        browser = _browser(run)
        calls = _asked(server.url + "/api/v1/query?measures=calls&period=all")["rows"][0]["calls"]
        found = [_once(browser, server.url + "/") for _ in range(visits)]
        browser.close()
    print(f"overview of {calls:,} calls, {visits} visits with an empty cache; {machine_load()}")
    _told("largest contentful paint, the median visit", statistics.median(one[0]["lcp"] for one in found), "ms", LCP_MS)
    print(f"      the first {found[0][0]['lcp']:,.0f} ms, the worst {max(one[0]['lcp'] for one in found):,.0f} ms")
    _told("transferred, compressed", max(sum(one[1].values()) for one in found) / 1000, "kB", TRANSFER_KB)
    by_kind = ", ".join(f"{kind} {size / 1000:,.0f}" for kind, size in sorted(found[-1][1].items()))
    print(
        f"      in {found[-1][2]} requests: {by_kind} kB; longest task {max(one[0]['task'] for one in found):,.0f} ms"
    )


def _asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as reply:
        return json.load(reply)


def _send(url: str, seconds: float, sent: list[int]) -> None:
    """Post `RATE` calls a second in batches."""
    body = json.dumps(
        [{"operation": "chat", "model": "gpt-4o", "provider": "openai", "input_tokens": 100 + n, "output_tokens": 20,
          "duration_ms": 900, "user_id": f"u-{n % 9}", "project_id": "live"} for n in range(BATCH)]
    ).encode()  # fmt: skip
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            reply.read()
        sent[0] += BATCH
        time.sleep(max(0.0, begun + sent[0] / RATE - time.perf_counter()))


def live(seconds: float) -> None:
    """The list of calls while they arrive."""
    from playwright.sync_api import sync_playwright

    sent = [0]
    with Server("--any-project") as server, sync_playwright() as run:
        browser = _browser(run)
        _send(server.url + "/api/ai-usage", 0.1, [0])
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.add_init_script(WATCH)
        page.goto(server.url + "/calls")
        page.wait_for_selector("tb-calls-page tbody tr")
        page.get_by_role("button", name="Live", exact=True).click()
        page.wait_for_timeout(500)
        page.evaluate("seen.task = 0")
        sender = threading.Thread(target=_send, args=(server.url + "/api/ai-usage", seconds, sent))
        sender.start()
        while sender.is_alive():
            page.wait_for_timeout(500)
        page.wait_for_timeout(1_500)
        shown = page.locator("tb-calls-page .bar [role=status]").inner_text()
        page.locator("tb-calls-page .bar [role=status] button").click()
        page.wait_for_timeout(500)
        rows = page.locator("tb-calls-page tbody tr").count()
        task = page.evaluate("seen.task")
        browser.close()
    print(f"{sent[0] / seconds:,.0f} calls/s for {seconds:.0f} s; at the end {shown}, {rows} rows; {machine_load()}")
    _told("the longest task of the page", task, "ms", TASK_MS)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("load", "live"))
    parser.add_argument("--folder", type=Path, help="a ledger; without one an empty one")
    parser.add_argument("--visits", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    if given.what == "load":
        load(given.folder, given.visits)
    else:
        live(given.seconds)


if __name__ == "__main__":
    main()
