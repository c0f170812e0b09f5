"""The counting rule of each wire format in words, and where it is written down.

A format without a line here is explained by the words at the top of its own file, so that none is without a rule.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from tallybook.providers.base import Format


class Rule(NamedTuple):
    """How a format's own counts become ours."""

    text: str
    source: str
    """The provider's page that says so, or the file of ours that holds the rule and its evidence."""


_OPENAI = "https://platform.openai.com/docs/api-reference"
_CHAT = (
    "Input is prompt_tokens, cached tokens inside; output is completion_tokens, reasoning inside. Where the total is "
    "more than both, the host counts reasoning (or audio) beside them, and it is added."
)

_RULES = {
    "openai.chat": Rule(_CHAT, f"{_OPENAI}/chat/object"),
    "openai.completions": Rule(_CHAT, f"{_OPENAI}/completions/object"),
    "openai.responses": Rule(
        "Input is input_tokens, cached tokens inside; output is output_tokens, reasoning inside. Tokens of the image "
        "tool stand in tool_usage and are billed beside them.",
        f"{_OPENAI}/responses/object",
    ),
    "openai.embeddings": Rule("Input is prompt_tokens; there is no output.", f"{_OPENAI}/embeddings/create"),
    "anthropic.messages": Rule(
        "Input is input_tokens + cache_read_input_tokens + cache_creation_input_tokens; output is output_tokens, "
        "thinking inside. In a stream the last value of each key holds. Compactions are added; what other models did "
        "is billed beside it.",
        "https://docs.anthropic.com/en/api/messages",
    ),
    "google.generate": Rule(
        "Input is promptTokenCount (cached content inside) + toolUsePromptTokenCount; output is candidatesTokenCount + "
        "thoughtsTokenCount. In a stream the last usageMetadata holds.",
        "https://ai.google.dev/api/generate-content#UsageMetadata",
    ),
}


def rule_of(fmt: Format) -> Rule:
    """The rule of a format."""
    known = _RULES.get(fmt.name)
    if known is not None:
        return known
    module = getattr(fmt.parse, "__module__", "")
    words = (
        getattr(sys.modules.get(module), "__doc__", None) or "The provider's own counts are taken as they are."
    ).strip()
    first, _, rest = words.partition("\n\n")
    text = " ".join((rest.partition("\n\n")[0] or first).split())
    return Rule(text, module.replace(".", "/").removeprefix("tallybook/") + ".py")
