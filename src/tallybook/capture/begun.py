"""Tells that a call began, where that is asked for (`TALLYBOOK_STARTED`): one more line and one more write a call.

The line stands in a segment of this process alone (`started*.jsonl`), whose lock tells whether the process lives. The
call's record gets the same id. Nothing of it is a figure.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tallybook.capture import guard
from tallybook.model.call import Call
from tallybook.model.started import encode_started

if TYPE_CHECKING:
    from tallybook.capture.observe import Observation
    from tallybook.capture.recorder import Recorder


class Begun:
    """One process's teller."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._by = os.urandom(4).hex()

    def tell(self, observation: Observation) -> None:
        """Tell that a call began, unless it is a look at one that began before (a poll, a batch)."""
        if observation.may_repeat or observation.format.batch is not None:
            return
        with guard.contained("telling that a call began"):
            observation.call_id = self._recorder.new_id(observation.started_us)
            self._recorder.started(encode_started(self._call(observation), self._by))

    def withdraw(self, observation: Observation) -> None:
        """It was no call after all."""
        with guard.contained("telling that a call began"):
            self._recorder.started(encode_started(self._call(observation), self._by, is_withdrawn=True))

    def _call(self, observation: Observation) -> Call:
        scope, recorder = observation.scope, self._recorder
        settings = recorder.settings
        return Call(
            call_id=observation.call_id or "", started_at_us=observation.started_us,
            operation=observation.format.operation, name=scope.name, provider=observation.provider,
            model=observation.asked.model, run_id=scope.run_id, parent_id=scope.parent_id,
            project=scope.project or recorder.place.project, environment=scope.environment or settings.environment,
            user_id=scope.user_id or settings.user_id, session_id=scope.session_id, agent_name=scope.agent_name,
            tags=scope.tags, is_stream=observation.is_stream,
        )  # fmt: skip
