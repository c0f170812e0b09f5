"""What the Agent SDK's (or `claude -p --output-format stream-json`'s) closing `result` tells beyond its messages.

The stream's messages tell their input exactly but their output as it stood when they began, and may lack subagents.
`result.modelUsage` is what was billed, by model (`result.usage` leaves subagents out). The difference becomes one
call a model, `not_itemised`, so that the sums are those of the bill.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.ingest.dialects.ident import call_id
from tallybook.model.call import Call
from tallybook.model.usage import Usage

NAME = "not_itemised"


class _Billed(msgspec.Struct, gc=False):
    inputTokens: int = 0  # noqa: N815  (the stream's own keys)
    outputTokens: int = 0  # noqa: N815
    cacheReadInputTokens: int = 0  # noqa: N815
    cacheCreationInputTokens: int = 0  # noqa: N815
    webSearchRequests: int = 0  # noqa: N815


_billed = msgspec.json.Decoder(dict[str, _Billed]).decode


def remainders(model_usage: msgspec.Raw, calls: Sequence[Call], like: Call) -> list[Call]:
    """One call for each model that was billed for more than its messages tell; empty where the figures are odd."""
    try:
        billed = _billed(model_usage)
    except (msgspec.MsgspecError, RecursionError):
        return []
    found: list[Call] = []
    for model, one in billed.items():
        seen = [call.usage for call in calls if call.model == model]
        read = one.cacheReadInputTokens - _sum(seen, "cache_read_tokens")
        written = one.cacheCreationInputTokens - _sum(seen, "cache_write_5m_tokens", "cache_write_1h_tokens")
        whole = one.inputTokens + one.cacheReadInputTokens + one.cacheCreationInputTokens - _sum(seen, "input_tokens")
        output = one.outputTokens - _sum(seen, "output_tokens")
        searches = one.webSearchRequests - sum(use.requests.get("web_search", 0) for use in seen)
        if min(read, written, output, whole - read - written) < 0 or not (whole or output or searches):
            continue
        found.append(
            msgspec.structs.replace(
                like,
                call_id=call_id(like.started_at_us, like.run_id or "", NAME, model),
                name=NAME,
                model=model,
                response_model=model,
                response_id=None,
                parent_id=None,
                usage=Usage(
                    input_tokens=whole,
                    output_tokens=output,
                    cache_read_tokens=read,
                    cache_write_5m_tokens=written,
                    requests={"web_search": searches} if searches > 0 else {},
                ),
                usage_raw=msgspec.to_builtins(one),
                tool_calls=(),
                finish_reasons=(),
                response_chars=None,
                response_hash=None,
                response_preview=None,
                flags=("not_itemised",),
            )
        )
    return found


def _sum(usages: Sequence[Usage], *names: str) -> int:
    return sum(getattr(use, name) or 0 for use in usages for name in names)


def is_told(model_usage: Any) -> bool:
    """Whether a line has the billed sums at all."""
    return isinstance(model_usage, msgspec.Raw) and len(memoryview(model_usage)) > 2
