"""A program with Langfuse's Python SDK of OpenTelemetry's days: spans by OTLP, scores and health by its own API."""

import os

URL = os.environ["RIVAL_URL"]
os.environ.update(LANGFUSE_PUBLIC_KEY="pk-lf-test", LANGFUSE_SECRET_KEY=os.environ["RIVAL_KEY"], LANGFUSE_HOST=URL)

from langfuse import Langfuse, propagate_attributes  # noqa: E402

client = Langfuse(environment="staging")
assert client.auth_check()
with (
    propagate_attributes(user_id="ada", session_id="s-1", tags=["beta"]),
    client.start_as_current_observation(name="ticket", as_type="span"),
):
    with client.start_as_current_observation(name="answer", as_type="generation", model="gpt-4o") as generation:
        generation.update(output="Hi", usage_details={"input": 100, "output": 20, "input_cached_tokens": 40})
        generation.score(name="correct", value=1.0)
    client.score_current_trace(name="helpful", value="yes", data_type="CATEGORICAL")
client.flush()
client.shutdown()
