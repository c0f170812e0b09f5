"""The pages of runs: the list with its filters, one run with its parts, and what is done to it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.web.conftest import Open, Tab
from tests.web.look import barriers, loaded

from tallybook.ingest.follow import follow
from tallybook.store.open import open_prices, open_state

ROW = "tb-runs-page tbody tr"
TALK = "talk-about-tides"
SAID = (
    ("How do tides work?", "The moon pulls at the sea."),
    ("And the sun?", None),
    ("Again: and the sun?", "Half as much."),
)
ITEM = "tb-tree [role=treeitem]"


def followed(server: Running) -> None:
    """What the upkeep of a whole server does by itself."""
    settings = server.context.settings
    state = open_state(settings)
    follow(settings.folder, state, open_prices(settings))
    state.close()


def talk(server: Running) -> None:
    """A conversation of two questions, the second of which failed at first."""

    def say(path: str, body: dict[str, Any]) -> None:
        reply = server.post(f"/api/v1/{path}", body)
        assert reply.status in (200, 201), reply.body

    say("runs", {"run_id": TALK, "source_type": "chat", "tags": ["science"], "project": "atlas", "user_id": "ann",
                 "settings": {"model_id": "gpt-4o", "temperature": 0.7}})  # fmt: skip
    for number, (question, answer) in enumerate(SAID):
        video = [{"kind": "youtube", "url": "https://youtu.be/dQw4w9WgXcQ"}] if number == 0 else []
        asked = {"message_id": f"q-{number}", "role": "user", "content": question, "attachments": video}
        say(f"runs/{TALK}/messages", asked)
        task = f"task-{number}"
        say("tasks", {"task_id": task, "run_id": TALK, "provider": "openai", "model": "gpt-4o", "service": "chat"})
        if answer is None:
            say(f"tasks/{task}/complete", {"status": "failed", "error": "the provider is overloaded"})
            continue
        end = {"response_text": answer, "tokens_input": 800 * (number + 1), "tokens_output": 40, "total_time": 900}
        say(f"tasks/{task}/complete", end)
        told = {"message_id": f"a-{number}", "role": "assistant", "content": answer, "task_id": task}
        say(f"runs/{TALK}/messages", told)


@pytest.fixture
def talking(served: Running) -> Running:
    """The demo's month with a conversation in it."""
    talk(served)
    followed(served)
    return served


@pytest.fixture
def small(start: Start) -> Running:
    """A conversation and nothing else."""
    server = start()
    talk(server)
    followed(server)
    return server


def agent(server: Running) -> str:
    """The run with most calls of the demo."""
    runs = server.get("/api/v1/runs?sort=calls&limit=1").json()["runs"]
    return str(runs[0]["run_id"])


