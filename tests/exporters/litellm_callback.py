"""A program with LiteLLM, whose generic callback reports each call. `RIVAL_URL` says where to, one path a format."""

import asyncio
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_TELEMETRY"] = "False"
os.environ["NO_PROXY"] = "*"

import litellm
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

MESSAGES = [{"role": "user", "content": "Hello"}]
REPLAY = os.environ["REPLAY_URL"]
ROOT = os.environ["REPLAY_ROOT"]
OPENAI = {"api_base": REPLAY, "api_key": "sk-provider-secret"}
ANTHROPIC = {"api_base": ROOT, "api_key": "sk-ant-provider-secret"}


async def calls() -> None:
    await litellm.acompletion(
        model="openai/gpt-4o", messages=MESSAGES, **OPENAI, user="ada", temperature=0.2,
        metadata={"tags": ["beta"], "user_api_key_hash": "h" * 64, "user_api_key_alias": "team-key",
                  "user_api_key_user_id": "u-1", "user_api_key_team_id": "t-1", "user_api_key_team_alias": "blue",
                  "spend_logs_metadata": {"ticket": "4711"}, "session_id": "s-1"},
    )  # fmt: skip
    stream = await litellm.acompletion(
        model="openai/gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}, **OPENAI
    )
    async for _ in stream:
        pass
    await litellm.acompletion(model="anthropic/claude-sonnet-4-5", messages=MESSAGES, max_tokens=100, **ANTHROPIC)
    await litellm.aembedding(model="openai/text-embedding-3-small", input=["Hello"], **OPENAI)
    await litellm.aresponses(model="openai/gpt-4o", input="Hello", **OPENAI)
    try:
        await litellm.acompletion(model="openai/gpt-4o+status=400", messages=MESSAGES, num_retries=0, **OPENAI)
    except litellm.exceptions.APIError as error:
        print("failed as wanted:", type(error).__name__)
    except Exception as error:
        print("failed as wanted:", type(error).__name__)
    litellm.cache = litellm.Cache(type="local")
    for _ in range(2):
        await litellm.acompletion(model="openai/gpt-4o-mini", messages=MESSAGES, caching=True, **OPENAI)
        await asyncio.sleep(0.3)
    litellm.cache = None


async def main() -> None:
    for log_format in ("json_array", "ndjson", "single"):
        logger = GenericAPILogger(
            endpoint=f"{os.environ['RIVAL_URL']}/api/ingest/litellm?format={log_format}",
            headers={"Authorization": f"Bearer {os.environ['RIVAL_KEY']}"}, log_format=log_format,
        )  # fmt: skip
        litellm.callbacks = [logger]
        await calls() if log_format == "json_array" else await litellm.acompletion(
            model="openai/gpt-4o", messages=MESSAGES, **OPENAI
        )
        await asyncio.sleep(1)
        await logger.async_send_batch()
        await asyncio.sleep(0.3)


asyncio.run(main())
