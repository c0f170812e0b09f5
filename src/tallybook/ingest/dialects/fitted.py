"""A call from outside within the limits of a record: what is too long is cut, what is too much left out, and said."""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.model.call import Call
from tallybook.model.limits import ERROR_MESSAGE_CHARS, FIELD_CHARS, METADATA_BYTES

FIELD_CUT = "field_cut"
METADATA_DROPPED = "metadata_dropped"
TAGS = 100
"""Tags of one call. Beyond: cut and flagged `field_cut`."""

_FIELDS = (
    "operation", "name", "provider", "model", "response_model", "response_id", "run_id", "parent_id", "error_type",
    "project", "environment", "user_id", "session_id", "agent_name", "service_tier", "base_url",
)  # fmt: skip


def fitted(call: Call) -> Call:
    """The call with every text, list and object of it within `model.limits`."""
    changed: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(call, name)
        if value is not None and len(value) > FIELD_CHARS:
            changed[name] = value[:FIELD_CHARS]
    whole = dict.fromkeys([tag for tag in call.tags if tag])
    tags = tuple(dict.fromkeys([tag[:FIELD_CHARS] for tag in whole]))[:TAGS]
    if tags != call.tags:
        changed["tags"] = tags
    flags = call.flags
    if any(name != "tags" for name in changed) or tags != tuple(whole):
        flags = (*flags, FIELD_CUT)
    if call.error_message is not None and len(call.error_message) > ERROR_MESSAGE_CHARS:
        changed["error_message"] = call.error_message[:ERROR_MESSAGE_CHARS]
    if call.metadata and not fits(call.metadata):
        changed["metadata"] = {}
        flags = (*flags, METADATA_DROPPED)
    if call.parameters and not fits(call.parameters):
        changed["parameters"] = {}
        flags = (*flags, "parameters_dropped")
    if flags != call.flags:
        changed["flags"] = tuple(dict.fromkeys(flags))
    return msgspec.structs.replace(call, **changed) if changed else call


def fits(value: Any) -> bool:
    """Whether an object of the sender's is small enough to be kept (`METADATA_BYTES` as JSON), and JSON at all."""
    try:
        return len(msgspec.json.encode(value)) <= METADATA_BYTES
    except (ValueError, OverflowError, TypeError, RecursionError):
        return False


def kept(metadata: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Metadata, or none with a flag where they do not fit."""
    return (metadata, ()) if not metadata or fits(metadata) else ({}, (METADATA_DROPPED,))
