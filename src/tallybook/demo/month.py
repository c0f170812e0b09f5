"""The workings of the demo's month: clocks, ids, durations and failures, from which records are made.

It makes single calls and steps as they would have gone; `company` says who asks for what and when. The same seed gives
the same records: one generator is drawn from in one order.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tallybook.model import ids
from tallybook.model.call import Call, Cost, Step, ToolCall
from tallybook.model.codec import encode, encode_step, time_of, unix_us_of
from tallybook.model.usage import Usage

SECOND = 1_000_000
MINUTE = 60 * SECOND
ZONE = "Europe/Berlin"
"""The company's time zone: office hours and weekends are local."""

_FAILURES = (
    ("rate_limit_error", "Rate limit reached for requests per minute", 429),
    ("APITimeoutError", "Request timed out.", None),
    ("invalid_request_error", "This model's maximum context length was exceeded", 400),
    ("api_error", "Internal server error", 500),
)
_OVERLOADED = ("overloaded_error", "Overloaded", 529)
_LIMITED = ("rate_limit_error", "Rate limit reached for tokens per minute", 429)


class Model(NamedTuple):
    """A model as the company uses it, and how fast it usually is."""

    provider: str
    model: str
    answered: str
    ttft_s: float
    """Usual time to the first token."""
    speed: float
    """Tokens of output a second."""
    thinks: float = 0.0
    """Share of the output that is reasoning."""
    operation: str = "chat"


class Who(NamedTuple):
    """What the application knows about its own call."""

    project: str
    environment: str
    user: str | None
    run: str | None = None
    session: str | None = None
    agent: str | None = None
    branch: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}


class Ask(NamedTuple):
    """One request in numbers: `cached` of the `prompt` tokens were sent before, `written` are new to the cache."""

    name: str
    prompt: int
    output: int
    cached: int = 0
    written: int = 0
    stream: bool = False
    tools: tuple[ToolCall, ...] = ()
    searches: int = 0
    preview: str | None = None


class Ended(NamedTuple):
    """When a call ended, whether it was answered, and its record."""

    at_us: int
    is_answered: bool
    call: Call | None = None


class Turn(NamedTuple):
    """A question of a chat, and the last call that tried to answer it."""

    at_us: int
    question: str
    ended: Ended


class Chat(NamedTuple):
    """A conversation: whose it is, and its turns."""

    who: Who
    turns: list[Turn]