def at(server: Running, path: str) -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def names(tab: Tab) -> list[str]:
    return [text.strip() for text in tab.page.locator(f"{ROW} th.name a").all_inner_texts()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_stands_in_nobodys_way(talking: Running, open_tab: Open, scheme: str) -> None:
    tab = open_tab(at(talking, "/runs"), scheme=scheme)
    loaded(tab.page, ROW)
    tab.shot(f"runs-{scheme}")
    assert barriers(tab.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["conversation", "execution", "context", "about"])
def test_a_run_stands_in_nobodys_way(talking: Running, open_tab: Open, scheme: str, view: str) -> None:
    run_id = TALK if view in ("conversation", "about") else agent(talking)
    tab = open_tab(at(talking, f"/runs/{run_id}?view={view}"), scheme=scheme)
    loaded(tab.page, "tb-run-head h1", "tb-run nav a[aria-current]", "tb-figure")
    if view == "context":
        tab.page.wait_for_selector("tb-chart svg.tb-plot")
    tab.shot(f"run-{view}-{scheme}")
    assert barriers(tab.page) == []


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_it_fits_every_screen(talking: Running, open_tab: Open, width: int) -> None:
    run_id = agent(talking)
    for name, path, ready in (
        ("runs", "/runs", ROW), ("run", f"/runs/{TALK}", "tb-conversation li"),
        ("run-execution", f"/runs/{run_id}?view=execution", ITEM),
        ("run-context", f"/runs/{run_id}?view=context", "tb-chart svg.tb-plot"),
    ):  # fmt: skip
        tab = open_tab(at(talking, path), width=width)
        loaded(tab.page, ready)
        tab.shot(f"{name}-{width}")
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_the_list_is_what_the_interface_lists_and_goes_on(talking: Running, open_tab: Open) -> None:
    first = talking.get("/api/v1/runs?limit=50").json()
    told = first["runs"] + talking.get(f"/api/v1/runs?limit=50&cursor={first['cursor']}").json()["runs"]
    tab = open_tab(at(talking, "/runs"))
    loaded(tab.page, ROW)
    assert tab.page.locator(ROW).count() == 50
    tab.page.get_by_role("button", name="More runs").click()
    tab.page.locator(ROW).nth(len(told) - 1).wait_for()
    assert names(tab) == [run["name"] or run["agent_name"] or run["run_id"] for run in told]
    costs = tab.page.locator(f"{ROW} td.number:nth-of-type(8)").all()
    assert len(costs) == len(told)


def test_search_filters_and_order_stand_in_the_address(talking: Running, open_tab: Open) -> None:
    tab = open_tab(at(talking, "/runs"))
    loaded(tab.page, ROW)
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("overloaded sun")
    tab.page.get_by_text("No run is like that").wait_for()
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.type("moon pulls")
    tab.page.wait_for_url("**text=moon+pulls*")
    tab.page.locator(ROW).nth(0).wait_for()
    loaded(tab.page, ROW)
    assert names(tab) == ["How do tides work?"]
    tab.page.get_by_role("button", name="Clear").click()
    tab.page.get_by_label("Source").select_option("chat")
    tab.page.wait_for_url("**source_type=chat*")
    tab.page.get_by_role("textbox", name="Project", exact=True).fill("atlas")
    tab.page.get_by_role("textbox", name="Project", exact=True).press("Tab")
    tab.page.wait_for_url("**project=atlas*")
    tab.page.locator("label", has_text="Order").locator("select").select_option("cost")
    tab.page.wait_for_url("**sort=cost*")
    tab.page.reload()
    loaded(tab.page, ROW)
    assert names(tab) == ["How do tides work?"]
    assert tab.page.locator("label", has_text="Order").locator("select").input_value() == "cost"


def test_a_star_is_kept_and_the_starred_are_found(small: Running, open_tab: Open) -> None:
    small.post("/api/v1/runs", {"name": "another"})
    tab = open_tab(at(small, "/runs"))
    loaded(tab.page, ROW)
    tab.page.get_by_role("button", name="Star How do tides work?").click()
    tab.page.wait_for_selector(f"{ROW} button.star[aria-pressed=true]")
    assert small.get(f"/api/v1/runs/{TALK}").json()["is_starred"] is True
    tab.page.get_by_label("Starred").check()
    tab.page.wait_for_url("**starred=true*")
    tab.page.locator(ROW).nth(1).wait_for(state="detached")
    assert names(tab) == ["How do tides work?"]


def test_what_is_deleted_is_back_after_undo_and_the_bin_gives_it_back_later(small: Running, open_tab: Open) -> None:
    tab = open_tab(at(small, f"/runs/{TALK}"))
    loaded(tab.page, "tb-run-head h1")
    tab.page.get_by_role("button", name="Delete").click()
    tab.page.get_by_text("is in the bin").wait_for()
    assert tab.page.url.endswith("/runs")
    assert small.get(f"/api/v1/runs/{TALK}").status == 404
    tab.page.get_by_role("button", name="Undo").click()
    tab.page.wait_for_selector(ROW)
    assert small.get(f"/api/v1/runs/{TALK}").status == 200
    tab.page.get_by_role("button", name="Delete How do tides work?").click()
    tab.page.get_by_text("No runs yet").wait_for()
    tab.page.get_by_label("Bin").check()
    tab.page.get_by_role("button", name="Restore How do tides work?").click()
    tab.page.get_by_text("The bin holds no such run").wait_for()
    assert small.get(f"/api/v1/runs/{TALK}").status == 200


def test_a_run_in_the_bin_is_told_to_be_there(small: Running, open_tab: Open) -> None:
    assert small.ask("DELETE", f"/api/v1/runs/{TALK}").status == 204
    tab = open_tab(at(small, f"/runs/{TALK}"))
    tab.page.get_by_text("is in the bin since").wait_for()
    tab.told.clear()  # The browser notes the 404 by which the page learnt of it.
    tab.page.get_by_role("button", name="Restore").click()
    loaded(tab.page, "tb-run-head h1")
    assert small.get(f"/api/v1/runs/{TALK}").status == 200


def test_an_empty_ledger_says_how_a_run_comes_about(start: Start, open_tab: Open) -> None:
    server = start()
    tab = open_tab(at(server, "/runs"))
    tab.page.get_by_text("No runs yet").wait_for()
    tab.shot("runs-empty")
    assert barriers(tab.page) == []


def test_each_message_has_its_cost_and_the_last_sum_is_the_runs(small: Running, open_tab: Open) -> None:
    tab = open_tab(at(small, f"/runs/{TALK}"))
    loaded(tab.page, "tb-conversation li")
    run = small.get(f"/api/v1/runs/{TALK}").json()
    assert run["calls"] == 3 and run["cost_usd"] > 0
    shown = tab.page.locator("tb-conversation li.entry").all_inner_texts()
    assert len(shown) == 6  # Five messages, and the task that failed without one.
    assert "How do tides work?" in shown[0] and "youtu" in shown[0].lower()
    assert "overloaded" in shown[3]
    assert "in\n\N{EN DASH}" in shown[3]  # What is unknown is not 0.
    assert "so far" in shown[-1]
    exact = tab.page.locator("tb-conversation li.entry").last.locator("dd[title$='unpriced'], dd[title$='USD']").last
    assert f"{run['cost_usd']:.9f}".rstrip("0") in str(exact.get_attribute("title"))


def test_the_tree_is_the_interfaces_and_goes_by_keyboard_alone(talking: Running, open_tab: Open) -> None:
    run_id = agent(talking)
    told = talking.get(f"/api/v1/runs/{run_id}/tree").json()
    assert told["steps"] > 0
    tab = open_tab(at(talking, f"/runs/{run_id}?view=execution"))
    loaded(tab.page, ITEM)
    items = tab.page.locator(ITEM)
    before = items.count()
    assert items.first.get_attribute("aria-expanded") == "true"
    items.first.focus()
    tab.page.keyboard.press("ArrowLeft")
    assert items.first.get_attribute("aria-expanded") == "false"
    tab.page.keyboard.press("ArrowRight")
    assert items.count() == before
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("End")
    tab.page.keyboard.press("Home")
    calls = {node["id"] for node in told["nodes"] if node["kind"] == "call"}
    for _ in range(10):
        focused = items.first.evaluate("one => one.getRootNode().activeElement.dataset.key")
        if focused in calls:
            break
        tab.page.keyboard.press("ArrowDown")
    assert focused in calls
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url(f"**call={focused}*")
    loaded(tab.page, "tb-call-detail dl")
    tab.shot("run-call")
    assert barriers(tab.page) == []
    tab.page.keyboard.press("Escape")
    assert "call=" not in tab.page.url


def test_repeats_are_one_line_that_opens(start: Start, open_tab: Open) -> None:
    server = start()
    log = {"operation": "search", "model": "gpt-4o", "provider": "openai", "input_tokens": 100, "output_tokens": 5}
    for _ in range(14):
        assert server.post("/api/ai-usage", {**log, "run_id": "many"}).status == 201
    followed(server)
    tab = open_tab(at(server, "/runs/many"))
    loaded(tab.page, ITEM)
    assert tab.page.locator(ITEM).count() == 1
    shown = tab.page.locator(ITEM).inner_text()
    assert "\N{MULTIPLICATION SIGN}14 search" in shown and "∑" in shown
    tab.page.locator(ITEM).focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.locator(ITEM).nth(14).wait_for()


def test_it_is_renamed_tagged_archived_and_resumed(small: Running, open_tab: Open) -> None:
    def run() -> dict[str, Any]:
        found: dict[str, Any] = small.get(f"/api/v1/runs/{TALK}").json()
        return found

    tab = open_tab(at(small, f"/runs/{TALK}"))
    loaded(tab.page, "tb-run-head h1")
    tab.page.get_by_role("button", name="Rename").click()
    tab.page.keyboard.type("Moon and sun")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("heading", name="Moon and sun").wait_for()
    assert run()["name"] == "Moon and sun" and tab.page.title().startswith("Moon and sun")
    tab.page.get_by_label("Add a tag").fill("tides, sea")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("button", name="Remove the tag sea").wait_for()
    tab.page.get_by_role("button", name="Remove the tag science").click()
    tab.page.get_by_role("button", name="Remove the tag science").wait_for(state="detached")
    assert run()["tags"] == ["sea", "tides"]
    tab.page.get_by_role("button", name="Archive").click()
    tab.page.get_by_role("button", name="Resume").wait_for()
    assert run()["status"] == "archived"
    tab.page.get_by_role("button", name="Resume").click()
    tab.page.get_by_role("button", name="Archive").wait_for()
    assert run()["status"] == "active"


def test_a_link_is_made_copied_and_revoked(small: Running, open_tab: Open) -> None:
    tab = open_tab(at(small, f"/runs/{TALK}"))
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    loaded(tab.page, "tb-run-head h1")
    tab.page.get_by_role("button", name="Share").click()
    loaded(tab.page, "tb-run-share form")
    tab.page.get_by_label("For").fill("Ann")
    tab.page.get_by_role("button", name="Make a link").click()
    field = tab.page.get_by_label("The new link, shown this once")
    field.wait_for()
    link = field.input_value()
    tab.shot("run-share")
    assert barriers(tab.page) == []
    tab.page.get_by_role("button", name="Copy").click()
    tab.page.get_by_text("Copied.").wait_for()
    assert tab.page.evaluate("navigator.clipboard.readText()") == link
    path = "/s/" + link.rpartition("/s/")[2]
    assert small.get(path).json()["name"] == "How do tides work?"
    tab.page.get_by_role("button", name="Revoke the link Ann").click()
    tab.page.get_by_text("revoked", exact=True).wait_for()
    assert small.get(path).status == 404


@pytest.mark.parametrize("which", ["agent", "talk"])
def test_the_figures_of_a_run_are_the_interfaces(talking: Running, open_tab: Open, which: str) -> None:
    run_id = TALK if which == "talk" else agent(talking)
    told = talking.get(f"/api/v1/runs/{run_id}/tree").json()
    asked = talking.get(f"/api/v1/query?measures=calls,cost_nanousd,errors&filter=run_id:eq:{run_id}").json()["rows"][0]
    assert (told["calls"], told["failed_calls"]) == (asked["calls"], asked["errors"])
    assert told["cost_nanousd"] == asked["cost_nanousd"]
    tab = open_tab(at(talking, f"/runs/{run_id}"))
    loaded(tab.page, "tb-figure")
    figures = {one.get_attribute("label"): one for one in tab.page.query_selector_all("tb-figure")}
    exact = {label: one.get_attribute("exact") for label, one in figures.items()}
    cost = exact["Cost"].split(" USD")[0].replace(",", "")
    assert (None if cost == "unknown" else float(cost)) == pytest.approx(told["cost_usd"], abs=1e-9)
    assert exact["Calls"] == f"{told['calls']:,}"
    for label, number in (("Calls", told["failed_calls"]), ("Steps", told["errors"] - told["failed_calls"])):
        if label in figures:
            assert figures[label].get_attribute("note") == (f"{number} failed" if number else "")
    assert ("Steps" in figures) is (told["steps"] > 0)
    assert exact["Tokens"] == f"{told['input_tokens']:,} in, {told['output_tokens']:,} out"
    calls = [node for node in told["nodes"] if node["kind"] == "call"]
    read = sum(node["cache_read_tokens"] or 0 for node in calls)
    assert exact["Input from cache"].startswith(f"{read:,} of ")
    shown = tab.page.evaluate(
        "async (ms) => (await import('/assets/lib/format.js')).duration(ms * 1000)", told["duration_ms"]
    )
    assert figures["From first to last"].get_attribute("value") == shown
    if which == "talk":
        assert exact["Messages"] == str(len(talking.get(f"/api/v1/runs/{run_id}/messages").json()["messages"]))


def test_the_list_shows_what_the_interface_tells_of_each_run(talking: Running, open_tab: Open) -> None:
    told = talking.get("/api/v1/runs?limit=20").json()["runs"]
    tab = open_tab(at(talking, "/runs"), width=1920)
    loaded(tab.page, ROW)
    format_ = """async (runs) => { const { count, money } = await import('/assets/lib/format.js');
      return runs.map((run) => [count(run.calls), money(run.cost_nanousd)]); }"""
    expected = tab.page.evaluate(format_, [{"calls": r["calls"], "cost_nanousd": r["cost_nanousd"]} for r in told])
    rows = [row.inner_text() for row in tab.page.locator(ROW).all()[: len(told)]]
    for text, run, (calls, cost) in zip(rows, told, expected, strict=True):
        cells = text.replace("\n", "\t").split("\t")
        assert calls in cells, (run["run_id"], cells)
        assert any(cell.removesuffix("+") == cost for cell in cells) or run["cost_nanousd"] is None, (cost, cells)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_scores_of_the_whole_run_stand_under_its_figures(small: Running, open_tab: Open, scheme: str) -> None:
    score = {"name": "solved", "value": "yes", "dataType": "CATEGORICAL", "comment": "at once", "traceId": TALK}
    assert small.post("/api/public/scores", score).status == 200
    assert [one["name"] for one in small.get(f"/api/v1/runs/{TALK}/tree").json()["feedback"]] == ["solved"]
    tab = open_tab(at(small, f"/runs/{TALK}"), scheme=scheme)
    loaded(tab.page, "tb-run table[aria-labelledby=scores] tr")
    row = tab.page.locator("tb-run table[aria-labelledby=scores] tr").inner_text().split("\t")
    assert [part.strip() for part in row] == ["solved", "yes", "at once"]
    tab.shot(f"run-scores-{scheme}")
    assert barriers(tab.page) == []
