"""What the replay server puts on the wire, byte by byte where a provider's rule is at stake."""

from __future__ import annotations

import gzip
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tallybook.testing import ReplayServer, Scenario

MESSAGES = [{"role": "user", "content": "Hello there"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["C", "F"]}},
}


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with ReplayServer(ids="fixed", now=lambda: 1_767_268_800) as running:
        yield running


def post(
    server: ReplayServer, path: str, body: Any, replay: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if replay:
            named["X-Replay"] = replay
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **named})
        reply = connection.getresponse()
        return reply.status, {key.lower(): value for key, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def events(raw: bytes) -> list[Any]:
    lines = [line for line in raw.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: ")]
    return [line[6:] if line == b"data: [DONE]" else json.loads(line[6:]) for line in lines]


def chat(server: ReplayServer, replay: str = "", **more: Any) -> tuple[int, dict[str, str], bytes]:
    return post(server, "/v1/chat/completions", {"model": "gpt-4o", "messages": MESSAGES, **more}, replay)


def test_equal_requests_get_equal_answers_under_new_ids(server: ReplayServer) -> None:
    first, second = (json.loads(chat(server)[2]) for _ in range(2))
    assert first.pop("id") != second.pop("id")
    assert first == second


def test_a_chat_stream_tells_usage_only_in_a_chunk_of_its_own_and_only_when_asked(server: ReplayServer) -> None:
    *chunks, usage, done = events(chat(server, stream=True, stream_options={"include_usage": True})[2])
    assert done == b"data: [DONE]"[6:] or done == b"[DONE]"
    assert usage["choices"] == [] and usage["usage"]["total_tokens"] > 0
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks)
    *chunks, _ = events(chat(server, stream=True)[2])
    assert all("usage" not in chunk for chunk in chunks)


def test_the_text_of_a_stream_is_the_text_of_the_whole_answer(server: ReplayServer) -> None:
    whole = json.loads(chat(server)[2])["choices"][0]["message"]["content"]
    *chunks, _ = events(chat(server, stream=True)[2])
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == whole


def test_some_hosts_tell_usage_unasked_on_the_last_chunk_and_some_never(server: ReplayServer) -> None:
    *_, last, _ = events(chat(server, "usage=always", stream=True)[2])
    assert last["usage"]["prompt_tokens"] > 0 and last["choices"][0]["finish_reason"] == "stop"
    assert "usage" not in json.loads(chat(server, "usage=never")[2])


def test_a_host_may_refuse_stream_options_by_name(server: ReplayServer) -> None:
    status, _, body = chat(server, "stream-options=no", stream=True, stream_options={"include_usage": True})
    assert (status, json.loads(body)["error"]["param"]) == (400, "stream_options")
    assert chat(server, "stream-options=no", stream=True)[0] == 200


def test_tools_are_called_with_arguments_that_fit_their_schema_and_not_again_after_their_result(
    server: ReplayServer,
) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
    message = json.loads(chat(server, "calls=2", tools=tools)[2])["choices"][0]["message"]
    assert [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]] == [
        {"city": "a city", "days": 1, "unit": "C"}
    ] * 2
    assert len({call["id"] for call in message["tool_calls"]}) == 2
    answered = [*MESSAGES, message, {"role": "tool", "tool_call_id": "x", "content": "sunny"}]
    body = {"model": "gpt-4o", "messages": answered, "tools": tools}
    final = json.loads(post(server, "/v1/chat/completions", body)[2])["choices"][0]
    assert final["finish_reason"] == "stop" and final["message"]["content"]


def test_streamed_tool_calls_give_id_and_name_once_and_the_arguments_in_parts(server: ReplayServer) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
    *chunks, _ = events(chat(server, "calls=2", tools=tools, stream=True)[2])
    deltas = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    for index in (0, 1):
        own = [delta for delta in deltas if delta["index"] == index]
        assert [("id" in delta) for delta in own] == [True, False, False]
        assert json.loads("".join(delta["function"]["arguments"] for delta in own))["unit"] == "C"


