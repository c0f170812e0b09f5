"""A program with Langfuse's Python SDK 2, which speaks the ingestion endpoint. `RIVAL_URL` says where it sends to."""

import os
import time

from langfuse import Langfuse

URL = os.environ["RIVAL_URL"]
KEYS = {"public_key": os.environ.get("RIVAL_PUBLIC", "pk-lf-test"), "secret_key": os.environ["RIVAL_KEY"], "host": URL}
os.environ.update(LANGFUSE_PUBLIC_KEY=KEYS["public_key"], LANGFUSE_SECRET_KEY=KEYS["secret_key"], LANGFUSE_HOST=URL)

client = Langfuse(**KEYS, flush_interval=0.2, environment="staging", release="r-7")
assert client.auth_check()

# By hand: the generation is made in one batch and ended in another; who it was for is told last.
trace = client.trace(name="ticket 4711", metadata={"team": "blue"})
span = trace.span(name="retrieve", input={"query": "refunds"})
client.flush()
span.end(output=["a", "b"])
generation = trace.generation(
    name="answer",
    model="gpt-4o-2024-08-06",
    model_parameters={"temperature": 0.2, "max_tokens": 300},
    input=[{"role": "user", "content": "How do refunds work?"}],
    metadata={"step": 2},
)
client.flush()
generation.end(
    output="Within thirty days.",
    usage_details={"input": 100, "output": 20, "input_cached_tokens": 40, "total": 160},
    metadata={"grade": "good"},
)
client.flush()
trace.update(user_id="ada", session_id="s-1", tags=["beta", "support"], output="Within thirty days.")
trace.score(name="helpful", value=1.0, comment="yes")
generation.score(name="correct", value="right", data_type="CATEGORICAL")
trace.event(name="clicked")
client.flush()

# All at once, with a cost of the sender's own and no end.
client.generation(
    trace_id=trace.id, name="price", model="our-own-model",
    usage={"input": 10, "output": 5, "unit": "TOKENS", "input_cost": 0.001, "output_cost": 0.002, "total_cost": 0.003},
)  # fmt: skip
failed = trace.generation(name="fails", model="gpt-4o")
failed.end(level="ERROR", status_message="rate limited")

# The wrapper around OpenAI's SDK.
if "REPLAY_URL" in os.environ:
    from langfuse.openai import OpenAI

    wrapped = OpenAI(base_url=os.environ["REPLAY_URL"], api_key="any")
    wrapped.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], name="wrapped", session_id="s-2",
        user_id="bob", tags=["w"], metadata={"k": "v"},
    )  # fmt: skip
    for _ in wrapped.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], stream=True, name="streamed", user_id="bob",
        stream_options={"include_usage": True},
    ):  # fmt: skip
        pass
    wrapped.embeddings.create(model="text-embedding-3-small", input="Hello")

# The decorator.
from langfuse.decorators import langfuse_context, observe  # noqa: E402


@observe(as_type="generation")
def model_call(words: str) -> str:
    langfuse_context.update_current_observation(
        model="claude-3-5-sonnet-20241022",
        usage_details={"input": 50, "output": 7, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 200},
    )
    return words.upper()


@observe()
def workflow(words: str) -> str:
    langfuse_context.update_current_trace(user_id="eve", session_id="s-3", tags=["deco"])
    return model_call(words)


workflow("hello")
langfuse_context.flush()
client.flush()
time.sleep(0.2)
client.shutdown()
