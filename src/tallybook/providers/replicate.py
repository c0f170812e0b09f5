"""Replicate's predictions: any model, billed by time of the hardware or by token where the model counts them.

A prediction is created, then looked at until it is done: one call, told apart by its id. `metrics.predict_time` is
the billed time of public models; language models add token counts. Its event stream is plain text and tells no usage.
"""

from __future__ import annotations

import re
from typing import Any

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.loose import read_whole
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.value import mapping, milliseconds, scalars, whole, word

PARAMETERS = ("temperature", "top_p", "top_k", "max_tokens", "max_new_tokens", "num_outputs", "width", "height", "seed")
_MODEL = re.compile(r"/models/([^/]+/[^/]+)/predictions")
_PICTURE = re.compile(r"\.(png|jpe?g|webp|gif)(\?|$)", re.IGNORECASE)
_OPEN = frozenset(("starting", "processing", "queued"))


def parse_mapping(body: Payload) -> Parsed:
    """A prediction that is decoded already."""
    raw = mapping(body.get("metrics"))
    status = word(body.get("status"))
    output = body.get("output")
    pieces = output if isinstance(output, list) else [output]
    texts = [piece for piece in pieces if isinstance(piece, str)]
    pictures = [text for text in texts if text.startswith("http") and _PICTURE.search(text)]
    quantities = {"images": len(pictures)} if pictures else {}
    compute_ms = milliseconds(raw.get("predict_time"))
    if compute_ms is not None:
        quantities["compute_ms"] = compute_ms
    usage, flags = settled(
        Usage(
            input_tokens=whole(raw.get("input_token_count")),
            output_tokens=whole(raw.get("output_token_count")),
            quantities=quantities,
        )
    )
    is_complete = status not in _OPEN
    is_empty = usage == Usage()
    error = word(body.get("error"))
    return Parsed(
        usage=None if is_empty else usage,
        usage_raw=raw or None,
        response_id=word(body.get("id")),
        response_model=word(body.get("model")),
        finish_reasons=(status,) if status is not None and is_complete else (),
        text="".join(texts) or None if not pictures else None,
        error_type="failed" if error is not None or status == "failed" else None,
        error_message=error,
        is_complete=is_complete,
        flags=("usage_missing",) if is_empty and status == "succeeded" else flags,
    )


def parse(raw: bytes) -> Parsed:
    """A prediction, or its event stream that was read whole. Other bytes give an empty `Parsed`."""
    if looks_like_sse(raw[:64]):
        text = _events_text(raw)
        return Parsed(text=text or None, is_complete=b"event: done" in raw, flags=("usage_missing",))
    return read_whole(raw, parse_mapping)


def _events_text(raw: bytes) -> str:
    """The text of `output` events; their data are plain text, over several lines where it has line ends."""
    found: list[str] = []
    for block in raw.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = block.split(b"\n")
        if b"event: output" in lines:
            data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
            found.append(b"\n".join(data).decode("utf-8", "replace"))
    return "".join(found)


def asked(body: Payload, url: str) -> Asked:
    """What a prediction asks for; the model stands in the URL or is a version's hash."""
    match = _MODEL.search(url)
    given = mapping(body.get("input"))
    prompt: Any = given.get("prompt", given or None)
    return Asked(
        model=match.group(1) if match else word(body.get("model")) or word(body.get("version")),
        is_stream=body.get("stream") is True,
        prompt=prompt,
        parameters=scalars(given, PARAMETERS),
    )


PREDICTION = Format("replicate.prediction", "prediction", asked, parse)
