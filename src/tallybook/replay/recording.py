"""Recorded traffic of real providers, played again.

A recording is one JSON object: `{"request": {"method", "url", "body"}, "response": {"status", "headers", "body",
"body_encoding"?}}`; further keys are ignored. It answers requests of the same method, path, model and kind (whole
or streamed); of several that match, those with the same body are preferred, and each comes in turn.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from tallybook.replay.http import Reply, Request

_KEPT_HEADERS = ("content-type", "request-id", "x-request-id", "retry-after", "openai-processing-ms")


class Key(NamedTuple):
    """By what a request finds its recordings."""

    method: str
    path: str
    model: str
    is_stream: bool


def _object(text: str | bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def key(method: str, path: str, body: str | bytes | None) -> Key:
    """The key of a request."""
    data = _object(body)
    return Key(method, path, str(data.get("model") or ""), bool(data.get("stream")))


def pieces(body: bytes) -> list[bytes]:
    """A recorded stream cut behind its blank lines, as it once came."""
    return [piece for piece in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", body) if piece]


def reply_of(response: Mapping[str, Any]) -> Reply:
    """The reply that a recorded response stands for."""
    given = {name.lower(): str(value) for name, value in (response.get("headers") or {}).items()}
    headers = {name: given[name] for name in _KEPT_HEADERS if name in given}
    text = response.get("body") or ""
    if not isinstance(text, str):
        text = json.dumps(text)
    body = base64.b64decode(text) if response.get("body_encoding") == "base64" else text.encode()
    is_stream = "event-stream" in headers.get("content-type", "") or body.lstrip().startswith((b"data:", b"event:"))
    status = int(response.get("status") or 200)
    return Reply(status, headers, pieces=pieces(body)) if is_stream else Reply(status, headers, body)


def read(path: str | Path) -> list[dict[str, Any]]:
    """The recordings of a file of JSON lines."""
    with Path(path).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _asked(text: str | bytes | None) -> dict[str, Any]:
    """A body without `stream_options`, which those who watch a program may add to it."""
    return {name: value for name, value in _object(text).items() if name != "stream_options"}


class Tape:
    """Recordings by key."""

    def __init__(self, recordings: Iterable[Mapping[str, Any] | str | Path]) -> None:
        self._by_key: dict[Key, list[Mapping[str, Any]]] = {}
        self._turn: dict[tuple[Key, str], int] = {}
        for item in recordings:
            for recording in read(item) if isinstance(item, (str, Path)) else [item]:
                asked = recording["request"]
                path = unquote(urlsplit(str(asked["url"])).path)
                found = self._by_key.setdefault(key(str(asked.get("method", "POST")), path, asked.get("body")), [])
                found.append(recording)

    def play(self, request: Request) -> Reply | None:
        """The recorded reply to a request; `None` when nothing was recorded for it."""
        wanted = key(request.method, request.path, request.body)
        found = self._by_key.get(wanted)
        if not found:
            return None
        asked_for = _asked(request.body)
        same = [item for item in found if _asked(item["request"].get("body")) == asked_for]
        asked = (wanted, json.dumps(asked_for, sort_keys=True) if same else "")
        turn = self._turn.get(asked, 0)
        self._turn[asked] = turn + 1
        candidates = same or found
        return reply_of(candidates[turn % len(candidates)]["response"])
