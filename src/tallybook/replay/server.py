"""The replay server: routes a request to the provider that is meant, and keeps what was asked."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tallybook.replay import (
    anthropic,
    google,
    openai_batch,
    openai_chat,
    openai_error,
    openai_other,
    openai_responses,
    scenario,
)
from tallybook.replay.exchange import Exchange
from tallybook.replay.http import Listener, Reply, Request, json_reply
from tallybook.replay.recording import Tape
from tallybook.replay.scenario import Scenario

Handler = Callable[[Exchange], Reply]

_POST: tuple[tuple[str, Handler], ...] = (
    ("/chat/completions", openai_chat.chat),
    ("/completions", openai_chat.completions),
    ("/responses/input_tokens", openai_other.count_input),
    ("/responses", openai_responses.create),
    ("/embeddings", openai_other.embeddings),
    ("/images/generations", openai_other.images),
    ("/images/edits", openai_other.images),
    ("/audio/speech", openai_other.speech),
    ("/audio/transcriptions", openai_other.transcription),
    ("/audio/translations", openai_other.transcription),
    ("/moderations", openai_other.moderations),
    ("/files", openai_batch.upload),
    ("/messages/count_tokens", anthropic.count_tokens),
    ("/messages/batches", anthropic.create_batch),
    ("/messages", anthropic.messages),
    ("/batches", openai_batch.create),
    (":generateContent", google.generate),
    (":streamGenerateContent", google.stream),
    (":embedContent", google.embed),
    (":batchEmbedContents", google.embed),
    (":countTokens", google.count_tokens),
    (":predict", google.predict),
    (":batchGenerateContent", google.create_batch),
)
"""By the end of the path, so that any prefix of a gateway, a version or a deployment may stand before it."""

_GET: tuple[tuple[str, Handler], ...] = (
    ("/messages/batches/", anthropic.read_batch),
    ("/batches/", openai_batch.read),
    ("/files/", openai_batch.read_file),
    ("/responses/", openai_responses.read),
    ("/models", openai_other.models),
)


def _handler(request: Request) -> Handler | None:
    if request.method == "GET":
        if "/batches/" in request.path and "x-goog-api-key" in request.headers:
            return google.read_batch
        return next((handler for part, handler in _GET if part in request.path), None)
    return next((handler for end, handler in _POST if request.path.endswith(end)), None)


def _model(request: Request) -> str:
    """The model asked for: in the body, in a form, or in the path (Gemini, Azure)."""
    told = request.json.get("model") or request.form.get("model", b"").decode()
    if told:
        return str(told)
    for mark in ("/models/", "/deployments/"):
        _, found, rest = request.path.partition(mark)
        if found:
            return rest.split("/")[0].split(":")[0]
    return ""


class ReplayServer:
    """A model provider on 127.0.0.1, from its construction to `close` or the end of its `with` block.

    What it answers is told, first wins: by the request's header `X-Replay` (`status=429; retry-after=1`), by the
    words behind a `+` in its model name, by `next`, by `scenario`, or else it is a plain success. With `recordings`
    (objects or files of JSON lines, see `tallybook.replay.recording`), requests that match one get what was recorded.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        scenario: Scenario | None = None,
        recordings: Iterable[Mapping[str, Any] | str | Path] = (),
        ids: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.scenario = scenario or Scenario()
        """For requests that nothing else tells how to answer."""
        self.requests: list[Request] = []
        """Every request so far, in order of arrival."""
        self._tape = Tape(recordings)
        self._planned: deque[Scenario] = deque()
        self._now = now
        self._salt = secrets.token_hex(4) if ids is None else ids
        self._count = itertools.count(1)
        self._lock = threading.Lock()
        self._memory: dict[str, Any] = {}
        self._listener = Listener(self._respond, port)
        self.port = self._listener.port
        self.url = f"http://127.0.0.1:{self.port}"
        """Base URL for Anthropic's and Google's clients."""
        self.openai_url = f"{self.url}/v1"
        """Base URL for OpenAI's clients."""

    def next(self, *scenarios: Scenario) -> None:
        """Answer the coming requests by these scenarios, one each."""
        with self._lock:
            self._planned.extend(scenarios)

    def environ(self) -> dict[str, str]:
        """Variables that lead the official SDKs of a process here."""
        return {
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": "replay",
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "replay",
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GEMINI_API_KEY": "replay",
        }

    def close(self) -> None:
        """Stop serving and end the open connections."""
        self._listener.close()

    def __enter__(self) -> ReplayServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}{self._salt}{next(self._count):06d}"

    def _scenario(self, request: Request, words: str) -> Scenario:
        told = request.headers.get("x-replay")
        if told is not None or words:
            return scenario.read(told or words, self.scenario)
        with self._lock:
            return self._planned.popleft() if self._planned else self.scenario

    def _respond(self, request: Request) -> Reply:
        self.requests.append(request)
        recorded = self._tape.play(request)
        if recorded is not None:
            return recorded
        model, words = scenario.split_model(_model(request))
        try:
            wanted = self._scenario(request, words)
        except ValueError as error:
            return json_reply({"error": {"message": f"replay server: {error}", "type": "invalid_request_error"}}, 400)
        exchange = Exchange(request, wanted, model, self._new_id, int(self._now()), self._memory)
        reply = self._answer(exchange)
        reply.wait_s = wanted.wait_s
        reply.is_zipped = wanted.gzip and "gzip" in request.headers.get("accept-encoding", "")
        reply.is_cut = reply.is_cut or (wanted.cut_after is not None and reply.pieces is None)
        return reply

    @staticmethod
    def _answer(exchange: Exchange) -> Reply:
        path = exchange.request.path
        fail: Callable[[Exchange, int], Reply] = openai_error.error_reply
        if "anthropic-version" in exchange.request.headers or "/messages" in path:
            fail = anthropic.error_reply
        elif "x-goog-api-key" in exchange.request.headers or ":" in path.rsplit("/", 1)[-1]:
            fail = google.error_reply
        if exchange.scenario.status != 200:
            return fail(exchange, exchange.scenario.status)
        handler = _handler(exchange.request)
        try:
            return fail(exchange, 404) if handler is None else handler(exchange)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            # A request of the wrong shape, which providers refuse so too.
            told = dataclasses.replace(exchange.scenario, message=f"replay server: {error!r}")
            return fail(dataclasses.replace(exchange, scenario=told), 400)
