"""The demo's company: its people, models, projects, and what they ask for on an ordinary day and on two others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tallybook.demo.month import MINUTE, SECOND, Ask, Chat, Ended, Model, Month, Turn, Who
from tallybook.model.call import ToolCall

_TERRA = Model("openai", "gpt-6.1-terra", "gpt-6.1-terra", 0.55, 95, 0.2)
_LUNA = Model("openai", "gpt-6-luna", "gpt-6-luna", 0.3, 160)
_GPT54 = Model("openai", "gpt-5.4", "gpt-5.4", 0.9, 70, 0.35)
_EMBED = Model("openai", "text-embedding-3-small", "text-embedding-3-small", 0.0, 9_000, 0, "embeddings")
_HAIKU = Model("anthropic", "claude-haiku-5-5", "claude-haiku-5-5", 0.45, 140)
_SONNET = Model("anthropic", "claude-sonnet-5-5", "claude-sonnet-5-5", 0.95, 75)
_OPUS = Model("anthropic", "claude-opus-5-5", "claude-opus-5-5", 1.5, 48)
_FLASH = Model("google", "gemini-2.5-flash", "gemini-2.5-flash", 0.4, 190, 0.25, "generate_content")
_PRO = Model("google", "gemini-2.5-pro", "gemini-2.5-pro", 1.3, 80, 0.5, "generate_content")
_MISTRAL = Model("mistral", "mistral-medium-latest", "mistral-medium-3-5", 0.5, 85)
_ROUTED = Model("openrouter", "moonshotai/kimi-k2", "moonshotai/kimi-k2", 0.8, 60)
_LOCAL = Model("ollama", "qwen3:8b", "qwen3:8b", 0.25, 32)
_UNLISTED = Model("inhouse", "nordwind-7b-contracts", "nordwind-7b-contracts", 0.2, 110)

_PEOPLE = (
    "mara", "jonas", "aylin", "tobias", "li", "sofia", "pawel", "hannah", "mehmet", "greta", "noah", "ines", "kwame",
    "elena", "finn", "amira", "lukas", "zoe", "davide", "olga", "ravi", "clara", "emil", "nadia", "theo",
)  # fmt: skip
_DEVELOPERS = _PEOPLE[1:11]
_CUSTOMERS = (
    "baltic-freight",
    "kaffee-kranz",
    "hofmann-tools",
    "alpenmilch",
    "nordlicht-energie",
    "papierhaus",
    "veloce",
)
_BRANCHES = ("main", "feat/refund-flow", "fix/login-timeout", "feat/bulk-import", "chore/upgrade-deps", "feat/sso")
QUESTIONS = (
    "Where is my order? It was due on Tuesday.",
    "The invoice shows the wrong VAT number.",
    "How do I add a second user to my account?",
    "My parcel arrived damaged, what now?",
    "Can I change the delivery address after ordering?",
    "The export to CSV stops after 1,000 rows.",
    "I was charged twice this month.",
    "Do you ship to Switzerland?",
)
_SUPPORT_TOOLS = (("lookup_order", 0.18), ("search_kb", 0.35), ("create_ticket", 0.5), ("refund_payment", 0.9))
_CODE_TOOLS = (("read_file", 0.01), ("grep", 0.05), ("run_tests", 14.0), ("git_diff", 0.04), ("edit_file", 0.02))
"""Tools with their usual duration in seconds."""

_OFFICE = (1, 1, 0.5, 0.5, 0.5, 1, 3, 8, 22, 34, 38, 34, 22, 27, 36, 35, 31, 22, 12, 8, 7, 6, 4, 2)
_EVENINGS = (6, 4, 2, 1, 1, 1, 2, 5, 9, 12, 14, 14, 12, 12, 13, 14, 15, 17, 20, 22, 21, 18, 13, 9)
"""Weight of each local hour: for people in the office, and for customers who write at any time."""


def _insist(
    month: Month, at: int, models: Sequence[Model], who: Who, ask: Ask, parent: str | None = None
) -> tuple[Ended, Model]:
    """Ask the models in turn until one answers, as an application with a second provider does."""
    ended, model = Ended(at, False), models[0]
    for model in models:
        ended = month.call(ended.at_us, model, who, ask, parent)
        if ended.is_answered:
            break
        ask = ask._replace(cached=0, written=ask.prompt)  # The other provider's cache is cold.
    return ended, model


def _support_chat(month: Month, day: date, environment: str = "prod") -> None:
    """A customer's chat: a growing conversation on a cached prompt, each turn sorted first, some with tools."""
    rng = month.rng
    at = month.moment(day, _EVENINGS)
    customer = month.zipf(_CUSTOMERS)
    who = Who(
        "support-bot", environment, month.zipf(_PEOPLE), month.uuid(at), f"chat-{rng.getrandbits(40):010x}",
        "support", "main", ("chat",) if environment == "prod" else ("chat", "rehearsal"),
        {"customer": customer, "feature": "chat", "ticket": f"SUP-{rng.randrange(2_000, 9_000)}"},
    )  # fmt: skip
    model = rng.choices((_HAIKU, _TERRA, _MISTRAL), (6, 3, 1))[0]
    prompt, cached = 5_200, 0
    turns: list[Turn] = []
    month.chats.append(Chat(who, turns))
    for _ in range(min(12, 1 + int(rng.expovariate(0.38)))):
        question = _another(rng.choice(QUESTIONS), turns)
        said = month.some(20, 180)
        at = month.call(at, _LUNA, who, Ask("classify_intent", 320 + said, 6, preview=question)).at_us
        began, turn = at, month.uuid(at)
        ended = Ended(at, False)
        prompt += said
        tools = month.tools(_SUPPORT_TOOLS, 1) if rng.random() < 0.45 else ()
        for used in (tools, ()) if tools else ((),):
            output = month.some(40, 120) if used else month.some(80, 420)
            ask = Ask("answer_customer", prompt, output, cached, prompt - cached, True, used, 0, question)
            other = _TERRA if model is not _TERRA else _HAIKU
            ended, model = _insist(month, at, (model, model, other), who, ask, turn)
            at = ended.at_us
            if not ended.is_answered:
                turns.append(Turn(began, question, ended))
                month.step(turn, began, at, "chain", "answer_customer", who, status="error", input_preview=question)
                return  # The customer is told to try later.
            cached, prompt = prompt, prompt + output
            if used:
                at = _run_tools(month, at, who, turn, used)
                prompt += 350 + month.some(100, 900)
        turns.append(Turn(began, question, ended))
        month.step(turn, began, at, "chain", "answer_customer", who, input_preview=question)
        at += int(rng.lognormvariate(3.6, 0.8) * SECOND)
        if rng.random() < 0.06:
            at, cached = at + 20 * MINUTE, 0  # The customer came back when the cache was cold.


