"""LiteLLM's generic callback: its `StandardLoggingPayload`, one object a call, successes and failures.

Tokens come from the response's own `usage`, where the cached and the written part stand; the payload's `prompt_tokens`
alone hides them. LiteLLM turns every provider's usage into OpenAI's form, Anthropic's too, with the cached tokens
inside; the split of writes by lifetime stands in `cache_creation_token_details`.

Its cost is its own reckoning by its own list, and known to be wrong where lists differ: ours is preferred, and
`litellm_cost_usd` in the metadata keeps theirs. Only what OpenRouter itself states is believed. An answer from
LiteLLM's cache used no tokens and cost nothing; what it would have used stays in `usage_raw`.

Keys never come along: of the caller's key only its alias and its hash are kept. The format is described at
https://docs.litellm.ai/docs/proxy/logging_spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.capture.bodies import prompt_hash, sha256
from tallybook.ingest.arrival import Arrival, Content, Refused
from tallybook.ingest.dialects.fitted import fitted
from tallybook.ingest.dialects.ident import call_id
from tallybook.ingest.dialects.moment import between_us, moment_us
from tallybook.model.call import Call, Cost
from tallybook.model.money import nanousd
from tallybook.model.usage import Usage
from tallybook.prices.facts import host_of
from tallybook.providers.accounting import settled
from tallybook.providers.anthropic_messages import MESSAGES
from tallybook.providers.base import Format, Parsed
from tallybook.providers.detect import detect_provider
from tallybook.providers.google_generate import GENERATE
from tallybook.providers.openai_usage import counted
from tallybook.providers.shape import GENERIC, format_of
from tallybook.providers.value import mapping, number, scalars, whole, word

SOURCE = "litellm"
CACHE_HIT = "cache_hit"

_OPERATIONS = {
    "completion": "chat", "text_completion": "text_completion", "embedding": "embeddings",
    "image_generation": "image_generation", "image_edit": "image_generation", "image_variation": "image_generation",
    "transcription": "transcription", "speech": "speech", "rerank": "rerank", "moderation": "moderation",
    "responses": "chat", "realtime": "realtime", "generate_content": "generate_content",
    "generate_content_stream": "generate_content", "anthropic_messages": "chat", "pass_through_endpoint": "chat",
    "ocr": "ocr", "create_video": "video",
}  # fmt: skip
"""By `call_type` without the `a` or `_a` that stands for asynchronous."""

_OTHER = re.compile(
    r"file|batch|assistant|thread|vector_store|fine_tuning|container|skill|list_|retrieve|delete|cancel|input_items|"
    r"call_mcp_tool|search|health|get_|count_tokens|create_interaction$|compact"
)
"""Call types that make no model call by themselves. They are acknowledged; with tokens they are recorded."""

_PROVIDERS = {
    "azure_ai": "azure", "azure_text": "azure", "bedrock": "aws", "bedrock_converse": "aws", "bedrock_mantle": "aws",
    "sagemaker": "aws", "sagemaker_chat": "aws", "amazon_nova": "aws",
    "chatgpt": "openai", "codestral": "mistral", "text-completion-codestral": "mistral",
    "cohere_chat": "cohere", "cohere": "cohere", "dashscope": "alibaba", "fireworks_ai": "fireworks",
    "gemini": "google", "github_copilot": "github-copilot", "moonshot": "moonshotai", "nvidia_nim": "nvidia",
    "ollama_chat": "ollama", "palm": "google", "text-completion-openai": "openai", "together_ai": "together",
    "vercel_ai_gateway": "vercel", "voyage": "voyageai", "xai": "x-ai", "hosted_vllm": "vllm", "lm_studio": "lmstudio",
    "jina_ai": "jina", "volcengine": "volcengine", "meta_llama": "meta",
}  # fmt: skip
"""LiteLLM's names where ours differ."""

_NATIVE: tuple[Format, ...] = (MESSAGES, GENERATE)
"""Forms in which a response came through untouched, so that its own accounting holds."""

