"""Bodies: hashes always, messages once, blobs by reference, secrets never."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.capture import bodies
from tallybook.capture.bodies import BodyWriter, encode, preview, prompt_hash, sent_hash, strings, without_base64
from tallybook.capture.redact import Redactor
from tallybook.model.limits import BODY_BYTES, PREVIEW_CHARS

TIME = "2026-11-22T12:00:00Z"
MESSAGES: list[Any] = [
    {"role": "system", "content": 'Say "ja" \u00e4 \u2028 \x1f\x7f / \\ \U0001f600'},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "number", "value": 12}]},
]
BLOB = base64.b64encode(bytes(range(256)) * 8).decode()


class Lines:
    """What a writer was given, by kind."""

    def __init__(self) -> None:
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.writer = BodyWriter(Redactor(), self._append)

    def _append(self, kind: str, line: bytes) -> None:
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        self.found.append((kind, json.loads(line)))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for found, line in self.found if found == kind]


def test_a_hash_is_of_the_text_or_of_the_json() -> None:
    assert prompt_hash("Hi") == ("sha256:" + hashlib.sha256(b"Hi").hexdigest(), 2)
    messages = [{"role": "user", "content": "Hi"}]
    data = b'[{"role":"user","content":"Hi"}]'
    assert prompt_hash(messages) == ("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
    assert prompt_hash(None) == (None, None)
    assert prompt_hash("\ud800")[1] == 3


def test_objects_of_an_sdk_are_encoded_by_what_they_offer() -> None:
    class Model:
        def model_dump(self, **how: Any) -> dict[str, Any]:
            return {"role": "user", "how": sorted(how)}

    assert json.loads(encode([Model(), {1}, object, range(2)])) == [
        {"role": "user", "how": ["exclude_unset", "mode"]}, [1], "<type>", [0, 1],
    ]  # fmt: skip


def test_the_texts_of_a_prompt_are_what_a_model_reads() -> None:
    prompt = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "7"},
    ]  # fmt: skip
    assert list(strings(prompt)) == ["Be short.", "What is this?", "7"]


def test_a_preview_is_masked_before_it_is_cut() -> None:
    secret = "sk-ant-api03-" + "a" * 40
    text = "x" * (PREVIEW_CHARS - 20) + " " + secret
    assert preview(text, Redactor()).endswith("x [redacted:key]")
    straddling = "x" * (PREVIEW_CHARS - 5) + " " + secret
    assert "sk-" not in preview(straddling, Redactor())
    assert len(preview("y" * 10_000, Redactor())) == PREVIEW_CHARS
    assert preview([{"content": "a"}, {"content": "b"}], Redactor()) == "a\nb"


@given(st.recursive(st.text(max_size=5) | st.none() | st.integers(), lambda inner: st.lists(inner, max_size=3)))
def test_a_preview_of_anything_is_a_text_within_its_limit(prompt: Any) -> None:
    assert len(preview(prompt, lambda text: text)) <= PREVIEW_CHARS


def test_a_conversation_costs_each_message_once() -> None:
    lines = Lines()
    history: list[dict[str, str]] = []
    for turn in range(60):
        history.append({"role": "user", "content": f"turn {turn}"})
        lines.writer.prompt(f"call-{turn}", TIME, list(history))
    assert len(lines.of("messages")) == 60
    assert [len(line["messages"]) for line in lines.of("prompts")] == list(range(1, 61))
    by_hash = {line["hash"]: json.loads(line["message"]) for line in lines.of("messages")}
    assert [by_hash[key] for key in lines.of("prompts")[-1]["messages"]] == history
    assert [kind for kind, _ in lines.found[:2]] == ["messages", "prompts"], "what is referred to stands first"


def test_each_day_holds_what_its_prompts_refer_to() -> None:
    lines = Lines()
    for day in ("2026-11-22", "2026-11-22", "2026-11-23", "2026-11-22"):
        lines.writer.prompt("c", f"{day}T00:00:01Z", [{"role": "system", "content": "Be short."}])
    assert len(lines.of("messages")) == 2
    assert len({key for line in lines.of("prompts") for key in line["messages"]}) == 1


def test_of_many_messages_the_oldest_are_forgotten_and_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MESSAGES_KNOWN", 3)
    lines = Lines()
    for number in (0, 1, 0, 2, 3, 0, 1):
        lines.writer.prompt("c", TIME, [{"n": number}])
    written = [json.loads(line["message"])["n"] for line in lines.of("messages")]
    assert written == [0, 1, 2, 3, 1]


def test_secrets_and_blobs_are_gone_before_anything_is_written() -> None:
    lines = Lines()
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BLOB}"}}
    message = {"role": "user", "content": [image, {"type": "text", "text": "of jane@example.com"}]}
    lines.writer.prompt("c-1", TIME, [message])
    lines.writer.prompt("c-2", TIME, "my key is sk-ant-api03-" + "a" * 40)
    lines.writer.response("c-1", TIME, "call jane@example.com")
    (stored,) = lines.of("messages")
    content = json.loads(stored["message"])["content"]
    assert content[1]["text"] == "of [redacted:email]"
    assert content[0]["image_url"]["url"].startswith("[base64 ") and len(content[0]["image_url"]["url"]) < 60
    assert lines.of("prompts")[1]["prompt"] == "my key is [redacted:key]"
    assert lines.of("responses") == [{"call_id": "c-1", "timestamp": TIME, "response": "call [redacted:email]"}]


def test_only_long_runs_between_quotes_are_blobs() -> None:
    assert without_base64(f'{{"data":"{BLOB}"}}').startswith('{"data":"[base64 20')
    assert without_base64(f'{{"data":"{BLOB}"}}') == without_base64(f'{{"data":"{BLOB}"}}')
    for text in ('{"data":"' + "a" * 1_000 + '"}', "word " * 1_000, '"' + "some words " * 200 + '"', BLOB):
        assert without_base64(text) == text


def test_a_body_beyond_its_limit_is_cut_and_tells_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_BYTES", 1_000)
    lines = Lines()
    secret = " sk-ant-api03-" + "a" * 40
    lines.writer.response("c-1", TIME, "x" * 990 + secret + "y" * 9_000)
    lines.writer.prompt("c-2", TIME, [{"content": "z " * 2_500}])
    (response,) = lines.of("responses")
    assert response["truncated"] is True and response["bytes"] == 990 + len(secret) + 9_000
    assert len(response["response"]) == 1_000 and "sk-" not in response["response"]
    (message,) = lines.of("messages")
    assert message["truncated"] is True and len(message["message"]) == 1_000
    assert BODY_BYTES == 8_388_608


def test_halves_of_characters_cost_no_body() -> None:
    lines = Lines()
    lines.writer.response("c-1", TIME, "torn \ud83d")
    assert lines.of("responses")[0]["response"] == "torn ?"


def test_threads_write_each_message_once() -> None:
    lines = Lines()
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for number in range(100):
            lines.writer.prompt("c", TIME, [{"n": number}])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines.of("messages")) == 100 and len(lines.of("prompts")) == 800


@pytest.mark.parametrize(
    "body",
    [
        {"messages": MESSAGES, "model": "m"},
        {"model": "m", "messages": MESSAGES},
        {"max_tokens": 9, "messages": MESSAGES, "model": "m", "tools": [{"name": "f"}]},
        {"messages": MESSAGES},
        {"other": MESSAGES[:1], "messages": MESSAGES},
    ],
)
def test_a_prompt_is_hashed_as_it_was_sent_with_the_same_result(body: dict[str, Any]) -> None:
    content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    assert sent_hash(content, body, MESSAGES) == prompt_hash(MESSAGES)


@pytest.mark.parametrize(
    ("content", "body", "prompt"),
    [
        (json.dumps({"messages": MESSAGES, "model": "m"}).encode(), {"messages": MESSAGES, "model": "m"}, MESSAGES),
        (b'{"messages":[],"model":"m","extra":1}', {"messages": MESSAGES, "model": "m"}, MESSAGES),
        (b'{"input":"text"}', {"input": "text"}, "text"),
        (b'{"messages":[]}', {"messages": MESSAGES}, {"system": "s", "messages": MESSAGES}),
        (b"", {"messages": MESSAGES}, MESSAGES),
    ],
)
def test_a_request_that_was_sent_otherwise_is_not_guessed_at(content: bytes, body: dict[str, Any], prompt: Any) -> None:
    assert sent_hash(content, body, prompt) is None
