"""Log records of any convention to calls, steps and contents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tallybook.ingest.arrival import Content, Refused
from tallybook.ingest.dialects import claude_code, codex, gemini_cli, genai_event, logged
from tallybook.ingest.dialects.spans import project_of
from tallybook.ingest.otlp.record import Log
from tallybook.model.call import Call, Step

_READERS = {"claude_code": claude_code.read, "codex": codex.read, "gemini_cli": gemini_cli.read}
_TIME_NS_MAX = 4_102_444_800_000_000_000


class Heard(NamedTuple):
    """What log records came to."""

    calls: list[Call]
    steps: list[Step]
    contents: list[Content]
    refused: list[Refused]
    ignored: int
    """Records that tell nothing the ledger keeps."""


def read(logs: Sequence[Log], *, project: str | None = None, with_content: bool = False) -> Heard:
    """What records come to. `project` is what the request says it is of; `with_content` when texts are to be kept."""
    heard = Heard([], [], [], [], 0)
    ignored = 0
    told: list[Log] = []
    for position, log in enumerate(logs):
        event = logged.happened(log)
        if event is None:
            if genai_event.is_content(log):
                told.append(log)
            else:
                ignored += 1
            continue
        if not 0 < log.time_ns < _TIME_NS_MAX:
            heard.refused.append(
                Refused(
                    position, "invalid", f"a log record's time is {log.time_ns} ns since 1970, which is no time",
                    hint="set the sender's clock; times are nanoseconds since 1970", field="time_unix_nano",
                )
            )  # fmt: skip
            continue
        found = _READERS[event.sender](log, event, project_of(log.resource, project))
        if isinstance(found, Call):
            heard.calls.append(found)
        elif isinstance(found, Step):
            heard.steps.append(found)
        else:
            ignored += 1
    if with_content and told:
        heard.contents.extend(genai_event.contents(told))
    return heard._replace(ignored=ignored)
