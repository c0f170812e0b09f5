"""What applications hand in, by this product's names, by those of S2, in camelCase or snake_case, as fields to store.

Raises InputError that names the field and, for one that is not known, what may have been meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

import msgspec

from tallybook.model.errors import InputError
from tallybook.model.limits import FIELD_CHARS, TAGS, TASK_BYTES
from tallybook.model.money import nanousd
from tallybook.model.run import RunStatus, SourceType, TaskStatus, Visibility
from tallybook.model.usage import TOKEN_FIELDS, TOKENS_MAX, Usage
from tallybook.runs.attachment import attachments_of

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TOKENS = {"tokens_input": "input_tokens", "tokens_output": "output_tokens", "tokens_total": "total_tokens"}
_TASK_NAMES = {
    **_TOKENS, "id": "task_id", "cost": "cost_usd", "time_to_first_token": "ttft_ms", "total_time": "duration_ms",
    "endpoint_name": "endpoint", "name": "task_name", "response_errors": "error", "metrics": "metadata",
}  # fmt: skip
_RUN_NAMES = {"id": "run_id", "starred": "is_starred", "variables": "variable_values", "user": "user_id",
              "session": "session_id", "agent": "agent_name"}  # fmt: skip
_MESSAGE_NAMES = {"id": "message_id", "text": "content"}
_CHOICES: dict[str, tuple[str, ...]] = {
    "source_type": get_args(SourceType), "visibility": get_args(Visibility), "run.status": get_args(RunStatus),
    "task.status": get_args(TaskStatus),
}  # fmt: skip
_OBJECTS = frozenset({"settings", "variable_values", "broker_values", "metadata"})
_RUN_TEXTS = frozenset({
    "run_id", "name", "description", "source_id", "project", "user_id", "session_id", "agent_name",
})  # fmt: skip
_TASK_TEXTS = frozenset({
    "task_id", "run_id", "service", "task_name", "operation", "provider", "endpoint", "model", "response_model",
    "response_id", "parent_id", "project", "user_id", "error_type", "finish_reason",
})  # fmt: skip
_LONG = frozenset({"response_text", "error_message"})
_FREE = frozenset({"request_data", "response_data", "tool_updates"})


def run_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a run."""
    known = _RUN_TEXTS | _OBJECTS | {"source_type", "status", "visibility", "is_starred", "tags"}
    found: dict[str, Any] = {}
    for name, value in _named(given, _RUN_NAMES, known).items():
        if name in _RUN_TEXTS:
            found[name] = _text(name, value)
        elif name in _OBJECTS:
            found[name] = _object(name, value)
        elif name == "tags":
            found[name] = tags_of(value)
        elif name == "is_starred":
            found[name] = _flag(name, value)
        else:
            found[name] = _choice(name, value, f"run.{name}" if name == "status" else name)
    return found


def task_fields(given: Mapping[str, Any], usage: Usage | None = None) -> dict[str, Any]:
    """Fields of a task; token counts are put into its `usage`."""
    numbers = {"ttft_ms", "duration_ms", "ttft_us", "duration_us", "cost_usd", "cost_nanousd", "total_tokens",
               "started_at_us"}  # fmt: skip
    known = _TASK_TEXTS | _LONG | _FREE | numbers | {*TOKEN_FIELDS, "usage", "status", "metadata", "error"}
    told = _named(given, _TASK_NAMES, known)
    found: dict[str, Any] = {}
    tokens: dict[str, Any] = {}
    for name, value in told.items():
        if name in _TASK_TEXTS:
            found[name] = _text(name, value)
        elif name in _LONG:
            found[name] = _long(name, value)
        elif name in _FREE:
            found[name] = _small(name, value)
        elif name == "metadata":
            found[name] = _object(name, value)
        elif name == "status":
            found[name] = _choice(name, value, "task.status")
        elif name == "error":
            found.update(_error(value))
        elif name in TOKEN_FIELDS:
            tokens[name] = _count(name, value)
        elif name != "usage":
            found.update(_number(name, value))
    if tokens or told.get("usage") is not None:
        found["usage"] = _usage(told.get("usage"), tokens, usage or Usage())
    return found


def message_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a message."""
    known = {"message_id", "run_id", "task_id", "role", "content", "name", "attachments", "metadata", "created_at_us"}
    found = _named(given, _MESSAGE_NAMES, known)
    for name in ("message_id", "run_id", "task_id", "name"):
        if name in found:
            found[name] = _text(name, found[name])
    if "content" in found:
        found["content"] = _small("content", found["content"])
    if "attachments" in found:
        given_attachments = found["attachments"] or ()
        if not isinstance(given_attachments, list | tuple):
            raise InputError("`attachments` must be a list", field="attachments")
        found["attachments"] = attachments_of(
            _snake_keys(one) if isinstance(one, Mapping) else one for one in given_attachments
        )
    if "metadata" in found:
        found["metadata"] = _object("metadata", found["metadata"])
    if "role" in found:
        roles = ("system", "developer", "user", "assistant", "tool")
        if found["role"] not in roles:
            raise InputError(f"`role` must be one of {', '.join(roles)}", field="role")
    return found


def tags_of(value: Any) -> tuple[str, ...]:
    """Tags: different ones, in order. Raises InputError."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, Iterable) or isinstance(values, Mapping):
        raise InputError("`tags` must be a list of texts", field="tags")
    found = {_text("tags", one) for one in values}
    if None in found or len(found) > TAGS:
        raise InputError(f"`tags` must be at most {TAGS} texts", field="tags")
    return tuple(sorted(one for one in found if one))


