"""Prompts and responses as text: hashes always, previews and whole bodies only when asked for.

Conversation messages are stored once by content hash, so that a 60-turn agent costs 60 messages and
not 1,830. Everything passes the redactor before it is written; base64 data become a reference.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import msgspec

from tallybook.model.limits import BODY_BYTES, PREVIEW_CHARS

_BASE64 = re.compile(r'(?<=[",])(?:data:[\w/+.;-]+,)?[A-Za-z0-9+/_-]{1024,}={0,2}(?=")')
_STRADDLE = 4_096
"""Characters beyond a body's limit that are masked with it, so that no secret is halved by the cut."""
_MESSAGES_KNOWN = 20_000
"""Hashes of messages that this process wrote lately. Beyond: the oldest are forgotten and may be written again."""


def _odd(value: Any) -> Any:
    """What msgspec cannot encode, by the means that SDK objects offer."""
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__iter__") and hasattr(value, "__len__"):
        return list(value)
    return f"<{type(value).__name__}>"


encode = msgspec.json.Encoder(enc_hook=_odd).encode


def _own_sha256() -> Callable[[bytes | memoryview], Any]:
    """Python's own SHA-256, else the library's.

    OpenSSL hashes large data three times as fast, but looks its algorithm up at each use: between an application's
    own work, out of the processor's caches, that costs a short text 25 µs, half of what recording a call costs.
    """
    for module in ("_sha2", "_sha256"):  # From Python 3.12 on, and before.
        try:
            return import_module(module).sha256  # type: ignore[no-any-return]
        except (ImportError, AttributeError):
            continue
    return hashlib.sha256


_SHORT_BYTES = 8_192
"""Up to this size Python's own SHA-256 is the cheaper one."""
_short_sha256 = _own_sha256()


def sha256(data: bytes | memoryview) -> str:
    """`sha256:` and the digest in hexadecimal."""
    if len(data) <= _SHORT_BYTES:
        return "sha256:" + _short_sha256(data).hexdigest()  # type: ignore[no-any-return]
    return "sha256:" + hashlib.sha256(data).hexdigest()


def prompt_hash(prompt: Any) -> tuple[str | None, int | None]:
    """Hash of a prompt and its size in bytes as JSON (as text when it is text); nothing for no prompt."""
    if prompt is None:
        return None, None
    data = prompt.encode("utf-8", "surrogatepass") if isinstance(prompt, str) else encode(prompt)
    return sha256(data), len(data)


def sent_hash(content: bytes, body: Mapping[str, Any], prompt: Any) -> tuple[str, int] | None:
    """`prompt_hash` of a list of messages from the request's bytes as they were sent, without encoding it again.

    `None` where the bytes around the prompt are not what this encoder makes of the rest of the body.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    is_found = False
    for key, value in body.items():
        if value is prompt and not is_found:
            is_found = True
            before[key] = None
        else:
            (after if is_found else before)[key] = value
    if not is_found or not isinstance(prompt, list):
        return None
    head = encode(before).removesuffix(b"null}")
    tail = b"," + encode(after)[1:] if after else b"}"
    if not (content.startswith(head) and content.endswith(tail)):
        return None
    size = len(content) - len(head) - len(tail)
    return sha256(memoryview(content)[len(head) : len(head) + size]), size


def strings(value: Any) -> Iterator[str]:
    """The texts inside a prompt, in order; keys such as `role` and `type` are not among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in ("role", "type", "id", "tool_call_id", "cache_control", "data", "url", "image_url"):
                yield from strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


def without_base64(text: str) -> str:
    """JSON text with long base64 runs replaced by `[base64 <bytes> <hash>]`."""

    def reference(match: re.Match[str]) -> str:
        blob = match.group()
        return f"[base64 {len(blob) * 3 // 4} bytes {sha256(blob.encode())[:23]}]"

    return _BASE64.sub(reference, text)


def preview(prompt: Any, redact: Callable[[str], str]) -> str:
    """The first characters of a prompt's or response's text, redacted before the cut so that no secret is halved."""
    if isinstance(prompt, str):
        text = prompt[: PREVIEW_CHARS * 4]
    else:
        parts: list[str] = []
        size = 0
        for part in strings(prompt):
            parts.append(part[: PREVIEW_CHARS * 4])
            size += len(part)
            if size > PREVIEW_CHARS * 4:
                break
        text = "\n".join(parts)
    return redact(text)[:PREVIEW_CHARS]


class BodyWriter:
    """Turns bodies into lines for the journal. Safe for threads."""

    def __init__(self, redact: Callable[[str], str], append: Callable[[str, bytes], None]) -> None:
        self._redact = redact
        self._append = append
        self._known: OrderedDict[str, None] = OrderedDict()
        self._day = ""
        self._lock = threading.RLock()

    def _clean(self, text: str) -> tuple[str, int | None]:
        """Redacted text without blobs, and the original size in bytes when it had to be cut."""
        data = text.encode("utf-8", "replace")  # Halves of characters have no place in a file.
        text = without_base64(data.decode())
        is_cut = len(text) > BODY_BYTES
        if is_cut:  # Before masking, which takes time by the character; the rest is for what straddles the cut.
            text = text[: BODY_BYTES + _STRADDLE]
        text = self._redact(text)
        return (text[:BODY_BYTES], len(data)) if is_cut or len(text) > BODY_BYTES else (text, None)

    def prompt(self, call_id: str, timestamp: str, prompt: Any) -> None:
        """Write a prompt: a conversation as references to its messages, anything else whole."""
        if isinstance(prompt, list) and prompt and all(isinstance(item, Mapping) for item in prompt):
            hashes = [self._message(item, timestamp[:10]) for item in prompt]
            line = {"call_id": call_id, "timestamp": timestamp, "messages": hashes}
            self._append("prompts", encode(line) + b"\n")
        else:
            text = prompt if isinstance(prompt, str) else encode(prompt).decode("utf-8", "replace")
            self._whole("prompts", "prompt", call_id, timestamp, text)

    def response(self, call_id: str, timestamp: str, text: str) -> None:
        """Write a response's text."""
        self._whole("responses", "response", call_id, timestamp, text)

    def _whole(self, kind: str, key: str, call_id: str, timestamp: str, text: str) -> None:
        clean, size = self._clean(text)
        line: dict[str, Any] = {"call_id": call_id, "timestamp": timestamp, key: clean}
        if size is not None:
            line |= {"truncated": True, "bytes": size}
        self._append(kind, encode(line) + b"\n")

    def forked(self) -> None:
        """In a child process: whoever held the lock in the parent is not here to give it back."""
        self._lock = threading.RLock()

    def _is_known(self, key: str, day: str) -> bool:
        """Whether a message was written on this day: each day's files hold what they refer to."""
        with self._lock:
            if day > self._day:
                self._day = day
                self._known.clear()
            if key in self._known:
                self._known.move_to_end(key)
                return True
            self._known[key] = None
            if len(self._known) > _MESSAGES_KNOWN:
                self._known.popitem(last=False)
            return False

    def _message(self, message: Mapping[str, Any], day: str) -> str:
        clean, size = self._clean(encode(message).decode("utf-8", "replace"))
        key = sha256(clean.encode())[:39]
        if self._is_known(key, day):
            return key
        line: dict[str, Any] = {"hash": key, "message": clean}
        if size is not None:
            line |= {"truncated": True, "bytes": size}
        self._append("messages", encode(line) + b"\n")
        return key
