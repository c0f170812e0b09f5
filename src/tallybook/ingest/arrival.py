"""What a payload from outside comes to: calls, steps and contents to record, and the items that were refused.

Every dialect (`ingest.dialects`) and every resource of the server ends in an `Arrival`; `ingest.intake` writes it.
It knows no HTTP: a refusal carries a code and a remedy, and who answers decides on the status.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from tallybook.model.call import Call, Step


class Content(NamedTuple):
    """The texts of one call. What of them is kept is decided by the settings (`prompts`, `responses`) at writing."""

    call_id: str
    started_at_us: int
    prompt: Any = None
    """The request's messages as a list of objects, or its text; `None` when it was not sent along."""
    response: str | None = None


class Refused(NamedTuple):
    """One item of a payload that is not taken in, and how to mend it. The others are."""

    position: int
    """Its place in the payload, from 0."""
    code: str
    """A word for programs: `required`, `invalid`, `unknown_project`, `too_large` …"""
    message: str
    hint: str | None = None
    field: str | None = None
    id: str | None = None
    """The id that the sender gave the item."""


class Arrival(NamedTuple):
    """All of one payload, or of several."""

    calls: tuple[Call, ...] = ()
    steps: tuple[Step, ...] = ()
    contents: tuple[Content, ...] = ()
    refused: tuple[Refused, ...] = ()

    @staticmethod
    def joined(arrivals: Iterable[Arrival]) -> Arrival:
        """Several as one, in order."""
        several = list(arrivals)
        return Arrival(
            tuple([call for one in several for call in one.calls]),
            tuple([step for one in several for step in one.steps]),
            tuple([content for one in several for content in one.contents]),
            tuple([refused for one in several for refused in one.refused]),
        )
