"""Batch results: one body that holds many calls, each recorded with the batch flag.

Results may be looked at more than once, so they are marked as possible repeats: the ledger keeps each
response id once. When the provider worked on each is not told; the time of the look is recorded.
"""

from __future__ import annotations

from tallybook.capture.observe import Observation
from tallybook.capture.scope import derive


def record_batch(observation: Observation, raw: bytes) -> int:
    """Record every result in `raw`; returns how many there were. The look itself is no call."""
    results = observation.format.batch(raw) if observation.format.batch is not None else []
    observation.discard()
    for custom_id, parsed in results:
        one = Observation(
            observation.recorder, observation.format, observation.asked, observation.provider, observation.base_url,
            source=observation.source,
        )  # fmt: skip
        one.is_batch = True
        one.may_repeat = True
        if custom_id is not None:
            one.scope = derive(one.scope, metadata={"custom_id": custom_id})
        one.finish(parsed, None)
    return len(results)