def _another(question: str, turns: Sequence[Turn]) -> str:
    """The question, or the next one that was not asked in this chat yet."""
    asked = {turn.question for turn in turns}
    place = QUESTIONS.index(question)
    return next((one for one in (*QUESTIONS[place:], *QUESTIONS[:place]) if one not in asked), question)


def _run_tools(month: Month, at: int, who: Who, parent: str, tools: Sequence[ToolCall]) -> int:
    for tool in tools:
        end = at + (tool.duration_us or 0)
        month.step(
            month.uuid(at), at, end, "tool", tool.name, who, parent_id=parent, tool_call_id=tool.id,
            status="error" if tool.error else "ok", error_message=tool.error,
        )  # fmt: skip
        at = end
    return at


def _doc_question(month: Month, day: date) -> None:
    """A question to the document search: embed it, fetch passages, answer with sources, at times after a web search."""
    rng = month.rng
    at = month.moment(day, _OFFICE)
    who = Who(
        "doc-search", "prod", month.zipf(_PEOPLE[::-1]), month.uuid(at), None, "librarian", "main", ("rag",),
        {"customer": month.zipf(_CUSTOMERS), "feature": "search"},
    )  # fmt: skip
    began, root = at, month.uuid(at)
    at = month.call(at, _EMBED, who, Ask("embed_query", month.some(8, 60), 0), root).at_us
    found, fetched = rng.randrange(3, 9), at + rng.randrange(12_000, 90_000)
    month.step(
        month.uuid(at), at, fetched, "retrieval", "vector_search", who, parent_id=root, metadata={"found": found}
    )  # fmt: skip
    searches = rng.choice((1, 1, 2)) if rng.random() < 0.12 else 0
    model = rng.choices((_FLASH, _PRO), (7, 2))[0] if not searches else _SONNET
    searched = (ToolCall(name="web_search", server_side=True),) * searches
    prompt = 700 + found * month.some(350, 900)
    ask = Ask("answer_with_sources", prompt, month.some(120, 700), 0, 0, True, searched, searches)
    ended = month.call(fetched, model, who, ask, root)
    status = "ok" if ended.is_answered else "error"
    month.step(root, began, ended.at_us, "chain", "answer_with_sources", who, status=status)


