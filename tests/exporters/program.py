"""An application as its author would write it: an instrumentation, an exporter, a few requests. Nothing of ours.

program.py EXPORTER INSTRUMENTATION…      proto, json or grpc; modules with an `…Instrumentor`
"""

from __future__ import annotations

import importlib
import sys

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

EXPORTERS = {
    "proto": ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "OTLPSpanExporter"),
    "json": ("opentelemetry.exporter.otlp.json.http.trace_exporter", "OTLPSpanExporter"),
    "grpc": ("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", "OTLPSpanExporter"),
}


def exporter(name: str):
    module, cls = EXPORTERS[name]
    return getattr(importlib.import_module(module), cls)()


def instrument(module: str, provider: TracerProvider) -> None:
    found = importlib.import_module(module)
    (cls,) = [
        value for name, value in vars(found).items()
        if name.endswith("Instrumentor") and name != "BaseInstrumentor" and value.__module__.startswith(module)
    ]  # fmt: skip
    cls().instrument(tracer_provider=provider)


def openai_requests() -> None:
    import openai

    client = openai.OpenAI()
    messages = [{"role": "user", "content": "hello"}]
    client.chat.completions.create(model="gpt-4o", messages=messages)
    stream = client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    for _ in stream:
        pass
    client.embeddings.create(model="text-embedding-3-small", input="hello")


def anthropic_requests() -> None:
    import anthropic

    client = anthropic.Anthropic()
    client.messages.create(model="claude-sonnet-4-5", max_tokens=50, messages=[{"role": "user", "content": "hello"}])
    with client.messages.stream(
        model="claude-sonnet-4-5", max_tokens=50, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        for _ in stream:
            pass


def main() -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter(sys.argv[1])))
    trace.set_tracer_provider(provider)
    for module in sys.argv[2:]:
        instrument(module, provider)
    if any("openai" in module for module in sys.argv[2:]):
        openai_requests()
    if any("anthropic" in module for module in sys.argv[2:]):
        anthropic_requests()
    provider.shutdown()


if __name__ == "__main__":
    main()
