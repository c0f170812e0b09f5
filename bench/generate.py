"""Made-up calls of the full record for the store's benchmark: fast, and deterministic by seed.

The distributions follow what such ledgers hold: a company with a dozen projects whose tasks each have their model,
agent, sizes and tools; users and customers by Zipf; runs of a few calls; 0.7 tool calls a call; 2.5 % failures;
more work at day than at night. Lines are written as the codec writes them (a test holds that).
"""

from __future__ import annotations

import random
from base64 import b64encode
from bisect import bisect
from datetime import UTC, datetime
from itertools import accumulate
from typing import NamedTuple

HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 11, 13, 13, 12, 11, 12, 13, 12, 10, 8, 6, 5, 4, 3, 2, 1)
MODELS = {
    "openai": ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "gpt-4.1-2025-04-14", "gpt-4.1-mini-2025-04-14",
               "gpt-5-2025-08-07", "gpt-5-mini-2025-08-07", "o3-2025-04-16"),
    "anthropic": ("claude-sonnet-4-20250514", "claude-opus-4-20250514", "claude-3-5-haiku-20241022",
                  "claude-sonnet-4-5-20250929"),
    "google": ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.0-flash"),
}  # fmt: skip
PROJECTS = ("storefront", "support-desk", "atlas", "reports", "mailroom", "codeloft", "search", "onboarding", "billing",
            "lab", "translator", "intranet")  # fmt: skip
VERBS = ("summarise", "classify", "draft_reply", "extract_fields", "rank_results", "write_tests", "review_change",
         "plan", "route", "translate", "answer", "embed_query")  # fmt: skip
AGENTS = ("planner", "researcher", "coder", "reviewer", "triage", "writer")
TOOLS = ("search", "read_file", "write_file", "bash", "get_weather", "query_database", "send_mail", "fetch_page",
         "list_orders", "create_ticket", "calculator", "browser")  # fmt: skip
ERRORS = (("RateLimitError", 429, "Rate limit reached for requests"),
          ("APITimeoutError", None, "Request timed out."),
          ("InternalServerError", 500, "The server had an error"),
          ("BadRequestError", 400, "context too long"))  # fmt: skip


class Task(NamedTuple):
    """What one kind of call of a project looks like."""

    name: str
    operation: str
    provider: str
    models: tuple[str, ...]
    agent: str | None
    input_median: int
    output_median: int
    streams: bool
    tools: tuple[str, ...]
    parameters: str


class Zipf:
    """Draws 0 … count-1, the lower the likelier."""

    def __init__(self, count: int, exponent: float = 1.05) -> None:
        self._sums = list(accumulate(1 / (rank + 1) ** exponent for rank in range(count)))

    def draw(self, r: random.Random) -> int:
        return bisect(self._sums, r.random() * self._sums[-1])


def company(seed: int) -> dict[str, list[Task]]:
    """The projects and their tasks."""
    r = random.Random(seed)
    found: dict[str, list[Task]] = {}
    for project in PROJECTS:
        tasks = []
        for verb in r.sample(VERBS, r.randrange(4, 9)):
            provider = r.choices(tuple(MODELS), (5, 4, 2))[0]
            first, second = r.sample(MODELS[provider], 2)
            tasks.append(
                Task(
                    verb, "generate_content" if provider == "google" else "chat", provider, (first,) * 4 + (second,),
                    r.choice(AGENTS) if r.random() < 0.5 else None, r.choice((300, 900, 2500, 9000)),
                    r.choice((20, 150, 400, 900)), r.random() < 0.5,
                    tuple(r.sample(TOOLS, 4)) if r.random() < 0.55 else (),
                    f'{{"temperature":{r.choice((0.0, 0.2, 0.7))},"max_tokens":{r.choice((512, 1024, 4096))}}}',
                )
            )  # fmt: skip
        found[project] = tasks
    return found


_LETTERS = bytes.maketrans(b"+/", b"xY")


