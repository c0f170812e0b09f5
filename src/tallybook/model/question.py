"""A question to the ledger as plain data: measures by dimensions, filtered, over a span of time.

Each store renders it in its own dialect (`store.*.render`) and the memory store answers it in
plain Python, which is the reference. It lies in `model` so that stores need not know `query`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

Grain = Literal["hour", "day", "week", "month"]
Op = Literal["eq", "ne", "in", "not_in", "contains", "gte", "lt", "exists", "missing"]
Source = Literal["calls", "tool_calls"]

DIMENSIONS = (
    "project", "environment", "operation", "name", "task", "provider", "model", "response_model", "agent_name",
    "user_id", "session_id", "run_id", "status", "error_type", "cost_status", "service_tier", "source", "git_branch",
    "is_stream", "is_batch", "tag", "hour_of_day", "day_of_week",
)  # fmt: skip
"""Dimensions of calls; besides these `metadata.<key>`. `task` is `name` where given, else `operation`;
`model` is the model that answered where known, else the one asked for. `tag` counts a call once under each of
its tags. `hour_of_day` (0-23) and `day_of_week` (0 = Monday) are in the question's zone."""

TOOL_DIMENSIONS = ("tool", "server_side", "project", "provider", "model", "agent_name", "user_id", "run_id")

FAILURE_DIMENSIONS = ("error", "call_id")
"""What tool uses can besides be grouped and filtered by: the text of the failure, and the call that asked. Where a use
was asked for and executed, the text is known of its execution only; so beside `error` go `FAILURE_MEASURES` alone."""

FAILURE_MEASURES = ("failures", "calls", "runs", "last_at_us")

MEASURES = (
    "calls", "errors", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "cost_nanousd", "priced_calls", "unpriced_calls", "estimated_calls", "users", "runs",
    "sessions", "duration_avg_us", "duration_p50_us", "duration_p95_us", "duration_p99_us", "duration_max_us",
    "duration_sum_us", "timed_output_tokens", "timed_output_us", "ttft_p50_us", "ttft_p95_us", "tool_calls",
    "first_at_us", "last_at_us",
)  # fmt: skip
"""Measures of calls. Sums ignore unknown values; `cost_nanousd` is the sum over priced calls, or `None` when none is,
and `unpriced_calls` tells what it lacks. `errors` counts status `error`. `timed_output_tokens` over
`timed_output_us` make tokens a second: both are of the calls that tell output tokens and a duration."""

TOOL_MEASURES = ("uses", "failures", "duration_avg_us", "duration_p95_us", "calls", "runs", "last_at_us")
"""Measures of tool uses. A use that the model asked for and the application executed (same tool call id) is one use."""


class Filter(msgspec.Struct, frozen=True):
    """One condition. `field` is a dimension, `metadata.<key>`, `call_id`, `duration_us`, `cost_nanousd` or a token
    field, or `operation_or_name`: the value is the call's operation or its name (what `--operation` means); its ops are
    eq, ne, in and not_in.

    `contains` is a case-insensitive substring; `exists` and `missing` ignore `value`.
    """

    field: str
    op: Op
    value: Any = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to compute. Times are microseconds since 1970 UTC, `since_us` included, `until_us` excluded."""

    measures: tuple[str, ...] = ("calls", "cost_nanousd")
    dimensions: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    since_us: int | None = None
    until_us: int | None = None
    grain: Grain | None = None
    """Adds the leading column `time`: the local start of the bucket as ISO text (`2026-11-22`, `2026-11-22T14`)."""
    zone: str = "UTC"
    """IANA name; buckets, hours and days are local there."""
    order: tuple[tuple[str, Literal["asc", "desc"]], ...] = ()
    """Columns to sort by; default: time ascending, else the first measure descending, then dimensions ascending."""
    limit: int | None = None
    source: Source = "calls"


class Answer(NamedTuple):
    """Rows under named columns: `time` if asked, then dimensions, then measures, in the question's order.

    `calls` and `unpriced_calls` over all rows tell the coverage; `warnings` name what was set aside.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    warnings: tuple[str, ...] = ()

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]
