"""From a row of the table `calls` back to a `Call`, and from a row of `steps` to a `Step`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tallybook.model.call import Call, Cost, Step, ToolCall
from tallybook.model.codec import unix_us_of
from tallybook.model.usage import TOKEN_FIELDS, Usage
from tallybook.store.lake.usage_raw import MARKS

PROMOTED = "metadata."
"""Before a metadata key in the name of its own column."""
_MARK = re.compile(f":@([{''.join(MARKS)}])")
_CACHED = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
_json = msgspec.json.Decoder().decode


def _texts(value: str | None) -> tuple[str, ...]:
    return () if value is None else tuple(_json(value))


def _object(value: str | None) -> dict[str, Any]:
    return {} if value is None else dict(_json(value))


def _hash(value: bytes | None) -> str | None:
    """The hash as text: the 32 digits that are kept, or the caller's own text."""
    if value is None:
        return None
    if len(value) == 16:
        return f"sha256:{value.hex()}"
    return value[2 if len(value) == 17 and value.startswith(b"==") else 1 :].decode()


def time_us(value: datetime) -> int:
    """Microseconds of a naive UTC time."""
    return unix_us_of(value.replace(tzinfo=UTC))


def restored(row: dict[str, Any], promoted: Iterable[str]) -> dict[str, Any]:
    """A row as it stands in a file, made whole in place: what SQL does, without planning it for a row or fifty."""
    row["usage_raw"] = _usage_raw(row)
    own = {key: value for key in promoted if (value := row.pop(PROMOTED + key)) is not None}
    if own:
        row["metadata"] = {**_object(row["metadata"]), **own}
    return row


def _usage_raw(row: Mapping[str, Any]) -> str | None:
    """The usage object's text of a template (`usage_raw.decoded_sql`)."""
    text: str | None = row["usage_raw"]
    if text is None or ":@" not in text:
        return text
    if text.startswith(" "):
        return text[1:]
    return _MARK.sub(lambda match: ":" + _marked(row, match.group(1)), text)


def _marked(row: Mapping[str, Any], letter: str) -> str:
    """What stands for a letter of `usage_raw.MARKS`; nothing where it is unknown."""
    given, made = row["input_tokens"], row["output_tokens"]
    read, short, long = (row[name] or 0 for name in _CACHED)
    thought = row["reasoning_tokens"] or 0
    value = {
        "i": given, "o": made, "t": _plus(given, made), "r": read, "w": short, "h": long,
        "u": _plus(given, -(read + short + long)), "n": thought, "v": _plus(made, -thought),
    }[letter]  # fmt: skip
    return "" if value is None else str(value)


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def call_of(row: Mapping[str, Any], tools: Sequence[ToolCall] = ()) -> Call:
    """The call of a row of all columns."""
    model = row["requested_model"]
    return Call(
        call_id=row["call_id"],
        started_at_us=time_us(row["started_at"]),
        operation=row["operation"],
        name=row["name"],
        provider=row["provider"],
        model=model,
        response_model=row["response_model"],
        response_id=row["response_id"],
        run_id=row["run_id"],
        parent_id=row["parent_id"],
        duration_us=row["duration_us"],
        ttft_us=row["ttft_us"],
        usage=Usage(
            **{name: row[name] for name in TOKEN_FIELDS},
            requests=_object(row["requests"]),
            quantities=_object(row["quantities"]),
        ),
        usage_raw=None if row["usage_raw"] is None else _json(row["usage_raw"]),
        cost=_cost_of(row),
        tool_calls=tuple(tools),
        finish_reasons=_texts(row["finish_reasons"]),
        status=row["status"],
        error_type=row["error_type"],
        error_message=row["error_message"],
        http_status=row["http_status"],
        project=row["project"],
        environment=row["environment"],
        user_id=row["user_id"],
        session_id=row["session_id"],
        agent_name=row["agent_name"],
        tags=_texts(row["tags"]),
        metadata=row["metadata"] if isinstance(row["metadata"], dict) else _object(row["metadata"]),
        git_branch=row["git_branch"],
        service_tier=row["service_tier"],
        base_url=row["base_url"],
        is_stream=row["is_stream"],
        is_batch=row["is_batch"],
        may_repeat=row["may_repeat"],
        retries=row["retries"],
        source=row["source"],
        prompt_hash=_hash(row["prompt_hash"]),
        response_hash=_hash(row["response_hash"]),
        parameters=_object(row["parameters"]),
        prompt_chars=row["prompt_chars"],
        response_chars=row["response_chars"],
        prompt_preview=row["prompt_preview"],
        response_preview=row["response_preview"],
        flags=_texts(row["flags"]),
    )


def _cost_of(row: Mapping[str, Any]) -> Cost:
    return Cost(
        status=row["cost_status"],
        total_nanousd=row["cost_nanousd"],
        input_nanousd=row["input_cost_nanousd"],
        cache_read_nanousd=row["cache_read_cost_nanousd"],
        cache_write_nanousd=row["cache_write_cost_nanousd"],
        output_nanousd=row["output_cost_nanousd"],
        tools_nanousd=row["tools_cost_nanousd"],
        price=row["price"],
        reasons=_texts(row["cost_reasons"]),
    )


def tools_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[ToolCall]]:
    """Tool calls by call id, in the order in which they were asked for."""
    found: dict[str, list[ToolCall]] = {}
    for row in sorted(rows, key=lambda row: row["position"] or 0):
        tool = ToolCall(
            name=row["tool"], id=row["tool_call_id"], arguments=row["arguments"], result=row["result"],
            duration_us=row["duration_us"], error=row["error"], server_side=bool(row["server_side"]),
        )  # fmt: skip
        found.setdefault(row["call_id"], []).append(tool)
    return found


def step_of(row: Mapping[str, Any]) -> Step:
    """The step of a row of `schema.STEP_FIELDS`."""
    return Step(
        step_id=row["step_id"],
        started_at_us=time_us(row["started_at"]),
        kind=row["kind"],
        name=row["name"],
        run_id=row["run_id"],
        parent_id=row["parent_id"],
        duration_us=row["duration_us"],
        status=row["status"],
        error_message=row["error_message"],
        tool_call_id=row["tool_call_id"],
        input_preview=row["input_preview"],
        output_preview=row["output_preview"],
        metadata=_object(row["metadata"]),
    )