def test_an_answer_longer_than_its_limit_is_cut_and_says_so(server: ReplayServer) -> None:
    choice = json.loads(chat(server, max_tokens=3)[2])["choices"][0]
    assert choice["finish_reason"] == "length" and len(choice["message"]["content"]) == 12


def test_cached_and_reasoning_tokens_are_parts_at_openai_and_extra_at_the_others(server: ReplayServer) -> None:
    words = "input-tokens=100;output-tokens=50;cached=40;cache-write=10;reasoning=20"
    openai = json.loads(chat(server, words)[2])["usage"]
    assert (openai["prompt_tokens"], openai["completion_tokens"]) == (100, 50)
    assert openai["prompt_tokens_details"]["cached_tokens"] == 40
    assert openai["completion_tokens_details"]["reasoning_tokens"] == 20
    body = {"model": "claude-haiku-4-5", "max_tokens": 99, "messages": MESSAGES}
    anthropic = json.loads(post(server, "/v1/messages", body, words)[2])["usage"]
    assert (anthropic["input_tokens"], anthropic["output_tokens"]) == (50, 50)
    assert (anthropic["cache_read_input_tokens"], anthropic["cache_creation_input_tokens"]) == (40, 10)
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    google = json.loads(post(server, "/v1beta/models/gemini-2.5-flash:generateContent", body, words)[2])[
        "usageMetadata"
    ]
    assert (google["promptTokenCount"], google["candidatesTokenCount"], google["thoughtsTokenCount"]) == (100, 30, 20)
    assert google["totalTokenCount"] == 150


def test_a_messages_stream_has_a_placeholder_first_and_the_final_figures_last(server: ReplayServer) -> None:
    body = {"model": "claude-haiku-4-5", "max_tokens": 99, "messages": MESSAGES, "stream": True}
    seen = events(post(server, "/v1/messages", body)[2])
    assert [seen[0]["type"], seen[-2]["type"], seen[-1]["type"]] == ["message_start", "message_delta", "message_stop"]
    assert seen[0]["message"]["usage"]["output_tokens"] == 1 < seen[-2]["usage"]["output_tokens"]
    assert {"type": "ping"} in seen


def test_a_responses_stream_numbers_its_events_and_ends_with_the_whole_response(server: ReplayServer) -> None:
    seen = events(post(server, "/v1/responses", {"model": "gpt-5", "input": "hi", "stream": True})[2])
    assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
    assert seen[0]["response"]["usage"] is None and seen[-1]["response"]["usage"]["output_tokens"] > 0
    assert seen[-1]["type"] == "response.completed"


def test_a_background_response_has_no_usage_until_it_is_read_again(server: ReplayServer) -> None:
    queued = json.loads(post(server, "/v1/responses", {"model": "gpt-5", "input": "hi", "background": True})[2])
    assert (queued["status"], queued["usage"]) == ("queued", None)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", f"/v1/responses/{queued['id']}")
    read = json.loads(connection.getresponse().read())
    connection.close()
    assert (read["id"], read["status"]) == (queued["id"], "completed") and read["usage"]["total_tokens"] > 0


def test_gemini_streams_are_events_with_alt_sse_and_one_json_array_without(server: ReplayServer) -> None:
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    as_events = events(post(server, path + "?alt=sse", body)[2])
    as_array = json.loads(post(server, path, body)[2])
    strip = [{**chunk, "responseId": ""} for chunk in as_events]
    assert strip == [{**chunk, "responseId": ""} for chunk in as_array]
    assert all("usageMetadata" in chunk for chunk in as_events)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
def test_errors_have_each_providers_own_shape(server: ReplayServer, status: int) -> None:
    words = f"status={status};retry-after=2"
    got, headers, body = chat(server, words)
    assert (got, headers["retry-after"]) == (status, "2") and "message" in json.loads(body)["error"]
    got, _, body = post(server, "/v1/messages", {"model": "claude-haiku-4-5"}, words, anthropic_version="2023-06-01")
    assert got == status and json.loads(body)["type"] == "error"
    got, _, body = post(server, "/v1beta/models/gemini-2.5-flash:generateContent", {}, words)
    assert got == status and json.loads(body)["error"]["code"] == status