def _indexing(month: Month, day: date) -> None:
    """The nightly embedding of documents that changed."""
    at = month.moment(day, (0, 0, 0, 1, *(0,) * 20))
    who = Who("doc-search", "prod", "indexer", month.uuid(at), None, "indexer", "main", ("nightly",))
    for _ in range(month.count(45)):
        ask = Ask("index_documents", month.some(2_000, 7_800), 0)
        at = month.call(at, _EMBED, who, ask).at_us + 200_000


def _review(month: Month, day: date) -> None:
    """An agent reviews a branch: reads, greps, runs tests, its context growing with every turn."""
    at = month.moment(day, _OFFICE)
    model = month.rng.choices((_SONNET, _OPUS, _TERRA), (7, 2, 2))[0]
    _agent(month, at, model, min(38, 3 + int(month.rng.expovariate(0.13))), month.zipf(_DEVELOPERS))


def _agent(month: Month, at: int, model: Model, turns: int, user: str, growth: int = 1_900, cold: float = 0.04) -> None:
    """`cold` is how often the cache has gone before the next turn, because something took too long."""
    rng = month.rng
    branch = rng.choice(_BRANCHES[1:])
    who = Who(
        "code-review", rng.choice(("dev", "dev", "ci")), user, month.uuid(at), f"cr-{rng.getrandbits(32):08x}",
        "reviewer", branch, ("agent",), {"feature": "review", "pull_request": rng.randrange(400, 900)},
    )  # fmt: skip
    began, root = at, month.uuid(at)
    status = "ok"
    prompt, cached = 9_500, 0
    for turn in range(turns):
        tools = month.tools(_CODE_TOOLS, rng.choice((1, 1, 1, 2, 3))) if turn < turns - 1 else ()
        output = month.some(60, 500) if tools else month.some(400, 1_500)
        name = "review_step" if tools else "write_review"
        ask = Ask(name, prompt, output, cached, prompt - cached, False, tools)
        ended = month.call(at, model, who, ask, root)
        if not ended.is_answered:
            ended = month.call(ended.at_us + 20 * SECOND, model, who, ask, root)
            if not ended.is_answered:
                at, status = ended.at_us, "error"
                break
        at = _run_tools(month, ended.at_us, who, root, tools)
        cached = prompt
        if rng.random() < cold:
            at, cached = at + 6 * MINUTE, 0
        prompt += output + (month.some(growth // 5, growth * 3) if tools else 0)

    month.step(root, began, at, "agent", "review_branch", who, status=status, input_preview=branch)


def _runaway(month: Month, day: date) -> None:
    """One review that nobody stopped: hundreds of turns on the dearest model, slow tests letting the cache go cold."""
    at = month.moment(day, (0,) * 15 + (1,) + (0,) * 8)
    turns = max(12, min(260, round(260 * month.scale)))
    _agent(month, at, _OPUS, turns, _DEVELOPERS[3], growth=1_700, cold=0.3)


def _reports(month: Month, day: date) -> None:
    """The nightly reports: a batch of large prompts, and a summary of it."""
    rng = month.rng
    at = month.moment(day, (0, 0, 1, *(0,) * 21))
    for customer in _CUSTOMERS:
        who = Who(
            "report-writer", "prod", None, month.uuid(at), None, "reporter", "main", ("nightly", "batch"),
            {"customer": customer, "feature": "weekly-report" if day.weekday() == 0 else "daily-report"},
        )  # fmt: skip
        for _ in range(month.count(9 if day.weekday() == 0 else 4)):
            ask = Ask("extract_figures", month.some(6_000, 60_000), month.some(200, 900))
            month.call(at, _GPT54, who, ask, is_batch=True, duration_us=None)
            at += rng.randrange(1, 4) * SECOND
        large = month.some(30_000, 320_000)
        at = month.call(at, _PRO, who, Ask("summarise_period", large, month.some(600, 2_400))).at_us


def _playing(month: Month, day: date) -> None:
    """Somebody tries something, on any model: also those that no price list knows, and those at home."""
    rng = month.rng
    at = month.moment(day, _OFFICE)
    model = rng.choices((_LOCAL, _UNLISTED, _ROUTED, _OPUS, _PRO, _GPT54, _FLASH, _MISTRAL), (5, 3, 3, 1, 2, 2, 3, 2))[
        0
    ]
    user = month.zipf(_DEVELOPERS)
    who = Who("playground", "dev", user, None, f"nb-{user}-{day:%m%d}", None, None, ("notebook",))
    for _ in range(rng.randrange(1, 7)):
        name = rng.choice(("try_prompt", "compare_models", "generate_names", None))
        ask = Ask(name or "try_prompt", month.some(60, 5_000), month.some(30, 1_200), stream=rng.random() < 0.5)
        at = month.call(at, model, who, ask, source="track").at_us + rng.randrange(20, 200) * SECOND


def _rehearse(month: Month, day: date) -> None:
    """A run of the evaluation set against the staging bot: the same prompts each time, graded by another model."""
    at = month.moment(day, _OFFICE)
    who = Who("support-bot", "staging", "ci", month.uuid(at), None, "evaluator", "feat/refund-flow", ("eval",))
    began, root = at, month.uuid(at)
    for case in range(max(1, round(20 * month.scale))):
        shared = {"prompt_hash": f"sha256:{case:064x}", "metadata": {"feature": "eval", "case": case}}
        ask = Ask("eval_answer", 2_400 + case * 13, month.some(80, 400), 2_400)
        at = month.call(at, _HAIKU, who, ask, root, **shared).at_us
        at = month.call(at, _TERRA, who, Ask("grade_answer", 900 + case * 13, 40), root).at_us
    month.step(root, began, at, "chain", "evaluate", who)


def live(month: Month, number: int) -> None:
    """All that the company asked of its models on one local day."""
    day = month.local_day(number)
    is_weekend = day.weekday() >= 5
    busy = (0.3 if is_weekend else 1.0) * (1 + number * 0.006)
    for make, usual in (
        (_support_chat, 31 + 31 * busy),
        (_doc_question, 62 * busy),
        (_review, 9 * busy),
        (_playing, 8 * busy),
    ):
        for _ in range(month.count(usual)):
            make(month, day)
    _indexing(month, day)
    _reports(month, day)
    if not is_weekend:
        _rehearse(month, day)
        for _ in range(month.count(3)):
            _support_chat(month, day, "staging")
    if number == month.runaway_day:
        _runaway(month, day)
