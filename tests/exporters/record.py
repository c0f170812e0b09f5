"""Writes down what real clients send, for the tests that replay it: `python -m tests.exporters.record NAME PYTHON`.

NAME is a program beside this file; PYTHON is the interpreter of an environment that has its client. Needed anew only
when a client changes what it sends.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.exporters.sink import Sent, Sink

from tallybook.testing import ReplayServer

HERE = Path(__file__).parent
PAYLOADS = HERE / "payloads"
_KEPT = ("content-type", "content-encoding", "x-langfuse-sdk-name", "x-langfuse-sdk-version", "user-agent")


def run(name: str, python: str, url: str, replay: ReplayServer, key: str = "sk-test") -> None:
    """Run a program with a client's interpreter; raises when it fails."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("TALLYBOOK_", "LLM_", "PYTHON"))}
    environ = plain | {
        "RIVAL_URL": url, "RIVAL_KEY": key, "REPLAY_URL": replay.openai_url, "REPLAY_ROOT": replay.url,
        "OTEL_SDK_DISABLED": "false",
    }  # fmt: skip
    subprocess.run([python, str(HERE / f"{name}.py")], env=environ, check=True, timeout=120)


def _line(sent: Sent, home: str) -> str:
    """A request as one line, without paths of the machine."""
    headers = {
        key: value
        for key, value in sent.headers.items()
        if key in _KEPT or (key.startswith("helicone-") and key != "helicone-auth")
    }
    try:
        body = {"text": sent.body.decode().replace(f"{home}/", "")}
    except UnicodeDecodeError:
        body = {"base64": base64.b64encode(sent.body).decode()}
    return json.dumps({"method": sent.method, "path": sent.path, "headers": headers, **body}, ensure_ascii=False)


def main() -> None:
    """Record one program's requests."""
    name, python = sys.argv[1:3]
    with Sink() as sink, ReplayServer(ids="fixed") as replay:
        run(name, python, sink.url, replay)
        home = str(Path(python).parent.parent)
        (PAYLOADS / f"{name}.jsonl").write_text(
            "".join(_line(sent, home) + "\n" for sent in sink.sent), encoding="utf-8"
        )
    sys.stdout.write(f"{len(sink.sent)} requests\n")


if __name__ == "__main__":
    main()
