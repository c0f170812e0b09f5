"""How the replay server shall behave for one request: a plain value, also written in a header or a model name.

`X-Replay: status=429; retry-after=1` and the model name `gpt-4o+status=429,retry-after=1` mean the same.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

Usage = Literal["asked", "always", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is out of the ordinary. Without any of it a request gets a plain successful answer."""

    status: int = 200
    """An HTTP error instead of an answer: 400, 401, 403, 404, 408, 409, 429, 500, 503, 529 …"""
    error: str | None = None
    """The provider's word for the error; by default the usual one for the status."""
    message: str | None = None
    """The text of the error."""
    retry_after: float | None = None
    """Seconds in the `retry-after` header of an error."""
    text: str | None = None
    """The answer's text."""
    calls: int | None = None
    """Tool calls in the answer. By default one, when tools are offered and no tool has answered yet."""
    reasoning: int = 0
    """Tokens of hidden reasoning."""
    cached: int = 0
    """Input tokens read from the provider's cache."""
    cache_write: int = 0
    """Input tokens written to the cache (five minutes)."""
    cache_write_1h: int = 0
    """The same for an hour."""
    input_tokens: int | None = None
    """The whole input, cache included."""
    output_tokens: int | None = None
    """The whole output, reasoning included."""
    refusal: bool = False
    """The model declines; with Gemini the prompt is blocked."""
    finish: str | None = None
    """The provider's own word for why the answer ended."""
    web_search: int = 0
    """Uses of the provider's own search tool."""
    service_tier: str | None = None
    """The tier that the answer names."""
    model: str | None = None
    """The model that answers, where it is not the one asked for."""
    usage: Usage = "asked"
    """OpenAI streams tell usage when asked; other hosts always, some never."""
    stream_options: bool = True
    """False: requests with `stream_options` are refused, as some compatible hosts do."""
    wait_s: float = 0
    """Pause before the first byte, seconds."""
    delay_s: float = 0
    """Pause between two events of a stream, seconds."""
    cut_after: int | None = None
    """Events of a stream after which the connection breaks; for a whole answer any number cuts it in half."""
    stop_after: int | None = None
    """Events of a stream after which it ends cleanly, but without its terminal event."""
    error_after: int | None = None
    """Events of a stream after which an error event follows, inside the reply with status 200."""
    gzip: bool = False
    """Compressed, where the client takes it."""


_FIELDS = {item.name: item for item in dataclasses.fields(Scenario)}


def _value(name: str, text: str) -> Any:
    kind = str(_FIELDS[name].type)
    if kind == "bool":
        return text.lower() in ("", "1", "true", "yes", "on")
    if kind.startswith("int"):
        return int(text)
    if kind.startswith("float"):
        return float(text)
    return text


def read(words: str, base: Scenario | None = None) -> Scenario:
    """The scenario written as `name=value` pairs, parted by `;` or `,`. Raises ValueError naming an unknown word."""
    changes: dict[str, Any] = {}
    for word in words.replace(",", ";").split(";"):
        name, _, text = word.strip().partition("=")
        name = name.strip().replace("-", "_")
        if not name:
            continue
        if name not in _FIELDS:
            raise ValueError(f"no scenario word {name!r}; known: {', '.join(_FIELDS)}")
        changes[name] = _value(name, text.strip())
    return dataclasses.replace(base or Scenario(), **changes)


def split_model(model: str) -> tuple[str, str]:
    """A model name and the scenario words behind its `+`; both as they are when there are none."""
    name, plus, words = model.partition("+")
    return (name, words) if plus and "=" in words else (model, "")