def test_a_stream_can_break_by_an_error_event_inside_a_reply_of_status_200(server: ReplayServer) -> None:
    status, _, raw = chat(server, "error-after=3", stream=True)
    assert status == 200 and len(events(raw)) == 4 and "error" in events(raw)[-1]


def test_a_stream_can_end_without_its_terminal_event(server: ReplayServer) -> None:
    seen = events(chat(server, "stop-after=3", stream=True)[2])
    assert len(seen) == 3 and b"[DONE]" not in seen


def test_a_cut_connection_is_an_error_to_the_client_whole_and_streamed(server: ReplayServer) -> None:
    for more in ({}, {"stream": True}):
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            chat(server, "cut-after=2", **more)


def test_pauses_are_kept_before_the_first_byte_and_between_events(server: ReplayServer) -> None:
    begun = time.perf_counter()
    chat(server, "wait-s=0.05;delay-s=0.01;text=a b c", stream=True)
    assert time.perf_counter() - begun >= 0.05 + 4 * 0.01


def test_replies_are_zipped_when_the_client_takes_it(server: ReplayServer) -> None:
    body = {"model": "gpt-4o", "messages": MESSAGES}
    _, headers, raw = post(server, "/v1/chat/completions", body, "gzip", accept_encoding="gzip")
    assert headers["content-encoding"] == "gzip" and json.loads(gzip.decompress(raw))["object"] == "chat.completion"


def test_what_to_do_is_told_by_header_then_model_then_plan_then_default() -> None:
    with ReplayServer(scenario=Scenario(text="default")) as server:

        def said(replay: str = "", model: str = "gpt-4o") -> str:
            body = {"model": model, "messages": MESSAGES}
            return str(
                json.loads(post(server, "/v1/chat/completions", body, replay)[2])["choices"][0]["message"]["content"]
            )

        server.next(Scenario(text="planned"))
        assert said("text=header", "gpt-4o+text=model") == "header"
        assert said(model="gpt-4o+text=model") == "model"
        assert [said(), said()] == ["planned", "default"]


def test_an_unknown_scenario_word_is_refused_by_name(server: ReplayServer) -> None:
    status, _, body = chat(server, "colour=red")
    assert status == 400 and "colour" in json.loads(body)["error"]["message"]


def test_a_batch_is_answered_line_by_line_and_its_usage_is_their_sum(server: ReplayServer) -> None:
    lines = b"\n".join(
        json.dumps(
            {"custom_id": str(n), "url": "/v1/chat/completions", "body": {"model": "gpt-4o", "messages": MESSAGES}}
        ).encode()
        for n in range(3)
    )
    form = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    form += b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + lines + b"\r\n--x--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/v1/files", form, {"content-type": "multipart/form-data; boundary=x"})
    file_id = json.loads(connection.getresponse().read())["id"]
    batch_id = json.loads(post(server, "/v1/batches", {"input_file_id": file_id})[2])["id"]
    connection.request("GET", f"/v1/batches/{batch_id}")
    batch = json.loads(connection.getresponse().read())
    connection.request("GET", f"/v1/files/{batch['output_file_id']}/content")
    answers = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    assert [answer["custom_id"] for answer in answers] == ["0", "1", "2"]
    total = sum(answer["response"]["body"]["usage"]["total_tokens"] for answer in answers)
    assert batch["usage"]["total_tokens"] == total > 0


def test_requests_are_kept_in_order(server: ReplayServer) -> None:
    before = len(server.requests)
    chat(server)
    post(server, "/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"})
    assert [request.path for request in server.requests[before:]] == ["/v1/chat/completions", "/v1/embeddings"]


def test_closing_ends_open_connections_and_pauses() -> None:
    server = ReplayServer()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = json.dumps({"model": "gpt-4o", "messages": MESSAGES, "stream": True})
    connection.request("POST", "/v1/chat/completions", body, {"X-Replay": "wait-s=60"})
    time.sleep(0.1)
    begun = time.perf_counter()
    server.close()
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        connection.getresponse()
    connection.close()
    assert time.perf_counter() - begun < 5
