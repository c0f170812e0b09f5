"""The rule by which a response was counted, in words, and where it is written down."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from tallybook.providers import habits
from tallybook.providers.base import Format


class Rule(NamedTuple):
    """How a format's own counts become ours."""

    text: str
    source: str
    """The provider's page that says so; else the file of ours that holds the rule."""


_OPENAI = "https://platform.openai.com/docs/api-reference"
_SOURCES = {
    "openai.chat": f"{_OPENAI}/chat/object",
    "openai.completions": f"{_OPENAI}/completions/object",
    "openai.responses": f"{_OPENAI}/responses/object",
    "openai.embeddings": f"{_OPENAI}/embeddings/create",
    "openai.images": f"{_OPENAI}/images/object",
    "openai.realtime": f"{_OPENAI}/realtime-server-events/response/done",
    "anthropic.messages": "https://docs.anthropic.com/en/api/messages",
    "google.generate": "https://ai.google.dev/api/generate-content#UsageMetadata",
    "google.live": "https://ai.google.dev/api/live#UsageMetadata",
    "bedrock.converse": "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html",
    "dashscope.generation": "https://www.alibabacloud.com/help/en/model-studio/qwen-api-reference",
    "workers_ai.run": "https://developers.cloudflare.com/workers-ai/get-started/rest-api/",
    "ollama.chat": "https://github.com/ollama/ollama/blob/main/docs/api.md",
}


def rule_of(fmt: Format, usage_raw: Any) -> Rule:
    """The rule of a format with the habits of its host that the usage shows; none is without a rule."""
    module = getattr(fmt.parse, "__module__", "")
    place = module.removeprefix("tallybook.").replace(".", "/") + ".py"
    text = habits.told(fmt.name, usage_raw) or _head(module)
    first = text.partition(" ")[0]
    is_word = first.isalpha() and first.islower()  # A field's own name keeps its spelling.
    return Rule(text[:1].upper() + text[1:] if is_word else text, _SOURCES.get(fmt.name, place))


def _head(module: str) -> str:
    """What a format's own file says at its top."""
    words = getattr(sys.modules.get(module), "__doc__", None) or "The provider's own counts are taken as they are."
    return " ".join(words.strip().partition("\n\n")[0].split())
