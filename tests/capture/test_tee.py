"""Listening to a body as it is read, whatever way, and however its reading ends: one true record, the same bytes."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import os
import subprocess
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from tallybook.capture import recorder, tee
from tallybook.capture.observe import Observation
from tallybook.capture.tee import Listener, attach
from tallybook.model.call import Call
from tallybook.model.limits import STREAM_BUFFER_BYTES
from tallybook.providers.base import Asked, Format
from tallybook.providers.openai_audio import SPEECH
from tallybook.providers.openai_chat import CHAT
from tallybook.testing import TemporaryLedger

PROMPT = [{"role": "user", "content": "How are you today?"}]


def event(content: str | None = None, **more: Any) -> bytes:
    delta = {"role": "assistant", "content": ""} if content is None else {"content": content}
    chunk = {"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "choices": [{"index": 0, "delta": delta}], **more}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


ROLE = event()
TEXT = event("I am fine, ") + event("thank you.")
FINISH = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
USAGE = event(choices=[], usage={"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19})
DONE = b"data: [DONE]\n\n"
STREAM = ROLE + TEXT + FINISH + USAGE + DONE
WHOLE = json.dumps(
    {
        "id": "chatcmpl-1",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"content": "I am fine."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16},
    }
).encode()


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Pieces as a network brings them; an exception among them is raised in its place."""

    def __init__(self, *pieces: bytes | BaseException | Callable[[], None]) -> None:
        self.pieces = pieces
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            if callable(piece):
                piece()
                continue
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            await asyncio.sleep(0)
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


def observation(fmt: Format = CHAT, *, is_stream: bool = True, **asked: Any) -> Observation:
    asked = {"model": "gpt-4o", "prompt": PROMPT, **asked}
    return Observation(recorder.get(), fmt, Asked(is_stream=is_stream, **asked), "openai", None)


def send(body: Body, headers: dict[str, str]) -> httpx2.Response:
    client = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, stream=body)))
    return client.send(client.build_request("POST", "https://api.openai.com/v1/chat/completions"), stream=True)


def answered(
    *pieces: bytes | BaseException | Callable[[], None], content_type: str = "text/event-stream", encoding: str = "",
    fmt: Format = CHAT, is_stream: bool = True, hide: bool = False,
) -> httpx2.Response:  # fmt: skip
    """A response that is listened to, not read yet."""
    headers = {"content-type": content_type} | ({"content-encoding": encoding} if encoding else {})
    response = send(Body(*pieces), headers)
    attach(response, observation(fmt, is_stream=is_stream), is_async=False, hide_usage=hide)
    return response


async def answered_later(*pieces: bytes | BaseException | Callable[[], None], hide: bool = False) -> httpx2.Response:
    headers = {"content-type": "text/event-stream"}
    body = Body(*pieces)
    client = httpx2.AsyncClient(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, stream=body))
    )
    request = client.build_request("POST", "https://api.openai.com/v1/chat/completions")
    response = await client.send(request, stream=True)
    attach(response, observation(), is_async=True, hide_usage=hide)
    return response


def only(ledger: TemporaryLedger) -> Call:
    (call,) = ledger.calls()
    return call