def _base62(r: random.Random, count: int) -> str:
    return b64encode(r.randbytes(count * 3 // 4 + 1)).translate(_LETTERS)[:count].decode()


def _uuid7(r: random.Random, ms: int) -> str:
    bits = r.getrandbits(74)
    text = "%012x7%03x%016x" % (ms, bits >> 62, bits & 0x3FFFFFFFFFFFFFFF | 0x8000000000000000)  # noqa: UP031  (the fastest form)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _quoted(text: str | None) -> str:
    return "null" if text is None else f'"{text}"'


class Generator:
    """Lines by day. One instance keeps users, customers and open runs."""

    def __init__(self, seed: int = 1) -> None:
        self._r = random.Random(seed)
        self._company = company(7)
        self._projects = Zipf(len(PROJECTS))
        self._users = Zipf(4_000)
        self._customers = Zipf(300)
        self._names = [f"u-{self._r.getrandbits(32):08x}" for _ in range(4_000)]
        self._customer_names = [f"customer-{number:03d}" for number in range(300)]
        self._second = -1
        self._stamp = ""
        self._spreads = [self._r.lognormvariate(0, 0.75) for _ in range(20_011)]
        self._runs: dict[str, list[list]] = {project: [] for project in PROJECTS}

    def _run(self, project: str, ms: int) -> list:
        """An open run of the project, [run_id, session_id, user, environment, customer, feature, calls left]."""
        r = self._r
        runs = self._runs[project]
        if len(runs) < 6 or r.random() < 0.02:
            runs.append([
                _uuid7(r, ms), f"s-{r.getrandbits(64):016x}", self._names[self._users.draw(r)],
                r.choices(("production", "staging", "development"), (8, 1, 1))[0],
                self._customer_names[self._customers.draw(r)], r.choice(("chat", "batch", "widget", "api")),
                1 + int(r.expovariate(1 / 8)),
            ])  # fmt: skip
        at = r.randrange(len(runs))
        run = runs[at]
        run[6] -= 1
        if run[6] <= 0:
            runs.pop(at)
        return run

    def day(self, day_start_us: int, count: int) -> bytes:
        """The lines of one UTC day, by time."""
        r = self._r
        weights = list(accumulate(HOURS))
        times = sorted(
            day_start_us + bisect(weights, r.random() * weights[-1]) * 3_600_000_000 + int(r.random() * 3_600_000_000)
            for _ in range(count)
        )
        return b"".join([self._line(at_us) for at_us in times])

    def _usage(self, provider: str, tokens_in: int, tokens_out: int, cached: int) -> tuple[int, int, str, str]:
        """Cached and written tokens, the provider's usage object, and a response id of its kind."""
        r = self._r
        written = 0
        if provider == "anthropic":
            if cached and r.random() < 0.2:
                cached, written = 0, cached
            raw = (
                f'{{"input_tokens":{tokens_in - cached - written},"cache_creation_input_tokens":{written},'
                f'"cache_read_input_tokens":{cached},"output_tokens":{tokens_out},"service_tier":"standard"}}'
            )
            response_id = "msg_01" + _base62(r, 22)
        elif provider == "google":
            raw = (
                f'{{"promptTokenCount":{tokens_in},"candidatesTokenCount":{tokens_out},'
                f'"totalTokenCount":{tokens_in + tokens_out},"cachedContentTokenCount":{cached}}}'
            )
            response_id = _base62(r, 22)
        else:
            raw = (
                f'{{"prompt_tokens":{tokens_in},"completion_tokens":{tokens_out},'
                f'"total_tokens":{tokens_in + tokens_out},'
                f'"prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"completion_tokens_details":'
                '{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
            )
            response_id = "chatcmpl-" + _base62(r, 29)
        return cached, written, raw, response_id

    def _more(
        self,
        task: Task,
        run: list,
        model: str,
        response_id: str,
        error: tuple | None,
        duration: float,
        tokens_in: int,
        tokens_out: int,
        raw: str,
    ) -> str:
        """The keys behind the seed's own."""
        r = self._r
        failed = error is not None
        more = ""
        if not failed:
            more += f',"response_model":"{model}","response_id":"{response_id}"'
        more += f',"run_id":"{run[0]}"'
        if task.streams and not failed:
            more += f',"ttft_ms":{round(duration * 120 + 180, 3)}'
        more += ',"status":"error"' if failed else ',"status":"ok"'
        if error:
            more += f',"error_type":"{error[0]}"' + (f',"http_status":{error[1]}' if error[1] else "")
        more += f',"environment":"{run[3]}"'
        if r.random() < 0.3:
            more += ',"tags":["beta"]' if r.random() < 0.6 else ',"tags":["vip","eu"]'
        if r.random() < 0.7:
            more += (
                f',"attributes":{{"customer":"{run[4]}","feature":"{run[5]}","attempt":{1 if r.random() < 0.9 else 2}}}'
            )
        used = int(r.random() * 3.3) if task.tools and not failed else 0
        if used:
            prefix = "toolu_01" if task.provider == "anthropic" else "call_"
            calls = ",".join(
                f'{{"name":"{task.tools[int(r.random() ** 2 * 4)]}","id":"{prefix}{_base62(r, 22)}"}}'
                for _ in range(used)
            )
            more += f',"tool_calls":[{calls}]'
        if not failed:
            more += ',"finish_reasons":["tool_calls"]' if used else ',"finish_reasons":["stop"]'
        if task.streams:
            more += ',"is_stream":true'
        if not failed:
            more += f',"usage_raw":{raw}'
        more += f',"parameters":{task.parameters},"prompt_chars":{tokens_in * 4 + int(r.random() * 40)}'
        if not failed:
            more += f',"response_chars":{tokens_out * 4 + int(r.random() * 20)}'
        return more

    def _line(self, at_us: int) -> bytes:
        r = self._r
        project = PROJECTS[self._projects.draw(r)]
        tasks = self._company[project]
        task = tasks[int(r.random() ** 1.7 * len(tasks))]
        model = task.models[int(r.random() * 5)]
        ms = at_us // 1000
        run = self._run(project, ms)
        second = at_us // 1_000_000
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        time = f"{self._stamp}.{at_us % 1_000_000:06d}Z"
        failed = r.random() < 0.025
        spreads = self._spreads
        tokens_in = int(task.input_median * spreads[int(r.random() * 20_011)]) + 8
        tokens_out = 0 if failed else int(task.output_median * spreads[int(r.random() * 20_011)]) + 1
        cached = int(tokens_in * 0.6) // 128 * 128 if r.random() < 0.35 else 0
        duration = 0.3 + tokens_out / 60 * spreads[int(r.random() * 20_011)] ** 0.5 + tokens_in / 9000
        tokens = f'"input":{tokens_in},"output":{tokens_out},"total":{tokens_in + tokens_out}'
        cached, written, raw, response_id = self._usage(task.provider, tokens_in, tokens_out, cached)
        if cached:
            tokens += f',"cache_read":{cached}'
        if written:
            tokens += f',"cache_write_5m":{written}'
        error = ERRORS[int(r.random() * 4)] if failed else None
        more = self._more(task, run, model, response_id, error, duration, tokens_in, tokens_out, raw)
        branch = '"main"' if r.random() < 0.3 else "null"
        return (
            f'{{"v":1,"timestamp":"{time}","call_id":"{_uuid7(r, ms)}","agent_name":{_quoted(task.agent)},'
            f'"operation":"{task.operation}","model":"{model}","session_id":"{run[1]}","user_id":"{run[2]}",'
            f'"duration_ms":{round(duration * 1000, 3)},"tokens":{{{tokens}}},"cost_usd":null,'
            f'"success":{"false" if failed else "true"},"prompt_hash":"sha256:{r.getrandbits(256):064x}",'
            f'"response_hash":{"null" if failed else _quoted(f"sha256:{r.getrandbits(256):064x}")},'
            f'"metadata":{{"project":"{project}","git_branch":{branch},'
            f'"error":{_quoted(error[2] if error else None)}}},'
            f'"name":"{task.name}","provider":"{task.provider}"{more}}}\n'
        ).encode()
