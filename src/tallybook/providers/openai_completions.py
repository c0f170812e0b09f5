"""OpenAI's legacy text completions: the chat format with `text` in its choices and `prompt` in its request."""

from __future__ import annotations

from tallybook.providers.base import Asked, Format, Payload
from tallybook.providers.openai_chat import PARAMETERS, ChatStream, model_in, parse
from tallybook.providers.value import scalars, word


def asked(body: Payload, url: str) -> Asked:
    """What a completion request asks for."""
    return Asked(
        model=word(body.get("model")) or model_in(url),
        is_stream=body.get("stream") is True,
        prompt=body.get("prompt"),
        parameters=scalars(body, PARAMETERS),
    )


COMPLETIONS = Format("openai.completions", "text_completion", asked, parse, ChatStream)