READERS: dict[str, Callable[[httpx2.Response], bytes]] = {
    "iter_bytes": lambda response: b"".join(response.iter_bytes()),
    "iter_bytes in pieces of 7": lambda response: b"".join(response.iter_bytes(7)),
    "iter_bytes in large pieces": lambda response: b"".join(response.iter_bytes(1 << 20)),
    "iter_text": lambda response: "".join(response.iter_text()).encode(),
    "iter_lines": lambda response: "\n".join([*response.iter_lines(), ""]).encode(),
    "read": lambda response: response.read(),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_stream_that_is_read_whole_is_recorded_whole_and_read_unchanged(
    ledger: TemporaryLedger, reader: str, encoding: str
) -> None:
    data = gzip.compress(STREAM) if encoding else STREAM
    response = answered(*(data[at : at + 50] for at in range(0, len(data), 50)), encoding=encoding)
    assert READERS[reader](response) == STREAM
    call = only(ledger)
    assert (call.status, call.usage.input_tokens, call.usage.output_tokens) == ("ok", 12, 7)
    assert (call.response_id, call.finish_reasons, call.flags) == ("chatcmpl-1", ("stop",), ())
    assert call.is_stream and call.ttft_us is not None and call.duration_us is not None
    assert call.http_status == 200


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_whole_body_read_as_a_stream_is_recorded_as_a_whole_one(
    ledger: TemporaryLedger, reader: str, encoding: str
) -> None:
    data = gzip.compress(WHOLE) if encoding else WHOLE
    response = answered(
        *(data[at : at + 50] for at in range(0, len(data), 50)),
        content_type="application/json",
        encoding=encoding,
        is_stream=False,
    )
    assert READERS[reader](response).rstrip() == WHOLE
    call = only(ledger)
    assert (call.status, call.usage.total_tokens, call.ttft_us, call.is_stream) == ("ok", 16, None, False)


def test_a_json_body_where_a_stream_was_asked_for_is_understood(ledger: TemporaryLedger) -> None:
    error = b'{"error":{"type":"server_error","message":"overloaded"}}'
    answered(error, content_type="application/json").read()
    call = only(ledger)
    assert (call.status, call.error_type, call.error_message) == ("error", "server_error", "overloaded")


def test_events_under_a_wrong_content_type_are_known_by_their_first_bytes(ledger: TemporaryLedger) -> None:
    answered(b"\n", STREAM, content_type="application/octet-stream").read()
    assert only(ledger).usage.output_tokens == 7


def test_the_first_token_is_the_first_content_and_not_the_chunk_with_the_role(ledger: TemporaryLedger) -> None:
    clock: list[int] = []
    observed = observation()
    response = send(
        Body(ROLE, lambda: clock.append(observed.elapsed_us()), event("Hi"),
             lambda: clock.append(observed.elapsed_us()), FINISH, USAGE, DONE),
        {"content-type": "text/event-stream"},
    )  # fmt: skip
    attach(response, observed, is_async=False)
    response.read()
    call = only(ledger)
    assert call.ttft_us is not None and call.duration_us is not None
    assert clock[0] <= call.ttft_us <= clock[1] <= call.duration_us


def test_a_stream_closed_early_is_incomplete_and_its_tokens_are_estimated_and_marked(ledger: TemporaryLedger) -> None:
    response = answered(ROLE, event("I am fine, "), event("thank you."), FINISH, USAGE, DONE)
    chunks = response.iter_bytes()
    assert [next(chunks), next(chunks)] == [ROLE, event("I am fine, ")]
    response.close()
    call = only(ledger)
    assert (call.status, call.flags) == ("incomplete", ("usage_estimated",))
    assert call.usage.input_tokens and call.usage.output_tokens
    assert 1 <= call.usage.output_tokens <= 8


def test_a_stream_that_was_closed_after_its_last_word_is_complete(ledger: TemporaryLedger) -> None:
    response = answered(STREAM, b": keep-alive\n\n")
    next(response.iter_bytes())
    response.close()
    call = only(ledger)
    assert (call.status, call.usage.output_tokens, call.flags) == ("ok", 7, ())


def test_a_stream_that_is_dropped_is_recorded_at_once_without_waiting_for_the_collector(
    ledger: TemporaryLedger,
) -> None:
    gc.disable()
    try:
        response = answered(ROLE, TEXT, FINISH, USAGE, DONE)
        chunks = response.iter_bytes()
        next(chunks), next(chunks)
        del response, chunks
        call = only(ledger)
    finally:
        gc.enable()
    assert (call.status, call.flags) == ("incomplete", ("usage_estimated",))


def test_a_response_that_nobody_reads_is_recorded_when_it_is_closed(ledger: TemporaryLedger) -> None:
    answered(STREAM).close()
    call = only(ledger)
    assert (call.status, call.usage.output_tokens) == ("incomplete", 0)
    assert call.usage.input_tokens and call.flags == ("usage_estimated",)


def test_a_connection_that_breaks_raises_the_same_exception_and_is_recorded_with_what_was_seen(
    ledger: TemporaryLedger,
) -> None:
    broken = httpx2.ReadError("connection reset by jane@example.com")
    response = answered(ROLE, event("I am fine, "), broken)
    with pytest.raises(httpx2.ReadError) as caught:
        response.read()
    assert caught.value is broken
    call = only(ledger)
    assert (call.status, call.error_type) == ("incomplete", "ReadError")
    assert call.error_message == "connection reset by [redacted:email]"
    assert call.flags == ("usage_estimated",) and call.usage.output_tokens


def test_a_stream_without_its_terminal_event_is_incomplete(ledger: TemporaryLedger) -> None:
    answered(ROLE, TEXT).read()
    assert only(ledger).status == "incomplete"


def test_closing_twice_and_reading_on_make_no_second_record(ledger: TemporaryLedger) -> None:
    response = answered(STREAM)
    response.read()
    response.close()
    response.close()
    assert response.read() == STREAM
    assert len(ledger.calls()) == 1


def test_the_hidden_usage_is_recorded_and_not_seen(ledger: TemporaryLedger) -> None:
    given = STREAM.replace(b'"choices":[{', b'"usage":null,"choices":[{')
    response = answered(*(given[at : at + 1] for at in range(len(given))), hide=True)
    assert response.read() == STREAM.replace(USAGE, b"")
    assert only(ledger).usage.output_tokens == 7


def test_a_large_event_in_tiny_pieces_is_no_recursion(ledger: TemporaryLedger) -> None:
    large = event("x" * 5_000)

    async def later() -> bytes:
        pieces = (large[at : at + 1] for at in range(len(large)))
        response = await answered_later(*pieces, FINISH, USAGE, DONE, hide=True)
        return b"".join([chunk async for chunk in response.aiter_bytes()])

    assert asyncio.run(later()) == large + FINISH + DONE
    response = answered(*(large[at : at + 1] for at in range(len(large))), FINISH, USAGE, DONE, hide=True)
    assert response.read() == large + FINISH + DONE
    assert [call.status for call in ledger.calls()] == ["ok", "ok"]


def test_memory_stays_bounded_while_a_long_stream_passes(ledger: TemporaryLedger) -> None:
    listener = Listener(observation(), "text/event-stream", 200)
    piece = event("word " * 20) * 20
    sizes = []
    for _ in range(1 + 2_000_000 // len(piece)):
        listener.hear(piece)
        sizes.append(sum(map(len, listener.buffer)))
    assert max(sizes) <= STREAM_BUFFER_BYTES + len(piece)
    for rest in (FINISH, USAGE, DONE):
        listener.hear(rest)
    listener.end()
    call = only(ledger)
    assert (call.status, call.usage.output_tokens) == ("ok", 7)


def test_an_event_larger_than_the_buffer_is_kept_and_not_parsed_at_each_piece(
    ledger: TemporaryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener(observation(), "text/event-stream", 200)
    listener.hear(ROLE + event("Hi"))
    looks: list[int] = []
    real = Listener._relieve
    monkeypatch.setattr(Listener, "_relieve", lambda self: (looks.append(1), real(self))[1])
    large = event("y" * 3_000_000)
    for at in range(0, len(large), 4_096):
        listener.hear(large[at : at + 4_096])
    assert 1 <= len(looks) <= 6
    listener.hear(FINISH + USAGE + DONE)
    listener.end()
    call = only(ledger)
    assert call.response_chars == 3_000_002


def test_a_whole_body_beyond_the_limit_is_recorded_without_usage_and_says_so(
    ledger: TemporaryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tee, "_WHOLE_BYTES", 600_000)
    response = answered(*[b'{"fill":"' + b"x" * 400_000] * 3, content_type="application/json", is_stream=False)
    assert len(response.read()) == 3 * 400_009
    call = only(ledger)
    assert call.status == "ok" and "body_too_large" in call.flags
    assert call.usage.input_tokens is None


def test_speech_is_not_kept_in_memory(ledger: TemporaryLedger) -> None:
    listener = Listener(observation(SPEECH, is_stream=False, quantities={"characters": 18}), "audio/mpeg", 200)
    for _ in range(5):
        listener.hear(b"\xff\xfb" * 10_000)
    assert listener.buffer == []
    listener.end()
    call = only(ledger)
    assert (call.status, call.usage.quantities) == ("ok", {"characters": 18})


def test_asynchronous_streams_are_heard_alike(ledger: TemporaryLedger) -> None:
    async def whole() -> bytes:
        response = await answered_later(ROLE, TEXT, FINISH, USAGE, DONE)
        return await response.aread()

    async def closed() -> None:
        response = await answered_later(ROLE, TEXT, FINISH, USAGE, DONE)
        async for _ in response.aiter_lines():
            break
        await response.aclose()

    async def broken() -> None:
        response = await answered_later(ROLE, TEXT, httpx2.ReadTimeout("too slow"))
        with pytest.raises(httpx2.ReadTimeout, match="too slow"):
            await response.aread()

    assert asyncio.run(whole()) == STREAM
    asyncio.run(closed())
    asyncio.run(broken())
    first, second, third = ledger.calls()
    assert (first.status, first.usage.output_tokens, first.flags) == ("ok", 7, ())
    assert (second.status, second.flags) == ("incomplete", ("usage_estimated",))
    assert (third.status, third.error_type) == ("incomplete", "ReadTimeout")


def test_a_cancelled_task_leaves_a_cancelled_record_and_is_cancelled(ledger: TemporaryLedger) -> None:
    async def reading() -> None:
        started = asyncio.Event()

        class Slow(Body):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield ROLE + event("I am fine, ")
                started.set()
                await asyncio.sleep(60)

        async def read() -> None:
            response = send_later(Slow())
            observed = observation()
            live = await response
            attach(live, observed, is_async=True)
            async for _ in live.aiter_bytes():
                pass

        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def send_later(body: Body) -> httpx2.Response:
        client = httpx2.AsyncClient(
            transport=httpx2.MockTransport(
                lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=body)
            )
        )
        return await client.send(client.build_request("POST", "https://api.openai.com/v1/x"), stream=True)

    asyncio.run(reading())
    call = only(ledger)
    assert (call.status, call.error_type, call.flags) == ("cancelled", "CancelledError", ("usage_estimated",))


def test_what_we_cannot_hear_does_not_reach_the_reader(
    ledger: TemporaryLedger, failures: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(self: Listener, chunk: bytes) -> None:
        raise RuntimeError("deaf")

    monkeypatch.setattr(Listener, "hear", deaf)
    assert answered(STREAM).read() == STREAM
    assert failures["listening to a stream"] == 1


OLD = Path(os.environ.get("TALLYBOOK_OLD_PYTHON") or "/nowhere")


@pytest.mark.skipif(not OLD.exists(), reason="no environment with the previous httpx; set TALLYBOOK_OLD_PYTHON")
def test_the_previous_httpx_is_heard_alike(tmp_path: Path) -> None:
    program = f"""
        import sys; sys.path[:0] = {[str(Path(__file__).parents[2] / "src")]!r}
        sys.path.append({str(Path(msgspec.__file__).parents[1])!r})
        import httpx
        from tallybook.capture import recorder
        from tallybook.capture.observe import Observation
        from tallybook.capture.tee import attach
        from tallybook.providers.base import Asked
        from tallybook.providers.openai_chat import CHAT
        recorder.configure(folder={str(tmp_path)!r})
        data = {STREAM!r}
        class Body(httpx.SyncByteStream):
            def __iter__(self):
                yield from (data[at:at + 50] for at in range(0, len(data), 50))
        for way in (lambda r: b"".join(r.iter_bytes()), lambda r: b"".join(r.iter_bytes(1 << 20)), lambda r: r.read()):
            answer = lambda _: httpx.Response(200, headers={{"content-type": "text/event-stream"}}, stream=Body())
            client = httpx.Client(transport=httpx.MockTransport(answer))
            response = client.send(client.build_request("POST", "https://api.openai.com/v1/x"), stream=True)
            asked = Asked(model="gpt-4o", is_stream=True, prompt="Hi")
            attach(response, Observation(recorder.get(), CHAT, asked, "openai", None), is_async=False)
            assert way(response) == data
    """
    done = subprocess.run([OLD, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [(call.status, call.usage.output_tokens) for call in TemporaryLedger(tmp_path).calls()] == [("ok", 7)] * 3
