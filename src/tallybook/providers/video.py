"""Videos, which take minutes: a job is started, then looked at until it is done (OpenAI, xAI, Google's Veo).

Only the look at a job is read here; starting it counts nothing. Billed by the second of video: told by OpenAI and
xAI, by Google not at all, where the number of videos is known only. xAI states the cost.
"""

from __future__ import annotations

from typing import Any

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.google_generate import model_in
from tallybook.providers.loose import read_whole
from tallybook.providers.openai_usage import stated_cost
from tallybook.providers.value import mapping, mappings, milliseconds, number, whole, word

_DONE = frozenset(("done", "completed", "succeeded"))


def parse_mapping(body: Payload) -> Parsed:
    """A job of OpenAI or xAI that is decoded already."""
    status = word(body.get("status"))
    video = mapping(body.get("video"))
    seconds = number(video.get("duration")) or whole(body.get("seconds"))
    raw = mapping(body.get("usage"))
    is_done = status in _DONE
    quantities = {"videos": 1} if is_done else {}
    video_ms = milliseconds(seconds)
    if is_done and video_ms:
        quantities["video_ms"] = video_ms
    error = body.get("error")
    error_type, message = failure({"error": error}, None) if error else (None, None)
    return Parsed(
        usage=Usage(quantities=quantities) if quantities else None,
        usage_raw=raw or None,
        response_id=word(body.get("id")) or word(body.get("request_id")) or word(video.get("url")),
        response_model=word(body.get("model")),
        cost_nanousd=stated_cost(raw) if raw else None,
        finish_reasons=(status,) if status is not None and is_done else (),
        error_type=error_type or ("failed" if status == "failed" else None),
        error_message=message,
        is_complete=is_done or status in ("failed", "expired"),
    )


def parse(raw: bytes) -> Parsed:
    """A job of OpenAI or xAI. Bytes that are no JSON give an empty `Parsed`."""
    return read_whole(raw, parse_mapping)


def _veo(body: Payload) -> Parsed:
    answer = mapping(body.get("response"))
    samples: Any = mapping(answer.get("generateVideoResponse")).get("generatedSamples") or answer.get("videos")
    videos = len(mappings(samples))
    name = word(body.get("name"))
    return Parsed(
        usage=Usage(quantities={"videos": videos}) if videos else None,
        response_id=name,
        response_model=model_in(name or ""),
        is_complete=body.get("done") is True,
        flags=("seconds_unknown",) if videos else (),
    )


def parse_veo(raw: bytes) -> Parsed:
    """An operation of Google's Veo."""
    return read_whole(raw, _veo)


def asked(body: Payload, url: str) -> Asked:
    """A look at a job has no body; Google's tells the model in its URL."""
    return Asked(model=model_in(url) or word(body.get("model")))


VIDEO = Format("video", "video_generation", asked, parse)
VEO = Format("google.video", "video_generation", asked, parse_veo)
