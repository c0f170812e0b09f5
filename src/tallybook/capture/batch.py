"""Batch results: one body that holds many calls, each recorded with the batch flag.

Results may be looked at more than once, so they are marked as possible repeats: the ledger keeps each
response id once. When the provider worked on each is not told; the time of the look is recorded.
"""

from __future__ import annotations

from tallybook.capture.observe import Observation
from tallybook.capture.scope import derive
from tallybook.providers.detect import detect_provider


def record_batch(observation: Observation, raw: bytes) -> int:
    """Record every result in `raw`; returns how many there were. The look itself is no call."""
    batch = observation.format.batch
    observation.discard()
    count = 0
    for result in batch(raw) if batch is not None else ():
        count += 1
        one = Observation(
            observation.recorder, observation.format._replace(operation=result.operation), observation.asked,
            observation.provider, observation.base_url, source=observation.source,
        )  # fmt: skip
        one.is_batch = True
        one.may_repeat = True
        if result.custom_id is not None:
            one.scope = derive(one.scope, metadata={"custom_id": result.custom_id})
        if one.provider == "unknown":
            one.provider = detect_provider(result.parsed.response_model, None)
        one.finish(result.parsed, None, http_status=result.http_status)
    return count
