"""A small company's ledger in memory, the same in every test: two weeks, known sums, every awkward case once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from tallybook.model.call import Call, Cost, Step, ToolCall
from tallybook.model.ids import uuid7
from tallybook.model.usage import Usage
from tallybook.store.memory import MemoryStore

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
"""A Sunday."""


def us(moment: datetime | str) -> int:
    """Microseconds since 1970 of a moment; text without a zone is UTC."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


NOW_US = us(NOW)

_numbers = count(1)


def call(at: datetime | str, model: str | None = "claude-haiku", cost: int | None = 1_000_000, **given: object) -> Call:
    """A call that cost so many nano-USD; `None` has no price."""
    started = us(at)
    tokens = {name: given.pop(name) for name in list(given) if name in Usage.__struct_fields__}
    usage = Usage(**{"input_tokens": 500, "output_tokens": 200, **tokens})  # type: ignore[arg-type]
    stated = (
        Cost(reasons=("unknown_model",))
        if cost is None
        else Cost(status="priced", total_nanousd=cost, input_nanousd=cost)
    )
    values: dict[str, object] = {
        "provider": "anthropic", "model": model, "duration_us": 1_200_000, "project": "shop", "user_id": "mia", **given,
    }  # fmt: skip
    return Call(
        call_id=uuid7(started // 1000, next(_numbers)), started_at_us=started, usage=usage, cost=stated, **values
    )  # type: ignore[arg-type]


def fortnight() -> list[Call]:
    """Twenty calls a day for fourteen days to NOW: 15 of claude-haiku, 5 of gpt-4o; at ten, on weekends at two."""
    found = []
    for back in range(14):
        day = NOW.replace(hour=0, minute=0) - timedelta(days=back)
        hour = 2 if day.weekday() >= 5 else 10
        for number in range(20):
            at = day + timedelta(hours=hour, minutes=3 * number)
            if number % 4:
                found.append(
                    call(at, "claude-haiku", 10_000_000, name="doc-search", duration_us=1_000_000 + 10_000 * number,
                         session_id=f"chat-{back}", cache_read_tokens=100, agent_name="finder")
                )  # fmt: skip
            else:
                found.append(
                    call(at, "gpt-4o", 90_000_000, name="code-analysis", provider="openai", project="mimir",
                         user_id="ben", duration_us=5_200_000, input_tokens=2_000, output_tokens=900,
                         metadata={"customer": "acme" if number else "globex"}, tags=("nightly",))
                )  # fmt: skip
    return found


def odd() -> list[Call]:
    """Calls with something unknown or unusual, all today."""
    return [
        call("2026-11-22T12:00:00", "mystery-1", None, project=None, name=None, user_id=None),
        call("2026-11-22T12:01:00", "mystery-1", None, environment="production"),
        call("2026-11-22T12:02:00", "mystery-2", None, duration_us=None),
        call("2026-11-22T12:03:00", "gpt-4o", 0, status="error", error_type="RateLimitError", error_message="slow down",
             provider="openai", input_tokens=None, output_tokens=None, http_status=429),
        call("2026-11-22T12:04:00", "claude-haiku", 3_100, name="tiny\x1b[31m", project="böse\n=1+1", is_stream=True,
             ttft_us=340_000),
    ]  # fmt: skip


RUN = "run-of-the-planner"


def tree() -> tuple[list[Call], list[Step]]:
    """One run: an agent with two calls, a tool step between that has a call of its own, and five like searches."""
    at = us("2026-11-22T13:00:00")

    def step(name: str, after_ms: int, **given: object) -> Step:
        return Step(step_id=name, started_at_us=at + after_ms * 1000, run_id=RUN, name=name, **given)  # type: ignore[arg-type]

    def within(after_ms: int, parent: str, cost: int | None, **given: object) -> Call:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at + after_ms * 1000)
        return call(moment, "gpt-4o", cost, run_id=RUN, parent_id=parent, provider="openai", **given)

    steps = [
        step("planner", 0, kind="agent", duration_us=9_000_000),
        step("research", 2_000, kind="tool", parent_id="planner", duration_us=4_000_000, tool_call_id="t1"),
    ]
    calls = [
        within(100, "planner", 5_000_000, name="plan", tool_calls=(ToolCall(name="research", id="t1"),)),
        within(2_100, "research", None, name="summarise", status="error", error_message="context too long"),
        *(within(3_000 + 100 * i, "research", 1_000_000, name="search", duration_us=90_000) for i in range(5)),
        within(7_000, "planner", 20_000_000, name="answer"),
    ]
    return calls, steps


def company() -> MemoryStore:
    """The whole ledger."""
    store = MemoryStore()
    calls, steps = tree()
    store.append([*fortnight(), *odd(), *calls], steps)
    return store
