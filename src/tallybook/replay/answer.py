"""The answer to a request, before any provider's format: text, tool uses and token counts.

Deterministic: equal requests get equal answers. A token is four characters here, so that tests can
count by hand; real tokenizers are no part of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tallybook.replay.scenario import Scenario

CHARS_PER_TOKEN = 4
TOKENS_PER_REQUEST = 3


def tokens(text: str) -> int:
    """Tokens of a text: its characters by four, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the request offers."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that the answer asks for."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def json(self) -> str:
        """The arguments as the model writes them."""
        return json.dumps(self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a request tells, in whatever format it came."""

    model: str
    prompt: Any
    """The part that is counted as input: messages, input, contents."""
    last: str = ""
    """Text of the last message."""
    tools: Sequence[Tool] = ()
    is_tool_result: bool = False
    schema: Mapping[str, Any] | None = None
    """JSON schema that the answer must satisfy."""
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What every format renders. `input_tokens` and `output_tokens` are totals, cache and reasoning included."""

    text: str
    uses: tuple[ToolUse, ...]
    thought: str
    refusal: str | None
    is_cut: bool
    """Ended by the limit of tokens."""
    input_tokens: int
    output_tokens: int
    scenario: Scenario

    @property
    def reasoning(self) -> int:
        """Tokens of hidden reasoning, part of the output."""
        return self.scenario.reasoning


def text_of(content: Any) -> str:
    """All text in a message's content, whatever its nesting: strings, lists of parts, `text` keys."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return text_of(content.get("text") or content.get("content") or content.get("parts") or "")
    if isinstance(content, Iterable):
        return " ".join(filter(None, (text_of(part) for part in content)))
    return ""


def example(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, name: str = "value") -> Any:
    """The simplest value that satisfies a JSON schema of the kinds that tools and structured answers use."""
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for key in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[key]
        return example(target, root, name)
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example(schema[key][0], root, name)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = str(kind[0] if isinstance(kind, list) else kind).lower()
    if kind == "object":
        properties = schema.get("properties") or {}
        return {key: example(value, root, key) for key, value in properties.items()}
    if kind == "array":
        return [example(schema.get("items") or {}, root, name)]
    plain: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(kind, f"a {name}")


def _text(question: Question, scenario: Scenario) -> str:
    if scenario.text is not None:
        return scenario.text
    if question.schema is not None:
        return json.dumps(example(question.schema))
    asked = " ".join(question.last.split())[:60]
    return (
        f"Answer to “{asked}”: what was asked is answered here in a sentence of fixed words, so that it can be counted."
    )


def compose(question: Question, scenario: Scenario) -> Answer:
    """The answer to a question under a scenario."""
    uses: tuple[ToolUse, ...] = ()
    count = scenario.calls
    if count is None:
        count = 1 if question.tools and not question.is_tool_result else 0
    if question.tools and count:
        offered = [question.tools[number % len(question.tools)] for number in range(count)]
        uses = tuple(ToolUse(tool.name, example({"type": "object", **tool.schema})) for tool in offered)
    refusal = "I cannot help with that." if scenario.refusal else None
    text = "" if uses or refusal else _text(question, scenario)
    is_cut = question.max_tokens is not None and tokens(text) > question.max_tokens
    if is_cut:
        text = text[: (question.max_tokens or 0) * CHARS_PER_TOKEN]
    visible = tokens(text + (refusal or "")) + sum(tokens(use.name + use.json) for use in uses)
    prompt = json.dumps(question.prompt, ensure_ascii=False, default=str)
    parts = scenario.cached + scenario.cache_write + scenario.cache_write_1h
    counted = TOKENS_PER_REQUEST + tokens(prompt) + parts
    thought = "Let me think about that step by step. " if scenario.reasoning else ""
    return Answer(
        text=text,
        uses=uses,
        thought=thought,
        refusal=refusal,
        is_cut=is_cut,
        input_tokens=scenario.input_tokens if scenario.input_tokens is not None else counted,
        output_tokens=scenario.output_tokens if scenario.output_tokens is not None else visible + scenario.reasoning,
        scenario=scenario,
    )


def pieces(text: str) -> list[str]:
    """A text in the small pieces in which it is streamed: words with the space behind them."""
    return re.findall(r"\S+\s*|\s+", text)


def halves(text: str) -> list[str]:
    """Tool arguments in two pieces, as providers stream them."""
    middle = len(text) // 2
    return [part for part in (text[:middle], text[middle:]) if part]
