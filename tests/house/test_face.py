"""The public face, pinned: a name that appears or goes away is a decision."""

from __future__ import annotations

import tallybook
import tallybook.testing

FACE = [
    "LocalStorage", "MODEL_REGISTRY", "__version__", "agent", "configure", "estimate_tokens", "flush", "get_model_info",
    "get_today_stats", "instrument", "is_instrumented", "list_models", "query_by_date_range", "run", "runs", "step",
    "store_telemetry", "tag", "tool", "track", "truncate_to_tokens", "uninstrument",
]  # fmt: skip
TESTING = [
    "FaultyDisk", "FrozenClock", "ReplayServer", "Scenario", "SequentialIds", "TemporaryLedger", "temporary_ledger",
]  # fmt: skip


def test_the_public_face_is_what_it_was() -> None:
    assert tallybook.__all__ == sorted(tallybook.__all__) == FACE
    assert tallybook.testing.__all__ == sorted(tallybook.testing.__all__) == TESTING


def test_every_public_name_is_there() -> None:
    for module in (tallybook, tallybook.testing):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
        assert set(module.__all__) <= set(dir(module))
