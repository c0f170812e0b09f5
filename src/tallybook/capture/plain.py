"""The record of a plain call, by the shortest way.

Most calls of a process differ in few things: time, ids, tokens, hashes. The rest of their line is kept as a form, cut
from a line that `codec` encoded, so that the format stands there alone; a further call of the kind is filled in. What
recording costs between an application's own work is the code and memory that it touches, out of the processor's
caches, and this touches a fraction of what a `Line` does. The line is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tallybook.capture.bodies import encode, sha256
from tallybook.capture.recorder import WINDOW_US
from tallybook.capture.scope import Scope
from tallybook.model.codec import Line, Tool, encode_line, tokens_of
from tallybook.model.limits import RECORD_BYTES
from tallybook.providers.base import Parsed, Quick

if TYPE_CHECKING:
    from tallybook.capture.observe import Observation

_TEXT = "[tallybook blank]"
"""Stands where a text is filled in, between its quotes."""
_BARE = "[tallybook bare blank]"
"""Stands for a value or member that is filled in whole."""

_LASTING = frozenset((str, int, float, bool, type(None)))
"""Kinds of metadata values that nobody can change behind our back."""

Kind = tuple[Any, ...]
Form = tuple[str, ...]
"""What stands around the blanks of a line, in order: one more than there are blanks."""

Kept = tuple[Scope, Form | None]
"""A form, and the scope that it is for: while it is held, no other has its identity."""

_BLANKS = 13
_FORMS = 256
"""Forms that are kept. Beyond: all are forgotten and made anew."""


def form_of(line: Line) -> Form | None:
    """The form of a line; `None` where the line's own texts look like a blank."""
    marked: Any = msgspec.structs.replace(
        line, timestamp=_TEXT, call_id=_TEXT, duration_ms=_BARE, tokens=_BARE, prompt_hash=_TEXT, response_hash=_BARE,
        response_id=_BARE, ttft_ms=_BARE, tool_calls=_BARE, usage_raw=_BARE, parameters=_BARE, prompt_chars=_BARE,
        response_chars=_BARE,
    )  # fmt: skip
    text = encode_line(marked).decode()
    for name in (
        "ttft_ms",
        "tool_calls",
        "parameters",
        "response_chars",
    ):  # They are left out where they are empty: the blank takes the key as well.
        text = text.replace(f',"{name}":"{_BARE}"', _TEXT)
    pieces = tuple(text.replace(f'"{_BARE}"', _TEXT).split(_TEXT))
    return pieces if len(pieces) == _BLANKS + 1 else None


def quick_of(parsed: Parsed) -> Quick | None:
    """What was parsed of a response as `Quick`, where that is all there is of it."""
    usage = parsed.usage
    if (
        usage is None
        or not parsed.is_complete
        or parsed.error_type is not None
        or (parsed.text is None and not parsed.tool_calls)
        or parsed.response_id is None
        or parsed.usage_raw is None
        or parsed.cost_nanousd is not None
        or any(call.error or call.duration_us is not None for call in parsed.tool_calls)
        or parsed.flags
        or parsed.further
        or usage.requests
        or usage.quantities
    ):
        return None
    try:
        return Quick(
            encode(parsed.response_id).decode(), parsed.response_model, parsed.service_tier, parsed.finish_reasons,
            parsed.text, tokens_of(usage), encode(parsed.usage_raw).decode(),
            tuple([Tool(call.name, call.id, server_side=call.server_side) for call in parsed.tool_calls]),
        )  # fmt: skip
    except UnicodeEncodeError:
        return None  # Half of a character pair somewhere: the long way mends it.


def _kind(observation: Observation, said: Quick, http_status: int | None) -> Kind:
    """What lines with the same form have in common."""
    return (
        id(observation.scope), observation.asked.model, said.model, said.finish_reasons, said.service_tier,
        observation.provider, observation.base_url, observation.format.operation, http_status, observation.is_stream,
        observation.is_batch, observation.may_repeat, observation.retries, observation.source,
    )  # fmt: skip


def learn(observation: Observation, said: Quick, http_status: int | None, line: Line) -> None:
    """Keep the form of a line that took the long way, the second time that one of its kind is seen."""
    recorder, scope = observation.recorder, observation.scope
    if recorder.keeps_bodies or observation.asked.prompt is None or scope.is_cut:
        return
    if not all(type(value) in _LASTING for value in scope.metadata.values()):
        return
    kind = _kind(observation, said, http_status)
    forms = recorder.forms
    if len(forms) >= _FORMS:
        forms.clear()
    forms[kind] = (scope, form_of(line) if kind in forms else None)


def record(
    observation: Observation, said: Quick, duration_us: int, ttft_us: int | None, http_status: int | None
) -> bool:
    """Write the record of a call that ended well; False where it takes the long way, and nothing is written."""
    recorder = observation.recorder
    asked = observation.asked
    if asked.prompt is None or asked.quantities or asked.facts:
        return False
    started_us = observation.started_us
    begin_us, moment = recorder.window
    past_us = started_us - begin_us
    if not 0 <= past_us < WINDOW_US:
        begin_us, moment = recorder.look(started_us)
        past_us = started_us - begin_us
    kept = recorder.forms.get(_kind(observation, said, http_status))
    if kept is None or kept[1] is None:
        return False
    head, id_, who, tokens, prompt, answer, response, first, uses, usage, given, size, sizes, tail = kept[1]
    digest, prompt_size = observation.prompt_told or observation.hash_prompt()
    if prompt_size is None:
        return False
    past = str(WINDOW_US + past_us)
    ttft = "" if ttft_us is None else f',"ttft_ms":{ttft_us / 1000}'
    parameters = f',"parameters":{encode(asked.parameters).decode()}' if asked.parameters else ""
    text = said.text
    text_hash, chars = "null", ""
    try:
        if text is not None:
            text_hash, chars = f'"{sha256(text.encode())}"', f',"response_chars":{len(text)}'
        tools = f',"tool_calls":{encode(said.tool_calls).decode()}' if said.tool_calls else ""
        data = (
            f"{head}{moment}{past[1]}.{past[2:]}Z{id_}{observation.call_id or recorder.new_id(started_us)}"
            f"{who}{duration_us / 1000}{tokens}"
            f"{encode(said.tokens).decode()}{prompt}{digest}{answer}{text_hash}{response}{said.response_id}"
            f"{first}{ttft}{uses}{tools}{usage}{said.usage_raw}{given}{parameters}{size}{prompt_size}{sizes}{chars}{tail}"
        ).encode()
    except UnicodeEncodeError:
        return False  # As above.
    if len(data) > RECORD_BYTES:
        return False
    recorder.write(data, started_us + duration_us)
    return True
