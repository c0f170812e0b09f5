"""The seed's storage by its names."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

import pytest

from tallybook import storage
from tallybook.model.errors import InputError
from tallybook.storage import LocalStorage

RECORD = {
    "timestamp": "2025-01-27T10:30:45.123Z",
    "agent_name": "doc-finder",
    "operation": "search",
    "model": "claude-3-5-haiku",
    "session_id": "abc123",
    "user_id": "chadwalters",
    "duration_ms": 1234,
    "tokens": {"input": 500, "output": 200, "total": 700},
    "cost_usd": 0.0025,
    "success": True,
    "prompt_hash": "sha256:abc",
    "response_hash": "sha256:def",
    "metadata": {"project": "spacewalker", "git_branch": "main", "error": None},
}


@pytest.fixture
def local(tmp_path, monkeypatch):
    for name in ("TALLYBOOK_DIR", "LLM_TELEMETRY_DIR", "LLM_TELEMETRY_STORAGE_ENABLED", "TALLYBOOK_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    found = LocalStorage(tmp_path / "telemetry")
    yield found
    found.close()


def test_the_seeds_record_comes_back_with_the_seeds_values(local):
    assert local.store_telemetry(RECORD) is True
    (got,) = local.query_by_date_range(date(2025, 1, 27), date(2025, 1, 27))
    for key, value in RECORD.items():
        if key == "timestamp":
            assert datetime.fromisoformat(got[key]) == datetime.fromisoformat(value)
        elif key == "tokens":
            assert {name: got[key][name] for name in value} == value
        else:
            assert got[key] == value, key
    assert got["call_id"]


def test_days_outside_the_range_are_not_given(local):
    local.store_telemetry(RECORD)
    assert local.query_by_date_range(date(2025, 1, 28), date(2025, 2, 3)) == []
    assert local.query_by_date_range(date(2025, 1, 20), date(2025, 1, 26)) == []
    with pytest.raises(InputError, match=r"ends .* before it starts"):
        local.query_by_date_range(date(2025, 2, 1), date(2025, 1, 1))


def test_todays_stats_add_up(local):
    now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    local.store_telemetry({**RECORD, "timestamp": now})
    local.store_telemetry({**RECORD, "timestamp": now, "cost_usd": None, "success": False, "model": "no such model"})
    local.store_telemetry(RECORD)
    stats = local.get_today_stats()
    assert stats["date"] == now[:10]
    assert (stats["calls"], stats["errors"], stats["cost_usd"], stats["unpriced_calls"]) == (2, 1, 0.0025, 1)
    assert stats["tokens"] == {"input": 1000, "output": 400, "total": 1400}
    assert stats["avg_duration_ms"] == 1234.0
    assert set(stats["by_model"]) == {"claude-3-5-haiku", "no such model"}


def test_a_record_that_is_none_is_refused_by_its_key(local):
    with pytest.raises(InputError, match="duration_ms"):
        local.store_telemetry({**RECORD, "duration_ms": "soon"})
    with pytest.raises(InputError, match="must be an object"):
        local.store_telemetry(["not", "a", "record"])


def test_nothing_is_stored_when_storing_is_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_TELEMETRY_STORAGE_ENABLED", "false")
    monkeypatch.setenv("LLM_TELEMETRY_DIR", str(tmp_path / "telemetry"))
    assert storage.store_telemetry(RECORD) is False
    assert not (tmp_path / "telemetry").exists()