class Month:
    """Makes the records of a month, day by day, and hands each day's lines over when no more can come."""

    def __init__(self, seed: int, since_us: int, until_us: int, scale: float) -> None:
        self.rng = random.Random(seed)  # noqa: S311  (repeatable on purpose; nothing secret comes of it)
        self.zone = ZoneInfo(ZONE)
        self.since_us, self.until_us, self.scale = since_us, until_us, scale
        days = (until_us - since_us) // (86_400 * SECOND)
        weekdays = [day for day in range(days + 1) if self.local_day(day).weekday() < 4]
        self.runaway_day = weekdays[len(weekdays) * 4 // 5] if weekdays else -1
        self.incident_us = (0, 0)
        if weekdays:
            start = self.local(self.local_day(weekdays[len(weekdays) * 2 // 3]), 9)
            self.incident_us = (start, start + 10 * 60 * MINUTE)
        self.calls: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self.steps: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self.chats: list[Chat] = []

    def local_day(self, number: int) -> date:
        """The local date that many days after the first."""
        return (time_of(self.since_us).astimezone(self.zone) + timedelta(days=number)).date()

    def local(self, day: date, hour: int) -> int:
        """The UTC moment of a local hour."""
        return unix_us_of(datetime(day.year, day.month, day.day, hour, tzinfo=self.zone).astimezone(UTC))

    def is_incident(self, at_us: int) -> bool:
        """Whether the one provider is overloaded at that moment."""
        return self.incident_us[0] <= at_us < self.incident_us[1]

    def moment(self, day: date, hours: Sequence[float]) -> int:
        """A moment of a local day, by the weights of its hours."""
        return self.local(day, self.rng.choices(range(24), hours)[0]) + int(self.rng.random() * 3_600 * SECOND)

    def count(self, mean: float) -> int:
        """A whole number about `mean` times the scale."""
        mean *= self.scale
        return max(0, round(self.rng.gauss(mean, mean * 0.12)))

    def some(self, low: int, high: int) -> int:
        """A whole number of tokens between the bounds, more often small than large."""
        return int(low * (high / low) ** (self.rng.random() ** 1.4))

    def uuid(self, at_us: int) -> str:
        """An id of that moment."""
        return ids.uuid7(at_us // 1_000, self.rng.getrandbits(74))

    def zipf(self, names: Sequence[str]) -> str:
        """One of the names, the first ones far more often."""
        return self.rng.choices(names, [1 / (rank + 1) for rank in range(len(names))])[0]

    def step(self, step_id: str, at_us: int, end_us: int, kind: str, name: str, who: Who, **more: Any) -> None:
        """Write a step that has ended, if it began within the month. `more` sets fields of `Step`."""
        if self.since_us <= at_us < self.until_us:
            step = Step(
                step_id=step_id, started_at_us=at_us, duration_us=end_us - at_us, kind=kind, name=name, run_id=who.run,
                **more,
            )  # fmt: skip
            self.steps[time_of(at_us).date().isoformat()].append((at_us, encode_step(step)))

    def tools(self, choices: Sequence[tuple[str, float]], count: int) -> tuple[ToolCall, ...]:
        """Tools that a model asks for, with how long the application took to run them and whether it failed."""
        found = []
        for name, usual_s in self.rng.choices(choices, k=count):
            failed = self.rng.random() < (0.09 if name in ("run_tests", "refund_payment") else 0.02)
            found.append(
                ToolCall(
                    name=name,
                    id=f"call_{self.rng.getrandbits(96):024x}",
                    duration_us=int(usual_s * SECOND * self.rng.lognormvariate(0, 0.5)),
                    error="TimeoutError: no answer in 10 s" if failed else None,
                )
            )
        return tuple(found)

    def call(self, at_us: int, model: Model, who: Who, ask: Ask, parent: str | None = None, **more: Any) -> Ended:
        """Write a call as it went and tell how it ended. `more` sets fields of `Call`."""
        rng = self.rng
        trouble = self.trouble(at_us, model)
        helped = 0.15 if trouble is _OVERLOADED else 0.5
        retries = rng.choice((1, 1, 2)) if trouble is not None and rng.random() < helped else 0
        slow = rng.lognormvariate(0, 0.3) * (2.2 if self.is_incident(at_us) and model.provider == "anthropic" else 1)
        wait_us = int(retries * 2.5 * slow * SECOND)
        ttft_us = int((model.ttft_s + ask.prompt / 90_000) * slow * SECOND)
        if trouble is not None and not retries:
            failed = self.failed(at_us, model, who, ask, trouble, parent)
            self.write(failed)
            return Ended(at_us + (failed.duration_us or 0), False, failed)
        kept = 1.0
        status = "ok"
        flags: tuple[str, ...] = ()
        if ask.stream and rng.random() < 0.012:
            kept = rng.uniform(0.05, 0.8)
            status = rng.choice(("cancelled", "incomplete"))
            flags = ("usage_estimated",)
        output = int(ask.output * kept)
        duration_us = wait_us + ttft_us + int(output / model.speed * slow * SECOND) + 40_000
        usage = _usage(model, ask, output)
        fields: dict[str, Any] = {
            "status": status,
            "flags": flags,
            "finish_reasons": () if flags else (_finish(model, bool(ask.tools)),),
            "usage": usage,
            "usage_raw": None,
            "duration_us": duration_us,
            "ttft_us": wait_us + ttft_us if ask.stream else None,
            "response_model": model.answered,
            "response_id": None if flags else self.response_id(model),
            "tool_calls": ask.tools,
            "retries": retries,
            "response_hash": f"sha256:{rng.getrandbits(256):064x}" if output else None,
            "response_chars": None if model.operation == "embeddings" else output * 4,
        }
        if model.provider == "openrouter":
            price = ask.prompt * 550 + output * 2_200
            fields["cost"] = Cost(status="reported", total_nanousd=price)
        call = self.record(at_us, model, who, ask, parent, {**fields, **more})
        self.write(call)
        return Ended(at_us + duration_us, not flags, call)

    def trouble(self, at_us: int, model: Model) -> tuple[str, str, int | None] | None:
        """Why a request fails, if it does."""
        if self.is_incident(at_us) and model.provider == "anthropic":
            return _OVERLOADED if self.rng.random() < 0.8 else None
        if self.is_incident(at_us) and model.provider == "openai" and self.rng.random() < 0.15:
            return _LIMITED  # Everybody's traffic moved over.
        if self.rng.random() < 0.007:
            return self.rng.choices(_FAILURES, (5, 2, 1, 2))[0]
        return None

    def failed(
        self, at_us: int, model: Model, who: Who, ask: Ask, why: tuple[str, str, int | None], parent: str | None
    ) -> Call:
        """The record of a call that failed after the SDK's own two retries."""
        retries = 0 if why[2] == 400 else 2
        duration_us = int((60 if why[2] is None else 0.3 + retries * 1.4) * SECOND * self.rng.lognormvariate(0, 0.2))
        fields = {
            "status": "error",
            "error_type": why[0],
            "error_message": why[1],
            "http_status": why[2],
            "retries": retries,
            "duration_us": duration_us,
        }
        return self.record(at_us, model, who, ask, parent, fields)

    def record(self, at_us: int, model: Model, who: Who, ask: Ask, parent: str | None, fields: dict[str, Any]) -> Call:
        """A call with what is known before it is answered, and `fields` over it."""
        known: dict[str, Any] = {
            "operation": model.operation,
            "name": ask.name,
            "provider": model.provider,
            "model": model.model,
            "run_id": who.run,
            "parent_id": parent,
            "project": who.project,
            "environment": who.environment,
            "user_id": who.user,
            "session_id": who.session,
            "agent_name": who.agent,
            "tags": who.tags,
            "metadata": who.metadata,
            "git_branch": who.branch,
            "is_stream": ask.stream,
            "prompt_hash": f"sha256:{self.rng.getrandbits(256):064x}",
            "prompt_chars": ask.prompt * 4,
            "prompt_preview": ask.preview,
        }
        return Call(call_id=self.uuid(at_us), started_at_us=at_us, **{**known, **fields})

    def write(self, call: Call) -> None:
        """Put the call's line to its day, if it lies within the month."""
        if self.since_us <= call.started_at_us < self.until_us:
            day = time_of(call.started_at_us).date().isoformat()
            self.calls[day].append((call.started_at_us, encode(call)))

    def response_id(self, model: Model) -> str:
        """An id in the provider's fashion."""
        bits = self.rng.getrandbits(96)
        match model.provider:
            case "anthropic":
                return f"msg_01{bits:024x}"
            case "google":
                return f"{bits:024x}"
            case "openrouter":
                return f"gen-{bits:024x}"
            case _:
                return f"chatcmpl-{bits:024x}"


def _usage(model: Model, ask: Ask, output: int) -> Usage:
    if model.operation == "embeddings":
        return Usage(input_tokens=ask.prompt)
    cached = ask.cached // 128 * 128 if model.provider == "openai" and ask.cached >= 1_024 else 0
    if model.provider in ("anthropic", "google", "mistral"):
        cached = ask.cached
    return Usage(
        input_tokens=ask.prompt,
        output_tokens=output,
        cache_read_tokens=cached if model.provider in ("anthropic", "google", "mistral", "openai") else None,
        cache_write_5m_tokens=ask.written if model.provider == "anthropic" else None,
        reasoning_tokens=int(output * model.thinks) if model.thinks else None,
        requests={"web_search": ask.searches} if ask.searches else {},
    )


def _finish(model: Model, uses_tools: bool) -> str:
    match model.provider:
        case "anthropic":
            return "tool_use" if uses_tools else "end_turn"
        case "google":
            return "STOP"
        case _:
            return "tool_calls" if uses_tools else "stop"
