"""The peers of `bench/capture.py`: how each is installed and switched on.

Their records go to a sink that discards them, so that only the caller's side is measured: what they do afterwards to
be safe is not in the figures. Not all of them can be switched off again, so they are measured in processes of their
own, with and without in turn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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


def _opentelemetry(module: str, kind: str) -> None:
    """Instrumentors in OpenTelemetry's manner."""
    from importlib import import_module

    provider = _provider()
    getattr(import_module(module), kind)().instrument(tracer_provider=provider)


def _openinference() -> None:
    _opentelemetry("openinference.instrumentation.openai", "OpenAIInstrumentor")


def _openllmetry() -> None:
    _opentelemetry("opentelemetry.instrumentation.openai", "OpenAIInstrumentor")


def _logfire() -> None:
    import logfire

    logfire.configure(send_to_logfire=False, console=False)
    logfire.instrument_openai()


class Peer(NamedTuple):
    """One peer."""

    packages: tuple[str, ...]
    instrument: Callable[[], None]


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
        runs = [
            _run([str(python), str(script), "--peer", name, *_FEW, str(calls), *bare], environment) for bare in _TURNS
        ]
        if not all(runs):
            print(f"{name}: failed; left out")
            continue
        for case in runs[0]:
            median, quiet = (
                statistics.mean(run[case][index] for run in runs[1::2])
                - statistics.mean(run[case][index] for run in runs[::2])
                for index in (0, 1)
            )
            print(f"{name:<16}{case:<30}{runs[0][case][0]:>9.0f}{median:>9.1f}{quiet:>9.1f}", flush=True)


_FEW = ("--only", "chat", "--calls")
_TURNS: tuple[tuple[str, ...], ...] = (("--bare",), (), ("--bare",), ())


def _run(command: list[str], environment: dict[str, str]) -> dict[str, list[float]]:
    ran = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    return json.loads(ran.stdout.splitlines()[-1]) if ran.returncode == 0 else {}


if __name__ == "__main__":
    sys.exit("./dev bench capture --peers")
