"""From the filter options that every command and endpoint shares to `model.question.Filter`s.

One option given several times means any of its values; different options must all hold. A value may begin with
`!` (is not), `~` (contains, case ignored), or be `-` alone (has none). Knows no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tallybook.model.errors import InputError
from tallybook.model.question import DIMENSIONS, Filter

OPTIONS: dict[str, str] = {
    "project": "project",
    "user": "user_id",
    "model": "model",
    "provider": "provider",
    "operation": "operation_or_name",
    "agent": "agent_name",
    "tag": "tag",
    "status": "status",
    "environment": "environment",
}
"""Option name to the field it filters, in the order they are listed."""

ALIASES = {
    "user": "user_id", "agent": "agent_name", "session": "session_id", "run": "run_id", "branch": "git_branch",
    "hour": "hour_of_day", "weekday": "day_of_week", "error": "error_type",
}  # fmt: skip
"""Short words for dimensions, as `--by` takes them."""

STATUSES = ("ok", "error", "cancelled", "incomplete")
DIMENSIONS_MAX = 3
"""Dimensions in one `--by`. Beyond: refused; a table of four nested groups is not readable."""


def build(given: Mapping[str, Sequence[str]], metadata: Sequence[str] = ()) -> tuple[Filter, ...]:
    """Filters of options by name (`OPTIONS`) and of `key=value` pairs. Raises InputError naming the option."""
    found: list[Filter] = []
    for option, field in OPTIONS.items():
        found.extend(_of(field, tuple(given.get(option, ())), f"--{option}"))
    by_key: dict[str, list[str]] = {}
    for pair in metadata:
        key, separator, value = pair.partition("=")
        if not key or not separator:
            raise InputError(
                f"{pair!r} is not key=value", field="--metadata", hint="for example --metadata customer=acme"
            )
        by_key.setdefault(key, []).append(value)
    for key, values in by_key.items():
        found.extend(_of(f"metadata.{key}", tuple(values), "--metadata"))
    return tuple(found)


def _of(field: str, values: tuple[str, ...], option: str) -> list[Filter]:
    wanted: list[str] = []
    refused: list[str] = []
    found: list[Filter] = []
    for value in values:
        if value == "-":
            found.append(Filter(field, "missing"))
        elif value.startswith("!"):
            refused.append(value[1:])
        elif value.startswith("~"):
            found.append(Filter(field, "contains", value[1:]))
        else:
            wanted.append(value)
    if len(found) > 1 or (found and wanted):
        raise InputError(f"{option}: `~text` and `-` stand alone, not beside other values", field=option)
    if field == "operation_or_name" and found:
        # The stores know no substring or absence of two fields at once; the word in use for a call is its task.
        found = [Filter("task", filter_.op, filter_.value) for filter_ in found]
    if field == "status":
        for value in (*wanted, *refused):
            if value not in STATUSES:
                raise InputError(
                    f"{value!r} is not a status",
                    field=option,
                    hint=f"one of {', '.join(STATUSES)}; a `!` before means not",
                )
    if wanted:
        found.append(Filter(field, "eq", wanted[0]) if len(wanted) == 1 else Filter(field, "in", tuple(wanted)))
    if refused:
        found.append(Filter(field, "ne", refused[0]) if len(refused) == 1 else Filter(field, "not_in", tuple(refused)))
    return found


def dimensions(words: Sequence[str]) -> tuple[str, ...]:
    """Dimensions that `--by` names, several by commas or repetition. Raises InputError on an unknown one."""
    found: list[str] = []
    for word in (part.strip() for text in words for part in text.split(",")):
        name = ALIASES.get(word, word)
        if name not in DIMENSIONS and not (name.startswith("metadata.") and len(name) > len("metadata.")):
            raise InputError(
                f"{word!r} is nothing to group by",
                field="--by",
                hint="one of " + ", ".join((*DIMENSIONS, "metadata.<key>")),
            )
        if name not in found:
            found.append(name)
    if len(found) > DIMENSIONS_MAX:
        raise InputError(f"--by takes at most {DIMENSIONS_MAX} dimensions, not {len(found)}", field="--by")
    return tuple(found)


def told(filters: Sequence[Filter]) -> list[str]:
    """The filters as short text for a heading: `project = acme`, `model ~ sonnet`."""
    sign = {"eq": "=", "ne": "≠", "in": "=", "not_in": "≠", "contains": "~", "gte": "≥", "lt": "<"}
    name = {field: option for option, field in OPTIONS.items()}
    found: list[str] = []
    for filter_ in filters:
        field = name.get(filter_.field, filter_.field)
        if filter_.op in ("exists", "missing"):
            found.append(f"{'any' if filter_.op == 'exists' else 'no'} {field}")
            continue
        value = " or ".join(map(str, filter_.value)) if isinstance(filter_.value, tuple) else filter_.value
        found.append(f"{field} {sign[filter_.op]} {value}")
    return found
