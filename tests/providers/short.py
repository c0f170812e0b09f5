"""What the short way to a usual answer promises: it says what the long way says, or nothing."""

from __future__ import annotations

import json

from tallybook.model.codec import tokens_of
from tallybook.providers.base import Parsed, Quick


def says_the_same(said: Quick | None, parsed: Parsed) -> bool:
    """Whether the short way served; asserts that nothing was lost then."""
    if said is None:
        return False
    assert parsed.usage is not None
    assert (said.model, said.text, said.finish_reasons) == (parsed.response_model, parsed.text, parsed.finish_reasons)
    assert (json.loads(said.response_id), said.service_tier) == (parsed.response_id, parsed.service_tier)
    assert said.tokens == tokens_of(parsed.usage)
    assert json.loads(said.usage_raw) == parsed.usage_raw
    assert "\n" not in said.usage_raw + said.response_id
    assert parsed.is_complete
    assert [(tool.name, tool.id, tool.server_side) for tool in said.tool_calls] == [
        (call.name, call.id, call.server_side) for call in parsed.tool_calls
    ]
    assert not any(call.error for call in parsed.tool_calls)
    assert not (parsed.flags or parsed.further or parsed.cost_nanousd or parsed.error_type)
    assert not (parsed.usage.requests or parsed.usage.quantities)
    return True
