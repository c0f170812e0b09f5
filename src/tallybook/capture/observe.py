"""One observed call, from its beginning to its record.

`begin` takes what is known before the request, the `Observation` is told of the response, the stream's
end or the failure, and writes exactly one record. It never raises into the application: whoever calls
it stands under a guard.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping
from time import perf_counter_ns, time_ns
from typing import Any

import msgspec

from tallybook.capture import guard, plain
from tallybook.capture.bodies import preview, prompt_hash, sha256, strings
from tallybook.capture.recorder import Recorder
from tallybook.capture.scope import Scope, current
from tallybook.model.call import Status, ToolCall
from tallybook.model.codec import VERSION, Line, Tool, Where, time_of, tokens_of
from tallybook.model.limits import ERROR_MESSAGE_CHARS, METADATA_BYTES
from tallybook.model.usage import Usage
from tallybook.prices.estimate import estimate_tokens
from tallybook.providers.base import Asked, Format, Parsed
from tallybook.providers.failure import failure

_NOTHING = Parsed()
_NO_USAGE = Usage()
CANCELLED = (CancelledError, KeyboardInterrupt, GeneratorExit, SystemExit)


class Observation:
    """A call under way. Exactly one of the finishing methods takes effect; later ones do nothing."""

    __slots__ = (
        "_done", "asked", "base_url", "call_id", "format", "is_batch", "is_stream", "may_repeat", "prompt_told",
        "provider", "recorder", "response", "retries", "scope", "source", "started_ns", "started_us",
    )  # fmt: skip

    def __init__(
        self, recorder: Recorder, fmt: Format, asked: Asked, provider: str, base_url: str | None, *, source: str = "sdk"
    ) -> None:
        self.started_us = time_ns() // 1000
        self.recorder = recorder
        self.format = fmt
        self.asked = asked
        self.provider = provider
        self.base_url = base_url
        self.prompt_told: tuple[str | None, int | None] | None = None
        self.source = source
        self.retries = 0
        self.may_repeat = False
        self.is_batch = False
        self.response: Any = None
        self.is_stream = asked.is_stream
        self._done = False
        self.call_id: str | None = None
        scope: Scope = current.get()
        self.scope = scope
        if scope.seen is not None:
            scope.seen.add(1)
        self.started_ns = perf_counter_ns()

    def elapsed_us(self) -> int:
        """Microseconds since the call began."""
        return (perf_counter_ns() - self.started_ns) // 1000

    def hash_prompt(self) -> tuple[str | None, int | None]:
        """Hash and size of the prompt; kept, for the application may change its messages while a stream goes on."""
        told = self.prompt_told
        if told is None:
            try:
                told = prompt_hash(self.asked.prompt)
            except Exception as error:  # noqa: BLE001  (objects of the application's; the record goes without)
                guard.failed("hashing a prompt", error)
                told = (None, None)
            self.prompt_told = told
        return told

    def succeed(self, raw: bytes, http_status: int | None = None) -> None:
        """Record a whole response from its raw body."""
        duration_us = (perf_counter_ns() - self.started_ns) // 1000
        quick = self.format.quick
        if quick is not None and not self._done:
            said = quick(raw)
            if said is not None and plain.record(self, said, duration_us, None, http_status):
                self._done = True
                return
        parsed = self.format.parse(raw)
        self.finish(parsed, duration_us, http_status=http_status)

    def fail(self, error: BaseException, known: Parsed | None = None) -> None:
        """Record the exception that the call raised to the application, with what was `known` of it before."""
        if self._done:
            return
        duration_us = self.elapsed_us()
        status: Status = "cancelled" if isinstance(error, CANCELLED) else "error"
        http_status = getattr(error, "status_code", None) or getattr(error, "code", None)
        http_status = http_status if isinstance(http_status, int) else None
        kind, message = failure(getattr(error, "body", None) or getattr(error, "details", None), http_status)
        parsed = Parsed(
            error_type=kind or type(error).__name__, error_message=message or str(error), is_complete=False
        )  # fmt: skip
        raw = self.response_bytes()
        if raw is not None:  # The provider answered and billed; the SDK could not make sense of it.
            answered = self.format.parse(raw)
            parsed = msgspec.structs.replace(
                answered, error_type=parsed.error_type, error_message=parsed.error_message
            )  # fmt: skip
        elif known is not None:
            parsed = msgspec.structs.replace(
                known, error_type=parsed.error_type, error_message=parsed.error_message, is_complete=False
            )  # fmt: skip
        self.finish(parsed, duration_us, status=status, http_status=http_status)

    def discard(self) -> None:
        """Record nothing: it was no call to a model after all."""
        if not self._done:
            self._done = True
            if self.scope.seen is not None:
                self.scope.seen.add(-1)
            if self.call_id is not None and self.recorder.begun is not None:
                self.recorder.begun.withdraw(self)

    def response_bytes(self) -> bytes | None:
        """Body of a response that had been read when the SDK failed; `None` where there is none."""
        response = self.response
        if response is None or not 200 <= getattr(response, "status_code", 0) < 300:
            return None
        content = getattr(response, "_content", None)
        return content if isinstance(content, bytes) else None

    def finish(
        self,
        parsed: Parsed,
        duration_us: int | None,
        *,
        status: Status | None = None,
        ttft_us: int | None = None,
        http_status: int | None = None,
    ) -> None:
        """Write the record, once."""
        if self._done:
            return
        self._done = True
        said = None
        if status is None and duration_us is not None and not self.recorder.keeps_bodies:
            said = plain.quick_of(parsed)
            if said is not None and plain.record(self, said, duration_us, ttft_us, http_status):
                return
        if status is None:
            status = "error" if parsed.error_type else "ok" if parsed.is_complete else "incomplete"
        line = self._line(parsed, status)
        line.duration_ms = None if duration_us is None else duration_us / 1000
        line.ttft_ms = None if ttft_us is None else ttft_us / 1000
        line.http_status = http_status
        if self.recorder.keeps_bodies:
            self._bodies(line, parsed.text)
        self.recorder.line(line)
        if said is not None:
            plain.learn(self, said, http_status, line)
        if parsed.further:
            self._further(parsed, line)

    def finish_stream(
        self, parsed: Parsed, duration_us: int, status: Status | None, error: BaseException | None,
        ttft_us: int | None, http_status: int | None = None,
    ) -> None:  # fmt: skip
        """Write the record of a stream that was left with `status` or broke with `error`, or with neither ended.

        Where all was seen that the provider had to say, be it an error, it does not matter who hung up first.
        """
        if parsed.is_complete or parsed.error_type is not None:
            status = None
        else:
            status = status or "incomplete"
            if error is not None:
                parsed = msgspec.structs.replace(parsed, error_type=type(error).__name__, error_message=str(error))
        self.finish(parsed, duration_us, status=status, ttft_us=ttft_us, http_status=http_status)

    def _line(self, parsed: Parsed, status: Status) -> Line:
        """The record but for its durations and HTTP status."""
        usage, flags = self._usage(parsed, status)
        prompt_digest, prompt_bytes = self.hash_prompt()
        text = parsed.text
        recorder = self.recorder
        scope = self.scope
        settings = recorder.settings
        message = parsed.error_message
        metadata = scope.metadata
        if metadata:
            metadata, cut = checked(metadata)
            flags += cut
        if scope.is_cut:
            flags += ("field_cut",)
        flags += self.asked.facts
        return Line(
            VERSION, time_of(self.started_us), self.call_id or recorder.new_id(self.started_us), scope.agent_name,
            self.format.operation, self.asked.model, scope.session_id, scope.user_id or settings.user_id, None,
            tokens_of(usage), None if parsed.cost_nanousd is None else parsed.cost_nanousd / 1e9, status == "ok",
            prompt_digest, None if text is None else sha256(text.encode("utf-8", "surrogatepass")),
            Where(
                scope.project or recorder.place.project, recorder.place.branch(self.started_us),
                None if message is None else recorder.redact(message[: 4 * ERROR_MESSAGE_CHARS])[:ERROR_MESSAGE_CHARS],
            ),
            scope.name, self.provider, parsed.response_model, parsed.response_id, scope.run_id, scope.parent_id,
            None, status, parsed.error_type, None, scope.environment or settings.environment, scope.tags, metadata,
            self._tools(parsed.tool_calls) if parsed.tool_calls else (),
            parsed.finish_reasons, parsed.service_tier, self.base_url, self.is_stream, self.is_batch,
            self.may_repeat, self.retries, self.source, usage.requests, usage.quantities, parsed.usage_raw,
            self.asked.parameters, prompt_bytes, None if text is None else len(text), None, None, flags,
        )  # fmt: skip

    def _further(self, parsed: Parsed, line: Line) -> None:
        """Usage of other models inside the call (an advisor, an image tool) is billed beside it: records of its own."""
        for part in parsed.further:
            self.recorder.line(
                msgspec.structs.replace(
                    line, call_id=self.recorder.new_id(self.started_us), name=part.name or line.name,
                    model=part.model, response_model=part.model, response_id=None, parent_id=line.call_id,
                    tokens=tokens_of(part.usage), usage_raw=part.usage_raw, cost_usd=None, tool_calls=(),
                    requests=part.usage.requests, quantities=part.usage.quantities, prompt_hash=None,
                    response_hash=None, prompt_chars=None, response_chars=None, prompt_preview=None,
                    response_preview=None, duration_ms=None, ttft_ms=None, flags=("part_of_call",),
                )
            )  # fmt: skip

    def _tools(self, tool_calls: tuple[ToolCall, ...]) -> tuple[Tool, ...]:
        """Tool calls as a line has them; arguments and results are content and follow the switch for responses."""
        redact = self.recorder.redact
        keeps = self.recorder.settings.responses == "full"
        return tuple([
            Tool(
                t.name, t.id, redact(t.arguments) if keeps and t.arguments else None,
                redact(t.result) if keeps and t.result else None,
                None if t.duration_us is None else t.duration_us / 1000,
                t.error and redact(t.error[: 4 * ERROR_MESSAGE_CHARS])[:ERROR_MESSAGE_CHARS], t.server_side,
            )
            for t in tool_calls
        ])  # fmt: skip

    def _usage(self, parsed: Parsed, status: Status) -> tuple[Usage, tuple[str, ...]]:
        """The usage to record: as told, else estimated for an answer that was at least begun, and flagged so."""
        usage = parsed.usage
        flags = parsed.flags
        if usage is not None and parsed.is_complete and not self.asked.quantities:
            return usage, flags
        if usage is None:
            began = parsed.text or parsed.reasoning_chars or parsed.tool_calls
            if self.is_stream and (began or status in ("incomplete", "cancelled")):
                usage, flags = self._estimate(parsed), (*flags, "usage_estimated")
            elif status == "ok" and not self.asked.quantities:
                usage, flags = _NO_USAGE, flags if "usage_missing" in flags else (*flags, "usage_missing")
            else:
                usage = _NO_USAGE
        elif (status in ("incomplete", "cancelled")) and not parsed.is_complete and self.is_stream:
            usage, flags = self._at_least(usage, parsed), (*flags, "usage_estimated")
        if self.asked.quantities:
            usage = msgspec.structs.replace(usage, quantities={**self.asked.quantities, **usage.quantities})
        return usage, flags

    def _estimate(self, parsed: Parsed) -> Usage:
        model = parsed.response_model or self.asked.model or ""
        return Usage(
            input_tokens=self._input_estimate(model),
            output_tokens=_output_estimate(parsed, model),
        )

    def _input_estimate(self, model: str) -> int | None:
        prompt = self.asked.prompt
        return None if prompt is None else estimate_tokens("\n".join(strings(prompt)), model)

    def _at_least(self, usage: Usage, parsed: Parsed) -> Usage:
        """A broken stream's usage: the input as told, the output no less than what was seen of it."""
        model = parsed.response_model or self.asked.model or ""
        output = max(usage.output_tokens or 0, _output_estimate(parsed, model))
        told = usage.input_tokens
        if told is None:
            told = self._input_estimate(model)
        return msgspec.structs.replace(usage, input_tokens=told, output_tokens=output)

    def _bodies(self, line: Line, text: str | None) -> None:
        recorder, settings, prompt = self.recorder, self.recorder.settings, self.asked.prompt
        call_id = line.call_id or ""
        when = line.timestamp.isoformat().replace("+00:00", "Z")
        with guard.contained("bodies"):
            if settings.prompts != "none" and prompt is not None:
                line.prompt_preview = preview(prompt, recorder.redact)
                if settings.prompts == "full":
                    recorder.bodies.prompt(call_id, when, prompt)
            if settings.responses != "none" and text is not None:
                line.response_preview = preview(text, recorder.redact)
                if settings.responses == "full":
                    recorder.bodies.response(call_id, when, text)


def record_failure(observation: Observation, error: BaseException) -> None:
    """Record the exception that the application gets; a failure of ours in doing so is contained."""
    with guard.contained("recording a failure"):
        observation.fail(error)


def _output_estimate(parsed: Parsed, model: str) -> int:
    text = (parsed.text or "") + "".join(t.name + (t.arguments or "") for t in parsed.tool_calls)
    return estimate_tokens(text, model) + parsed.reasoning_chars // 4


def checked(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Metadata as JSON can carry them, within their limit, and the flag that says so where they were beyond."""
    try:
        data = msgspec.json.encode(metadata)
    except (TypeError, ValueError, OverflowError, RecursionError):
        metadata = {_word(key): _word(value) for key, value in metadata.items()}
        data = msgspec.json.encode(metadata)
    if len(data) > METADATA_BYTES:
        return {}, ("metadata_dropped",)
    return dict(metadata), ()


def _word(value: Any) -> str:
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001  (an object of the application's may fail at its own text)
        return f"<{type(value).__name__}>"