def snake(name: str) -> str:
    """`sourceType` as `source_type`."""
    return _HUMP.sub("_", name).lower() if not name.islower() else name


def _snake_keys(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {snake(key): value for key, value in given.items()}
    if "type" in found and "kind" not in found:
        found["kind"] = found.pop("type")
    return found


def _named(given: Mapping[str, Any], names: Mapping[str, str], known: Iterable[str]) -> dict[str, Any]:
    allowed = frozenset(known)
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = snake(str(key))
        name = name if name in allowed and name not in names else names.get(name, name)
        if name not in allowed:
            near = get_close_matches(name, [*allowed, *names], n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(allowed))}"
            raise InputError(f"there is no field `{key}`", field=str(key), hint=hint)
        found[name] = value
    return found


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"`{name}` must be text", field=name)
        value = str(value)
    if not value or len(value) > FIELD_CHARS or not _is_sound(value):
        raise InputError(f"`{name}` must have 1 to {FIELD_CHARS:,} characters", field=name)
    return str(value)


def _is_sound(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in value


def _long(name: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not _is_sound(value)):
        raise InputError(f"`{name}` must be text", field=name)
    if value is not None and len(value) > TASK_BYTES:
        raise InputError(f"`{name}` is longer than {TASK_BYTES:,} characters", field=name)
    return value


def _small(name: str, value: Any) -> Any:
    """Any JSON, up to a size."""
    try:
        size = len(msgspec.json.encode(value))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise InputError(f"`{name}` cannot be written as JSON: {error}", field=name) from error
    if size > TASK_BYTES:
        raise InputError(
            f"`{name}` has {size:,} bytes as JSON, more than {TASK_BYTES:,}",
            field=name,
            hint="keep large content apart",
        )
    return value


def _object(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InputError(f"`{name}` must be an object", field=name)
    return dict(_small(name, dict(value)))


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"`{name}` must be true or false", field=name)
    return value


def _choice(name: str, value: Any, choices: str) -> str:
    if value not in _CHOICES[choices]:
        raise InputError(f"`{name}` must be one of {', '.join(_CHOICES[choices])}", field=name)
    return str(value)


def _count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise InputError(f"`{name}` must be a whole number", field=name)
    if not 0 <= value <= TOKENS_MAX:
        raise InputError(f"`{name}` must be from 0 to {TOKENS_MAX:,}", field=name)
    return int(value)


def _number(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if name in ("total_tokens", "ttft_us", "duration_us", "cost_nanousd", "started_at_us"):
        return {name: _count(name, value)}
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise InputError(f"`{name}` must be a number from 0 on", field=name)
    if value > 1e12:
        raise InputError(f"`{name}` is larger than can be", field=name)
    if name == "cost_usd":
        if value > 1e9:
            raise InputError("`cost` is larger than can be", field="cost")
        return {"cost_nanousd": nanousd(value)}
    return {f"{name[:-3]}_us": round(value * 1000)}


def _error(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        kind, text = value.get("type") or value.get("code"), value.get("message")
        return {"error_type": _text("error.type", kind), "error_message": _long("error.message", text)}
    if isinstance(value, str):
        return {"error_message": _long("error", value)}
    return {"error_message": msgspec.json.encode(_small("error", value)).decode()}


def _usage(given: Any, tokens: dict[str, Any], before: Usage) -> Usage:
    if isinstance(given, Usage):
        before = given
    elif given is not None:
        if not isinstance(given, Mapping):
            raise InputError("`usage` must be an object of token counts", field="usage")
        names = {"input": "input_tokens", "output": "output_tokens", "prompt_tokens": "input_tokens",
                 "completion_tokens": "output_tokens", **_TOKENS}  # fmt: skip
        told = _named(given, names, {*TOKEN_FIELDS, "total_tokens", "requests", "quantities"})
        for name, value in told.items():
            if name in ("requests", "quantities"):
                counts = _object(name, value)
                tokens[name] = {key: _count(f"{name}.{key}", one) or 0 for key, one in counts.items()}
            elif name != "total_tokens":
                tokens.setdefault(name, _count(name, value))
    return msgspec.structs.replace(before, **tokens)
