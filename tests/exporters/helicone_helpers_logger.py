"""A program with Helicone's Python helpers, which log what was asked and answered. `RIVAL_URL` says where to."""

import asyncio
import json
import os
import urllib.request

from helicone_helpers import HeliconeManualLogger

REPLAY, ROOT = os.environ["REPLAY_URL"], os.environ["REPLAY_ROOT"]
MESSAGES = [{"role": "user", "content": "Hello"}]


def post(url, body, **headers):
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **headers})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


logger = HeliconeManualLogger(
    api_key=os.environ["RIVAL_KEY"], headers={"Helicone-User-Id": "ada"}, logging_endpoint=os.environ["RIVAL_URL"]
)
chat = {"model": "gpt-4o", "messages": MESSAGES, "temperature": 0.2}


def openai_call(recorder):
    answer = json.loads(post(f"{REPLAY}/chat/completions", chat, authorization="Bearer any"))
    recorder.append_results(answer)


session = {"Helicone-Session-Id": "s-1", "Helicone-Session-Path": "/plan/write", "Helicone-Session-Name": "Course plan"}
logger.log_request(chat, openai_call, {**session, "Helicone-Property-Team": "blue"}, provider="openai")

ask = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": MESSAGES}


def anthropic_call(recorder):
    answer = post(f"{ROOT}/v1/messages", ask, **{"x-api-key": "any", "anthropic-version": "2023-06-01"})
    recorder.append_results(json.loads(answer))


logger.log_request(ask, anthropic_call, {"Helicone-Request-Id": "r-1"}, provider="anthropic")
logger.log_request(chat, openai_call, session)

streamed = {**chat, "stream": True, "stream_options": {"include_usage": True}}
builder = logger.log_builder(streamed, session)
for line in post(f"{REPLAY}/chat/completions", streamed, authorization="Bearer any").splitlines():
    if line.startswith("data: {"):
        builder.add_chunk(json.loads(line[6:]))
asyncio.run(builder.send_log())

logger.log_request(
    {"_type": "tool", "toolName": "search", "input": {"q": "refunds"}},
    lambda recorder: recorder.append_results({"found": 3}), session,
)  # fmt: skip
