"""The peers of `bench/capture.py`: how each is installed, switched on and off. Their records go to a sink that
discards them, so that only the caller's side is measured: what they do afterwards to be safe is not in the figures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Switches = tuple[Callable[[], object], Callable[[], object]]
ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "bench" / "out"


def _provider() -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Discard(SpanExporter):
        def export(self, spans: Any) -> Any:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Discard()))
    return provider


def _opentelemetry(module: str, kind: str) -> Switches:
    """Instrumentors in OpenTelemetry's manner."""
    from importlib import import_module

    provider = _provider()
    made = getattr(import_module(module), kind)()
    return (lambda: made.instrument(tracer_provider=provider), made.uninstrument)


def _openinference() -> Switches:
    return _opentelemetry("openinference.instrumentation.openai", "OpenAIInstrumentor")


def _openllmetry() -> Switches:
    return _opentelemetry("opentelemetry.instrumentation.openai", "OpenAIInstrumentor")


def _logfire() -> Switches:
    import logfire

    logfire.configure(send_to_logfire=False, console=False)
    kept: list[Any] = []

    def on() -> None:
        manager = logfire.instrument_openai()
        manager.__enter__()
        kept.append(manager)

    def off() -> None:
        while kept:
            kept.pop().__exit__(None, None, None)

    return on, off


class Peer(NamedTuple):
    """One peer."""

    packages: tuple[str, ...]
    switches: Callable[[], Switches]


PEERS: dict[str, Peer] = {
    "openinference": Peer(("openinference-instrumentation-openai", "opentelemetry-sdk"), _openinference),
    "openllmetry": Peer(("opentelemetry-instrumentation-openai", "opentelemetry-sdk"), _openllmetry),
    "logfire": Peer(("logfire",), _logfire),
}


def run_peers(script: Path, calls: int) -> None:
    """Measure every peer in an environment of its own, on the OpenAI SDK, which all of them patch."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ANTHROPIC_OPEN_TELEMETRY": "false"}
    for name, peer in PEERS.items():
        place = OUT / f"peer-{name}"
        python = place / "bin" / "python"
        if not python.exists():
            venv.create(place, with_pip=True)
            constraints = ROOT / "constraints.txt"
            wanted = ["openai", "anthropic", "msgspec", *peer.packages]
            install = [str(python), "-m", "pip", "install", "-q", "-q", "-c", str(constraints), *wanted]
            if subprocess.run(install, check=False).returncode != 0:
                print(f"{name}: does not install here; left out")
                continue
        command = [str(python), str(script), "--peer", name, "--only", "chat", "--calls", str(calls)]
        if subprocess.run(command, env=environment, check=False).returncode != 0:
            print(f"{name}: failed; left out")


if __name__ == "__main__":
    sys.exit("./dev bench capture --peers")
