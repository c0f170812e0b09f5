"""Recorded spans of every convention: the usage read from a span is that of the recording it came from, and where the
exporter lost something, the call says so. `docs/otlp.md` has the figures."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tallybook.ingest.dialects import spans as dialect
from tallybook.ingest.otlp import json as otlp_json
from tallybook.ingest.otlp.record import Resource, Scope, Span
from tallybook.ingest.telemetry import traces
from tallybook.ingest.twin import Twins
from tallybook.model.call import Call
from tallybook.model.usage import TOKEN_FIELDS, faults
from tallybook.providers.exchange import Reading, of_record, read

ROOT = Path(__file__).resolve().parents[3]
PLACE = Path(os.environ.get("TALLYBOOK_CORPUS") or ROOT.parent / "shared" / "corpus")
FILES = sorted(PLACE.glob("otlp-*.jsonl"))
_LOST = {
    "cache_read_tokens": "cache_read", "cache_write_5m_tokens": "cache_write", "cache_write_1h_tokens": "cache_write",
    "reasoning_tokens": "reasoning", "input_audio_tokens": "audio", "output_audio_tokens": "audio",
    "input_tokens": "stream_totals", "output_tokens": "stream_totals",
}  # fmt: skip

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recorded spans in {PLACE}; set TALLYBOOK_CORPUS")


@cache
def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@cache
def _recordings() -> dict[str, Reading]:
    """What the recordings say that spans were made from."""
    wanted = {row["record_id"] for path in FILES for row in _lines(path) if "record_id" in row}
    found: dict[str, Reading] = {}
    for path in sorted(PLACE.glob("*.jsonl")):
        if path in FILES:
            continue
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                match = re.search(r'"id": ?"([0-9a-f]{40})"', line)
                if match and match[1] in wanted:
                    record = json.loads(line)
                    if record.get("id") in wanted:
                        found[record["id"]] = read(of_record(record))
    return found


def _moment(told: dict[str, Any], name: str) -> int:
    value = told.get(name)
    return value if isinstance(value, int) else 1_000  # Some snapshots have a placeholder.


def _spans(row: dict[str, Any]) -> list[Span]:
    if "otlp" in row:
        return otlp_json.spans(json.dumps(row["otlp"]).encode())
    found = []
    for told in row.get("spans", [row] if "attributes" in row else []):
        context = told.get("context", {})
        parent = told.get("parent") or {}
        span = Span(
            Resource({}), Scope("logfire"), context.get("trace_id", 1).to_bytes(16),
            context.get("span_id", 1).to_bytes(8), (parent.get("span_id") or 0).to_bytes(8) if parent else b"",
            told.get("name", ""), start_ns=_moment(told, "start_time"), end_ns=_moment(told, "end_time"),
            attributes={}, usage={}, content={}, events=[],
        )  # fmt: skip
        otlp_json.sort(span, told["attributes"].items())
        found.append(span)
    return found


def _pairs() -> list[tuple[str, dict[str, Any], Call]]:
    """Calls of spans with what they were recorded as, where the recording is here."""
    found = []
    for path in FILES:
        for row in _lines(path):
            if row.get("record_id") in _recordings():
                body = json.dumps(row["otlp"]).encode()
                for one in dialect.read(otlp_json.spans(body)).calls:
                    found.append((path.stem.removeprefix("otlp-"), row, one.call))
    return found


def _differing(reading: Reading, call: Call) -> set[str]:
    """Token fields that the span tells otherwise; an unknown part and none are alike."""
    told = reading.parsed.usage
    return {name for name in TOKEN_FIELDS if (getattr(told, name, None) or 0) != (getattr(call.usage, name) or 0)}


def test_a_spans_usage_is_that_of_its_recording_or_the_call_says_what_was_lost():
    wrong = []
    for convention, row, call in _pairs():
        lost = ",".join(flag.partition(":")[2] for flag in call.flags if flag.startswith("lost_by_exporter:"))
        silent = {name for name in _differing(_recordings()[row["record_id"]], call) if _LOST[name] not in lost}
        if silent and "usage_missing" not in call.flags:
            wrong.append((convention, row["record_id"], sorted(silent), call.flags))
    assert not wrong


def test_what_else_a_span_tells_agrees_with_its_recording():
    for convention, row, call in _pairs():
        reading = _recordings()[row["record_id"]]
        parsed = reading.parsed
        assert call.provider == reading.provider, convention
        assert call.status == ("error" if row["client_error"] else reading.status), (convention, row["record_id"])
        assert call.operation == reading.operation, (convention, row["record_id"])
        if call.response_id is not None:
            assert call.response_id == parsed.response_id, (convention, row["record_id"])
        if call.response_model is not None and parsed.response_model is not None:
            assert call.response_model == parsed.response_model


def test_one_request_is_one_call_however_many_spans_tell_it():
    for path in FILES:
        for row in _lines(path):
            if "record_id" in row:
                calls = traces(json.dumps(row["otlp"]).encode(), Twins(None), is_json=True).arrival.calls
                assert len(calls) == 1, (path.stem, row["record_id"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_recorded_span_breaks_the_rules(path):
    for row in _lines(path):
        spans = _spans(row)
        meaning = dialect.read(spans, with_content=True)
        for one in meaning.calls:
            assert faults(one.call.usage) == ()
        assert len(meaning.refused) + len(meaning.calls) + len(meaning.steps) + meaning.ignored == len(spans)


def test_vercels_outer_and_logfires_announcing_spans_are_no_calls():
    roles = Counter()
    for name in ("otlp-vercel-ai-sdk", "otlp-logfire"):
        for path in FILES:
            if path.stem == name:
                for row in _lines(path):
                    for span in _spans(row):
                        role = dialect.told_of(span).role
                        is_outer = str(span.attributes.get("ai.operationId", "x.do")).rpartition(".")[2][:2] != "do"
                        is_pending = span.attributes.get("logfire.span_type") == "pending_span"
                        assert not (role == "call" and (is_outer or is_pending)), span.name
                        roles[role] += 1
    assert roles["call"] > 20


def agreement() -> str:
    """The table of `docs/otlp.md`: what of the recordings' usage each convention's spans carry."""
    counts: dict[str, Counter[str]] = {}
    lost: dict[str, Counter[str]] = {}
    for convention, row, call in _pairs():
        reading = _recordings()[row["record_id"]]
        scope = "Anthropic SDK's own" if call.flags == () and _is_own(row, call) else convention
        count = counts.setdefault(scope, Counter())
        differing = _differing(reading, call)
        count["spans"] += 1
        kind = "missing" if "usage_missing" in call.flags else "lost" if differing else "equal"
        count[kind] += 1
        for name in differing:
            lost.setdefault(scope, Counter())[name.removesuffix("_tokens")] += 1
    lines = ["| spans of | spans | usage equal | a part lost, flagged | no usage, flagged | what was lost |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for scope, count in sorted(counts.items()):
        what = ", ".join(f"{name} {n}" for name, n in sorted(lost.get(scope, Counter()).items()))
        lines.append(
            f"| {scope} | {count['spans']} | {count['equal']} | {count['lost']} | {count['missing']} | {what} |"
        )
    return "\n".join(lines) + "\n"


def _is_own(row: dict[str, Any], call: Call) -> bool:
    return call.usage_raw is not None and any(key.startswith("anthropic.usage.") for key in call.usage_raw)


def test_the_documented_agreement_is_what_is_measured():
    path = ROOT / "docs" / "otlp.md"
    begin, end = "<!-- measured: agreement -->\n", "<!-- end of measured -->"
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    measured = before + begin + agreement() + end + rest.partition(end)[2]
    if os.environ.get("REWRITE_DOCS"):
        path.write_text(measured, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == measured, "run this test with REWRITE_DOCS=1"
