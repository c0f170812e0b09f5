"""Random calls, steps and prices, by seed: everything a record can hold, with unknown values everywhere."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tallybook.model.call import Call, Cost, Step, ToolCall
from tallybook.model.ids import uuid7
from tallybook.model.usage import Usage
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import cost_of, key_of

START_US = 1_770_000_000_000_000 // 86_400_000_000 * 86_400_000_000
DAY_US = 86_400_000_000
FLAGS = [(), (), (), ("usage_estimated",), ("inference_geo:us",), ("unknown:gpu_hours", "usage_estimated")]
PARTS = (
    "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "input_audio_tokens", "input_image_tokens",
    "reasoning_tokens", "output_audio_tokens", "output_image_tokens",
)  # fmt: skip


class Book:
    """Prices by key, made up once each and kept."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._rates: dict[Key, tuple[Rate, ...]] = {}

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        for key in keys:
            if key not in self._rates:
                own = random.Random(repr(key))
                self._rates[key] = tuple(random_rate(own, number) for number in range(own.randrange(0, 5)))
        return {key: self._rates[key] for key in keys}

    def price(self, call: Call) -> Cost:
        key = key_of(call)
        return cost_of(call, self.rates([key])[key])


def random_rate(r: random.Random, number: int) -> Rate:
    def maybe(value, chance=0.5):
        return value if r.random() < chance else None

    return Rate(
        input_picousd=maybe(r.randrange(10**7), 0.9),
        output_picousd=maybe(r.randrange(10**8), 0.9),
        cache_read_picousd=maybe(r.randrange(10**6)),
        cache_write_5m_picousd=maybe(r.randrange(10**7)),
        cache_write_1h_picousd=maybe(r.randrange(10**7)),
        input_audio_picousd=maybe(r.randrange(10**8)),
        input_image_picousd=maybe(333),
        output_audio_picousd=maybe(99_999),
        output_image_picousd=maybe(5),
        reasoning_picousd=maybe(4_444),
        request_nanousd=r.choice([0, 0, 7]),
        tools_nanousd=maybe({"web_search": 10**7, "fetch": 5}) or {},
        above_input_tokens=r.choice([0, 0, 500, 900]),
        since_us=maybe(START_US + r.randrange(-DAY_US, 4 * DAY_US)),
        until_us=maybe(START_US + r.randrange(0, 6 * DAY_US), 0.3),
        price=f"made up: {number}",
        is_free=r.random() < 0.1,
        estimated=maybe('by the "hour", roughly', 0.2),
        lacking=r.choice([(), (), ("input_audio", "reasoning")]),
        cache_read_audio_picousd=maybe(77_777),
        cache_read_image_picousd=maybe(8),
        tools_once=r.choice([(), ("web_search",)]),
        units_attousd=maybe({"audio_ms": 100_000_000_000, "images": 40_000_000_000_000_001}) or {},
        units_instead=r.random() < 0.2,
        **random_hours(r),
    )


