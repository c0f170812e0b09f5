"""What every wire format offers: pure functions from a payload to what the ledger keeps of it.

A format never imports a provider's SDK, does no I/O and knows no clock. It is used alike by the
patched SDKs (which hand in the raw bytes of response or stream), the gateway and the importers.
Unknown events, fields and types never raise: they are passed over, and what cannot be understood
leaves `None` (unknown), never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from tallybook.model.call import ToolCall
from tallybook.model.codec import Tokens, Tool
from tallybook.model.usage import Usage

Payload = Mapping[str, Any]


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a request body tells."""

    model: str | None = None
    is_stream: bool = False
    prompt: Any = None
    """The part to hash, preview and store: messages, input, contents, prompt (with system text where apart)."""
    parameters: dict[str, Any] = {}
    """Scalar parameters that bear on cost or quality, as sent."""
    quantities: dict[str, int] = {}
    """Billed things known from the request alone: `characters` of speech input, `images` asked."""
    facts: tuple[str, ...] = ()
    """Flags of the request that bear on its price, as `cache_ttl:24h`; mostly empty."""


class Further(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of another model inside the same call, which the call's own usage does not contain."""

    model: str | None
    """`None` when the response does not name it."""
    usage: Usage
    usage_raw: Any = None
    name: str = ""
    """What it was for: `advisor`, `image_generation`."""


class Parsed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a response tells, whole or from a stream."""

    usage: Usage | None = None
    """`None` when the response carried no usage."""
    usage_raw: Any = None
    response_id: str | None = None
    response_model: str | None = None
    service_tier: str | None = None
    cost_nanousd: int | None = None
    """A cost that the provider itself states."""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    text: str | None = None
    """Visible text of the first choice (all text parts joined); `None` for embeddings, audio, images."""
    reasoning_chars: int = 0
    """Characters of reasoning text seen, for estimates of broken streams."""
    error_type: str | None = None
    error_message: str | None = None
    is_complete: bool = True
    """False for a stream whose terminal event was not seen, or a response still in progress."""
    flags: tuple[str, ...] = ()
    further: tuple[Further, ...] = ()
    """Billed besides `usage`, at other models' prices (Anthropic's advisor, OpenAI's image tool); mostly empty.
    Each is worth a record of its own, else its cost is lost."""


class Quick(msgspec.Struct, gc=False):
    """All that there is of a usual answer: text, calls of the caller's tools, and usage with nothing beside tokens.

    JSON text is on one line.
    """

    response_id: str
    """JSON text."""
    model: str | None
    service_tier: str | None
    finish_reasons: tuple[str, ...]
    text: str | None
    tokens: Tokens
    usage_raw: str
    """JSON text."""
    tool_calls: tuple[Tool, ...] = ()
    """Without their arguments, which are content."""


class Stream(Protocol):
    """Accumulates a stream. Cumulative usage: the last value wins, never a sum."""

    def feed(self, event: Payload) -> bool:
        """Take one decoded event; True when it carries content (text, reasoning, tool argument)."""
        ...

    def feed_bytes(self, raw: bytes) -> None:
        """Take whole raw SSE events (ending at an event boundary), fast: equal to `feed` for each of them."""
        ...

    def result(self) -> Parsed:
        """What was seen so far; `is_complete` is False when the terminal event was not among it."""
        ...


class Result(NamedTuple):
    """One request's result in a batch."""

    custom_id: str | None
    parsed: Parsed
    http_status: int | None = None
    operation: str = "chat"


class Format(NamedTuple):
    """One wire format: an endpoint's request, response and stream."""

    name: str
    """`openai.chat`, `anthropic.messages`, `google.generate` …"""
    operation: str
    """The call's operation (`model.call.OPERATIONS`)."""
    asked: Callable[[Payload, str], Asked]
    """(request body, URL or path) to what was asked. The URL matters where it holds the model (Gemini, Azure)."""
    parse: Callable[[bytes], Parsed]
    """Raw JSON body of a whole response. Never raises: bytes that are no JSON give an empty `Parsed`."""
    stream: Callable[[], Stream] | None = None
    batch: Callable[[bytes], Iterable[Result]] | None = None
    """For endpoints that give many results at once (batch outputs): raw body to the result of each.

    Empty when the body is no such output: a downloaded file may be anything. Also for sessions over one socket,
    which are several calls; `parse` gives their sum then.
    """
    headed: Callable[[Parsed, Mapping[str, str]], Parsed] | None = None
    """For endpoints whose response headers tell what the body does not: (parsed, headers in lower case) to parsed."""
    quick: Callable[[bytes], Quick | None] | None = None
    """The usual answer of `parse` at a fraction of its cost; `None` for any other, or where `parse` has to say."""
