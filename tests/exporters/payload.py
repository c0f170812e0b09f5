"""What real clients sent, as `record` wrote it down."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

PAYLOADS = Path(__file__).parent / "payloads"


class Payload(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; a list where it is JSON lines."""
        text = self.body.decode()
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines()]


def payloads(name: str) -> list[Payload]:
    """All requests of one program, in order."""
    found = []
    for line in (PAYLOADS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        body = base64.b64decode(told["base64"]) if "base64" in told else told["text"].encode()
        found.append(Payload(told["method"], told["path"], told["headers"], body))
    return found
