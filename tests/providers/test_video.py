from __future__ import annotations

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.video import VEO, parse, parse_veo


def test_a_finished_job_tells_seconds_and_cost() -> None:
    got = parse(body({"status": "done", "video": {"url": "https://v/1.mp4", "duration": 1},
                      "model": "grok-imagine-video", "usage": {"cost_in_usd_ticks": 500000000}}))  # fmt: skip
    assert got.usage == Usage(quantities={"videos": 1, "video_ms": 1000})
    assert (got.cost_nanousd, got.response_model, got.is_complete) == (50_000_000, "grok-imagine-video", True)


def test_seconds_may_be_a_text() -> None:
    got = parse(body({"id": "video_1", "object": "video", "status": "completed", "seconds": "4", "model": "sora-2"}))
    assert (got.usage, got.response_id) == (Usage(quantities={"videos": 1, "video_ms": 4000}), "video_1")


def test_a_job_under_way_or_failed_counts_nothing() -> None:
    pending = parse(body({"status": "pending", "progress": 10, "seconds": "4"}))
    assert (pending.usage, pending.is_complete) == (None, False)
    failed = parse(body({"status": "failed", "error": {"code": "moderation", "message": "No."}}))
    assert (failed.usage, failed.error_message) == (None, "No.")


def test_googles_operation_tells_the_number_only() -> None:
    samples = [{"video": {"uri": "x"}}, {"video": {"uri": "y"}}]
    name = "models/veo-3.1/operations/abc"
    got = parse_veo(body({"name": name, "done": True,
                          "response": {"generateVideoResponse": {"generatedSamples": samples}}}))  # fmt: skip
    assert (got.usage, got.response_model) == (Usage(quantities={"videos": 2}), "veo-3.1")
    assert got.flags == ("seconds_unknown",)
    assert not parse_veo(body({"name": name})).is_complete
    assert VEO.asked({}, f"/v1beta/{name}").model == "veo-3.1"
