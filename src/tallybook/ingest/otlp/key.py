"""Which attributes of a span are read, and what kind each is: the rest is passed over without being decoded.

Most of a span's bytes are the conversation. It is left as bytes until somebody wants it.
"""

from __future__ import annotations

import re

SKIP, PLAIN, USAGE, CONTENT = 0, 1, 2, 3

_USAGE = re.compile(
    r"^(gen_ai\.usage\.|llm\.(usage|token_count|cost)\.|ai\.usage\.|anthropic\.usage\.|usage\.|openai\.usage\.|"
    r"gen_ai\.completion_tokens$|langfuse\.observation\.(usage|cost)_details$|usage$|operation\.cost$|cost$|"
    r"tokens\.)"
)
_CONTENT = re.compile(
    r"^(gen_ai\.(input|output)\.messages$|gen_ai\.system_instructions$|gen_ai\.(prompt|completion)(\.\d|$)|"
    r"llm\.(input|output)_messages\.|llm\.prompts(\.|$)|(input|output)(\.value)?$|"
    r"ai\.prompt(\.messages)?$|ai\.response\.(text|toolCalls|object|reasoning)$|ai\.values?$|"
    r"ai\.toolCall\.(args|result)$|gen_ai\.tool\.call\.(arguments|result)$|tool\.parameters$|"
    r"traceloop\.entity\.(input|output)$|langfuse\.observation\.(input|output)$|"
    r"(request|response)_data$|pydantic_ai\.all_messages$|all_messages_events$|events$|final_result$|"
    r"tool_(arguments|response)$|raw_input$|response$)"
)
_PLAIN = re.compile(
    r"^(gen_ai|llm|ai|traceloop|openinference|langfuse|session|user|tag|agent|operation|resource|openai|anthropic|"
    r"aws\.bedrock|azure|server|error|logfire|tool|embedding|reranker|prompt|graph\.node|conversation|"
    r"claude_code|codex|gemini_cli|deployment|tallybook)\.|"
    r"^(metadata|tags|model_name|agent_name|agent_session_id|model|name|duration|type|thread_id|conversation_id|"
    r"http\.response\.status_code|http\.status_code|ls_provider)$"
)
_NOT_READ = re.compile(
    r"^(ai\.settings\.|ai\.prompt\.tools?|ai\.prompt\.toolChoice|ai\.schema|ai\.request\.headers\.(?!user-agent)|"
    r"llm\.tools\.|llm\.prompt_template\.|embedding\.embeddings|ai\.embeddings?$|gen_ai\.tool\.definitions$|"
    r"retrieval\.documents\.|langfuse\.trace\.(input|output)$|logfire\.json_schema|openinference\.instrumentation|"
    r"reranker\.(input|output)_documents|input\.mime_type|output\.mime_type|llm\.request\.functions)"
)


def kind_of(key: str) -> int:
    """What an attribute of this name is: passed over, plain, a count, or content."""
    if _NOT_READ.match(key):
        return SKIP
    if _USAGE.match(key):
        return USAGE
    if _CONTENT.match(key):
        return CONTENT
    return PLAIN if _PLAIN.match(key) else SKIP


KNOWN_MAX = 20_000
"""Names of attributes remembered. Beyond: judged anew each time, so that made-up names take no memory."""


class Keys:
    """Remembers the kind of each name, by its UTF-8 bytes."""

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[int, str]] = {}

    def learn(self, raw: bytes) -> tuple[int, str]:
        """Judge a name that is not in `known`, and remember it."""
        name = raw.decode("utf-8", "replace")
        found = (kind_of(name), name)
        if len(self.known) < KNOWN_MAX and len(raw) < 256:
            self.known[raw] = found
        return found


KEYS = Keys()
"""Shared by all requests of a process: a cache of what `kind_of` says, which is the same for ever."""