_PARAMETERS = frozenset((
    "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "frequency_penalty", "presence_penalty",
    "seed", "n", "reasoning_effort", "service_tier", "parallel_tool_calls", "dimensions", "encoding_format", "quality",
    "size", "verbosity", "max_output_tokens",
))  # fmt: skip
_HASH = re.compile(r"[0-9a-f]{64}")
_KEY_FACTS = {
    "user_api_key_alias": "key_alias", "user_api_key_team_alias": "team", "user_api_key_team_id": "team_id",
    "user_api_key_org_id": "org_id", "user_api_key_user_id": "key_user_id", "user_api_key_user_email": "key_user_email",
    "user_api_key_request_route": "route",
}  # fmt: skip
_COST_USD_MAX = 1e9


def read(items: Iterable[Any], *, project: str | None = None) -> Arrival:
    """The calls of payloads; `project` is the access key's, which goes before what the payload says.

    A payload that is no call to a model (files, lists) gives nothing and is not refused. Never raises.
    """
    calls: list[Call] = []
    contents: list[Content] = []
    refused: list[Refused] = []
    for position, item in enumerate(items):
        try:
            found = _read(item, position, project)
        except RecursionError:
            found = Refused(position, "too_deep", "the item is nested too deeply")
        if isinstance(found, Refused):
            refused.append(found)
        elif found is not None:
            call, content = found
            calls.append(call)
            contents.append(content)
    return Arrival(tuple(calls), (), tuple(contents), tuple(refused))


def _read(item: Any, position: int, project: str | None) -> tuple[Call, Content] | Refused | None:
    if not isinstance(item, Mapping):
        return Refused(position, "invalid", "an item must be an object", "send StandardLoggingPayload objects")
    sent_id = word(item.get("litellm_call_id")) or word(item.get("id"))
    if sent_id is None:
        hint = "LiteLLM sends `id` and `litellm_call_id`; is this its `StandardLoggingPayload`?"
        return Refused(position, "required", "`id` is required and must not be empty", hint, "id")
    started_us = moment_us(item.get("startTime"))
    if started_us is None:
        hint = "seconds since 1970, or ISO 8601"
        what = "is required" if item.get("startTime") is None else "is no moment between the years 2000 and 2100"
        code = "required" if item.get("startTime") is None else "invalid"
        return Refused(position, code, f"`startTime` {what}", hint, "startTime", sent_id)
    kind = (word(item.get("call_type")) or "completion").removeprefix("_")
    kind = kind if kind in _OPERATIONS else kind.removeprefix("a")
    if kind not in _OPERATIONS and _OTHER.search(kind) and not whole(item.get("total_tokens")):
        return None
    answer = _answer(item)
    call = fitted(_call(item, sent_id, started_us, kind, answer, project))
    return call, Content(call.call_id, started_us, item.get("messages"), answer.parsed.text)


class _Answer(NamedTuple):
    """What the response tells: its own parts, and the usage in normal form."""

    parsed: Parsed
    usage: Usage
    usage_raw: Any
    flags: tuple[str, ...]
    cost: Cost | None
    response_id: str | None


def _answer(item: Mapping[str, Any]) -> _Answer:
    response = mapping(item.get("response"))
    form = format_of(response) or GENERIC
    parsed = form.parse(msgspec.json.encode(response)) if response else Parsed()
    if form in _NATIVE and parsed.usage is not None:
        usage, raw, flags, stated = parsed.usage, parsed.usage_raw, parsed.flags, None
    else:
        usage, raw, flags, stated = _counted(item, response)
    if item.get("cache_hit") is True:
        free = Cost(status="reported", total_nanousd=0, price="answered from LiteLLM's cache")
        return _Answer(parsed, Usage(input_tokens=0, output_tokens=0), raw, (CACHE_HIT,), free, None)
    cost = None
    if stated is not None and item.get("custom_llm_provider") == "openrouter":
        cost = Cost(status="reported", total_nanousd=stated, price="stated by the provider")
    ident = word(response.get("id"))
    # Where LiteLLM translates, it makes an id up, and wraps those of the Responses API.
    is_own = ident is not None and "_cache_hit" not in ident and not _is_wrapped(ident)
    return _Answer(parsed, usage, raw, flags, cost, ident if is_own else None)