def random_hours(r: random.Random) -> dict[str, object]:
    """Hours and days of a rate, mostly all of them; one calendar for all."""
    if r.random() < 0.7:
        return {}
    start, end = sorted(r.sample(range(1441), 2))
    return {
        "from_minute": start,
        "to_minute": end,
        "days": r.choice(["", "work", "rest"]),
        "holidays": (START_US // DAY_US + 1, START_US // DAY_US + 2),
    }


def random_usage(r: random.Random) -> Usage:
    def maybe(value, chance):
        return value if r.random() < chance else None

    return Usage(
        input_tokens=maybe(r.randrange(0, 1500), 0.8),
        output_tokens=maybe(r.randrange(0, 800), 0.8),
        **{part: maybe(r.randrange(0, 300), 0.2) for part in PARTS},
        requests=maybe({"web_search": r.randrange(3), "other": r.randrange(2)}, 0.1) or {},
        quantities=maybe(
            r.choice(
                [
                    {"images": 2},
                    {"audio_ms": 90_001, "pages": 0},
                    {"pages": 3, "cache_read_audio_tokens": 40},
                    {"cache_read_audio_tokens": 7, "cache_read_image_tokens": 300},
                ]
            ),
            0.15,
        )
        or {},
    )


def random_call(r: random.Random, number: int, days: float = 5) -> Call:
    def maybe(value, chance=0.6):
        return value if r.random() < chance else None

    at_us = START_US + r.randrange(int(days * DAY_US))
    status = r.choice(["ok"] * 6 + ["error", "cancelled", "incomplete"])
    tools = tuple(
        ToolCall(
            name=r.choice(["search", "read_file", "bash"]),
            id=f"call_{number}_{position}",
            server_side=r.random() < 0.2,
            duration_us=maybe(r.randrange(10**6), 0.2),
            error=maybe("it broke", 0.1),
            arguments=maybe('{"q": "ä"}', 0.3),
        )
        for position in range(r.choice([0, 0, 0, 1, 2]))
    )
    model = maybe(r.choice(["m-small", "m-large", "m-vision"]), 0.95)
    return Call(
        call_id=uuid7(at_us // 1000, r.getrandbits(74)),
        started_at_us=at_us,
        operation=r.choice(["chat", "embeddings", "chat"]),
        name=maybe(r.choice(["summarise", "tag the ticket", "плановик"]), 0.4),
        provider=r.choice(["openai", "anthropic"]),
        model=model,
        response_model=maybe(f"{model}-2026", 0.5),
        response_id=maybe(f"resp-{number}", 0.7),
        run_id=maybe(f"run-{r.randrange(40)}", 0.6),
        parent_id=maybe("step-1", 0.1),
        duration_us=maybe(r.randrange(1, 10**8), 0.9),
        ttft_us=maybe(r.randrange(1, 10**6), 0.4),
        usage=random_usage(r),
        usage_raw=maybe({"prompt_tokens": 3, "details": {"a": None}}, 0.3),
        cost=maybe(Cost(status="reported", total_nanousd=r.randrange(10**12)), 0.05),
        tool_calls=tools,
        finish_reasons=maybe(("stop",), 0.8) or (),
        status=status,
        error_type=None if status == "ok" else maybe("RateLimitError"),
        error_message=None if status == "ok" else maybe('it said "no"\n'),
        http_status=maybe(429, 0.1),
        project=maybe(r.choice(["alpha", "beta", "O'Hara"])),
        environment=maybe(r.choice(["prod", "dev"])),
        user_id=maybe(f"user-{r.randrange(20)}"),
        session_id=maybe(f"session-{r.randrange(15)}", 0.5),
        agent_name=maybe(r.choice(["planner", "coder"]), 0.4),
        tags=tuple(r.sample(["red", "green", 'a "b", c'], r.choice([0, 0, 1, 2]))),
        metadata=maybe(
            {
                "customer": r.choice(["acme", "bolt"]),
                "attempt": r.randrange(3),
                "a/b~c": r.choice(["x", 2.5, True, None]),
            },
            0.5,
        )
        or {},
        git_branch=maybe("main", 0.3),
        service_tier=maybe("flex", 0.1),
        base_url=maybe("proxy.example", 0.1),
        is_stream=r.random() < 0.4,
        is_batch=r.random() < 0.1,
        retries=r.choice([0, 0, 1]),
        source=r.choice(["sdk", "sdk", "track"]),
        prompt_hash=maybe("sha256:" + f"{r.getrandbits(256):064x}", 0.9),
        response_hash=maybe("sha256:" + f"{r.getrandbits(256):064x}", 0.9),
        parameters=maybe({"temperature": 0.2}, 0.3) or {},
        prompt_chars=maybe(r.randrange(10**5)),
        response_chars=maybe(r.randrange(10**5)),
        prompt_preview=maybe("Hello, ...", 0.1),
        flags=r.choice(FLAGS),
    )


def random_calls(seed: int, count: int, days: float = 5) -> list[Call]:
    r = random.Random(seed)
    return [random_call(r, number, days) for number in range(count)]


def random_steps(seed: int, calls: Sequence[Call]) -> list[Step]:
    """Executions of some of the tools that the calls asked for, and some that nobody asked for."""
    r = random.Random(seed)
    steps: list[Step] = []
    for call in calls:
        for tool in call.tool_calls:
            if not tool.server_side and tool.duration_us is None and tool.error is None and r.random() < 0.5:
                steps.append(
                    Step(
                        step_id=f"step-{len(steps)}", started_at_us=call.started_at_us + 5, kind="tool", name=tool.name,
                        run_id=call.run_id, duration_us=r.randrange(10**6), tool_call_id=tool.id,
                        status=r.choice(["ok", "ok", "error"]),
                    )
                )  # fmt: skip
    for number in range(10):
        steps.append(
            Step(
                step_id=f"lone-{number}", started_at_us=START_US + r.randrange(DAY_US), name="bash",
                kind=r.choice(["tool", "agent"]), run_id=f"run-{number}", duration_us=5, metadata={"depth": 1},
            )
        )  # fmt: skip
    return steps
