"""Recorded traffic played again."""

from __future__ import annotations

import base64
import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from tallybook.testing import ReplayServer

URL = "https://api.example.com/v1/chat/completions"


def recording(model: str, said: str, *, stream: bool = False, ask: str = "hi") -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": ask}], "stream": stream}
    told = f'data: {{"said":"{said}"}}\n\ndata: [DONE]\n\n' if stream else json.dumps({"said": said})
    kind = "text/event-stream" if stream else "application/json"
    return {
        "request": {"method": "POST", "url": URL, "body": json.dumps(body)},
        "response": {"status": 200, "headers": {"Content-Type": kind, "X-Secret": "no"}, "body": told},
    }


def ask(server: ReplayServer, model: str, *, stream: bool = False, ask: str = "hi") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = {"model": model, "messages": [{"role": "user", "content": ask}], "stream": stream}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    reply = connection.getresponse()
    try:
        assert reply.getheader("x-secret") is None
        return reply.read()
    finally:
        connection.close()


def test_a_recording_answers_the_request_it_was_made_of_and_the_others_in_turn() -> None:
    tape = [recording("m", "one"), recording("m", "two", ask="what?"), recording("m", "flow", stream=True)]
    with ReplayServer(recordings=tape) as server:
        assert json.loads(ask(server, "m", ask="what?")) == {"said": "two"}
        assert json.loads(ask(server, "m")) == {"said": "one"}
        assert [json.loads(ask(server, "m", ask="new"))["said"] for _ in range(3)] == ["one", "two", "one"]
        assert ask(server, "m", stream=True) == b'data: {"said":"flow"}\n\ndata: [DONE]\n\n'


def test_what_was_not_recorded_gets_an_answer_of_ours() -> None:
    with ReplayServer(recordings=[recording("m", "one")]) as server:
        assert json.loads(ask(server, "other"))["object"] == "chat.completion"


def test_a_file_of_recordings_is_read_and_base64_bodies_are_decoded(tmp_path: Path) -> None:
    item = recording("m", "x")
    item["response"] |= {"body": base64.b64encode(b'{"said":"\xc3\xa9"}').decode(), "body_encoding": "base64"}
    path = tmp_path / "tape.jsonl"
    path.write_text(json.dumps(item) + "\n")
    with ReplayServer(recordings=[path]) as server:
        assert json.loads(ask(server, "m")) == {"said": "é"}


def test_every_recorded_openai_chat_is_played_as_it_was_recorded(corpus: Path) -> None:
    pytest.importorskip("openai")
    import openai

    from tallybook.replay import recording as recordings

    taken = [
        item
        for item in recordings.read(corpus / "openai-chat.jsonl")
        if item["kind"] == "recorded"
        and item["response"]["status"] == 200
        and "/chat/completions" in item["request"]["url"]
    ][:60]
    with ReplayServer(recordings=taken) as server, openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        for item in taken:
            got = client.chat.completions.with_raw_response.create(**json.loads(item["request"]["body"]))
            assert json.loads(got.text if isinstance(got.text, str) else got.text()) == json.loads(
                item["response"]["body"]
            )