def _is_wrapped(ident: str) -> bool:
    """Ids that are LiteLLM's: base64 of its own routing data, or a UUID behind the provider's usual beginning."""
    return (
        ident.startswith("resp_bGl0ZWxsb")
        or re.fullmatch(r"chatcmpl-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ident) is not None
    )


def _counted(item: Mapping[str, Any], response: Mapping[str, Any]) -> tuple[Usage, Any, tuple[str, ...], int | None]:
    """Usage in OpenAI's form, from where it is told best."""
    raw = mapping(response.get("usage")) or mapping(mapping(item.get("metadata")).get("usage_object"))
    if not raw:
        if not whole(item.get("prompt_tokens")) and not whole(item.get("completion_tokens")):
            is_ok = item.get("status") != "failure"
            return Usage(), None, ("usage_missing",) if is_ok else (), None
        raw = {name: item.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    found = counted(raw, word(response.get("model")))
    usage = found.usage
    written = mapping(mapping(raw.get("prompt_tokens_details")).get("cache_creation_token_details"))
    short, long = (whole(written.get(f"ephemeral_{span}_input_tokens")) for span in ("5m", "1h"))
    if long:
        usage = msgspec.structs.replace(usage, cache_write_5m_tokens=short, cache_write_1h_tokens=long)
    inside = sum(
        part or 0 for part in (usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens)
    )
    flags = found.flags
    if "parts_exceed_input" in flags and usage.input_tokens is not None:
        usage, flags = _beside(raw, usage, short, long), tuple([f for f in flags if f != "parts_exceed_input"])
    elif inside > (usage.input_tokens or 0):
        usage, faults = settled(usage)
        flags += faults
    return usage, dict(raw), flags, found.cost_nanousd


def _beside(raw: Mapping[str, Any], usage: Usage, short: int | None, long: int | None) -> Usage:
    """Early versions left Anthropic's cached tokens outside `prompt_tokens`: more parts than the whole tells so."""
    details = mapping(raw.get("prompt_tokens_details"))
    read = whole(raw.get("cache_read_input_tokens"))
    read = whole(details.get("cached_tokens")) if read is None else read
    write = whole(raw.get("cache_creation_input_tokens"))
    write = whole(details.get("cache_creation_tokens")) if write is None else write
    if long:
        write = short
    total = (usage.input_tokens or 0) + (read or 0) + (write or 0) + (long or 0)
    told = msgspec.structs.replace(
        usage, input_tokens=total, cache_read_tokens=read, cache_write_5m_tokens=write, cache_write_1h_tokens=long
    )
    return settled(told)[0]


def _provider(item: Mapping[str, Any], model: str | None) -> str:
    told = (word(item.get("custom_llm_provider")) or "").lower()
    if told.startswith("vertex_ai"):
        return "google-vertex"
    if told in ("openai", "custom_openai", "openai_like", ""):
        found = detect_provider(None, word(item.get("api_base")))  # Many hosts speak OpenAI's language.
        if found != "unknown":
            return found
        return told if told == "openai" else detect_provider(model, None)
    return _PROVIDERS.get(told, told)


def _call(
    item: Mapping[str, Any], sent_id: str, started_us: int, kind: str, answer: _Answer, project: str | None
) -> Call:
    metadata = mapping(item.get("metadata"))
    response = mapping(item.get("response"))
    parameters = mapping(item.get("model_parameters"))
    parsed, is_failure = answer.parsed, item.get("status") == "failure"
    error = mapping(item.get("error_information"))
    is_stream = item.get("stream") is True or parameters.get("stream") is True
    model = word(item.get("model"))
    end_us = moment_us(item.get("endTime"))
    first_us = moment_us(item.get("completionStartTime"))
    prompt = item.get("messages")
    hashed, chars = prompt_hash(prompt if prompt not in ("", [], {}) else None)
    text = parsed.text
    status = whole(error.get("error_code"))
    return Call(
        call_id=call_id(started_us, SOURCE, project or "", sent_id),
        started_at_us=started_us,
        operation=_OPERATIONS.get(kind, kind),
        provider=_provider(item, model),
        model=model,
        response_model=None if is_failure else parsed.response_model or word(response.get("model")),
        response_id=answer.response_id,
        run_id=word(item.get("trace_id")),
        duration_us=between_us(started_us, end_us),
        ttft_us=between_us(started_us, first_us) if is_stream and first_us != end_us else None,
        usage=answer.usage,
        usage_raw=answer.usage_raw,
        cost=answer.cost,
        tool_calls=parsed.tool_calls,
        finish_reasons=parsed.finish_reasons,
        status="error" if is_failure else "ok",
        error_type=(word(error.get("error_class")) or "error") if is_failure else None,
        error_message=(word(error.get("error_message")) or word(item.get("error_str"))) if is_failure else None,
        http_status=status if is_failure and status is not None and 100 <= status < 600 else None,
        project=project or _first_word(metadata, "user_api_key_project_alias", "user_api_key_team_alias"),
        user_id=_user(item, metadata, parameters),
        session_id=word(item.get("session_id")) or word(mapping(metadata.get("requester_metadata")).get("session_id")),
        tags=tuple([tag for tag in item.get("request_tags") or () if isinstance(tag, str)])
        if isinstance(item.get("request_tags"), list | tuple) else (),
        metadata=_metadata(item, metadata, sent_id),
        service_tier=parsed.service_tier,
        base_url=_base_url(item),
        is_stream=is_stream,
        is_batch="batch" in kind,
        source=SOURCE,
        prompt_hash=hashed,
        prompt_chars=chars,
        response_hash=None if not text else sha256(text.encode("utf-8", "surrogatepass")),
        response_chars=None if text is None else len(text),
        parameters=scalars(parameters, _PARAMETERS),
        flags=answer.flags,
    )  # fmt: skip


def _first_word(told: Mapping[str, Any], *names: str) -> str | None:
    return next((found for name in names if (found := word(told.get(name))) is not None), None)


def _base_url(item: Mapping[str, Any]) -> str | None:
    """The host that was asked: some prices depend on it."""
    return host_of(word(item.get("api_base"))) or None


def _user(item: Mapping[str, Any], metadata: Mapping[str, Any], parameters: Mapping[str, Any]) -> str | None:
    """Whom the call was for: the end user, as far as one is told, else the key's owner."""
    for told in (
        item.get("end_user"), metadata.get("user_api_key_end_user_id"), parameters.get("user"),
        metadata.get("user_api_key_user_id"),
    ):  # fmt: skip
        found = word(told)
        if found is not None:
            return found
    return None


def _metadata(item: Mapping[str, Any], metadata: Mapping[str, Any], sent_id: str) -> dict[str, Any]:
    """What the sender tells beside the figures; the caller's own keys as they are, under their own names."""
    found: dict[str, Any] = {}
    for name in ("requester_metadata", "spend_logs_metadata"):
        found |= {key: value for key, value in mapping(metadata.get(name)).items() if isinstance(key, str)}
    found["litellm_call_id"] = sent_id
    for key, name in _KEY_FACTS.items():
        if (value := word(metadata.get(key))) is not None:
            found[name] = value
    hashed = word(metadata.get("user_api_key_hash"))
    if hashed is not None and _HASH.fullmatch(hashed):
        found["key_hash"] = hashed
    group = word(item.get("model_group"))
    if group is not None and group != item.get("model"):
        found["model_group"] = group
    for name in ("response_cost", "saved_cache_cost"):
        amount = number(item.get(name))
        if amount and 0 < amount < _COST_USD_MAX:
            found["litellm_cost_usd" if name == "response_cost" else name + "_usd"] = nanousd(amount) / 1e9
    return found
