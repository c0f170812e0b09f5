"""OpenTelemetry over gRPC: the three `Export` services of OTLP, with the extra `[grpc]`.

The messages are those of OTLP over HTTP and are read by the same code; grpcio carries the bytes. Keys come as metadata,
under the names that they have as headers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tallybook.ingest.intake import Overloaded
from tallybook.ingest.otlp import answer
from tallybook.model.errors import InputError, SettingError, TallybookError
from tallybook.model.limits import REQUEST_BYTES
from tallybook.server import otlp
from tallybook.server.context import Context
from tallybook.server.error import translated
from tallybook.server.identity import check_role, told

WORKERS = 8
"""Requests under way at once; each waits for its records to be durable."""
STOP_S = 10
_SERVICES: tuple[tuple[str, otlp.Signal], ...] = (
    ("opentelemetry.proto.collector.trace.v1.TraceService", "traces"),
    ("opentelemetry.proto.collector.logs.v1.LogsService", "logs"),
    ("opentelemetry.proto.collector.metrics.v1.MetricsService", "metrics"),
)


def export(signal: otlp.Signal, data: bytes, headers: dict[str, str], context: Context) -> bytes:
    """Take one request. Raises errors of the product."""
    now_us = context.now_us()
    if context.keys.is_stale(now_us):
        context.state_now(lambda state: context.keys.refresh(state, now_us))
    identity = told(headers, context, now_us)
    check_role(identity, "ingest")
    project = otlp.project_of(headers, identity.project)
    found = context.telemetry_now(len(data), lambda twins: otlp.read(signal, data, project, context, twins)).result()
    if found.lines is not None:
        context.record_lines_now(found.lines)
    otlp.count(signal, found.taken, context)
    return answer.accepted(signal, len(found.taken.arrival.refused), otlp.why(found.taken), is_json=False)


class GrpcServer:
    """OTLP's services on a port of their own, beside the HTTP server and on the same address."""

    def __init__(self, context: Context, port: int) -> None:
        """Listen. Raises SettingError without grpcio, or when the port cannot be had."""
        try:
            import grpc  # type: ignore[import-untyped]  # here, because it is an extra
        except ImportError as error:
            raise SettingError("gRPC needs the package grpcio", hint="pip install 'tallybook[grpc]'") from error
        self._grpc = grpc
        self._context = context
        self._server = grpc.server(
            ThreadPoolExecutor(WORKERS, thread_name_prefix="tallybook-grpc"),
            options=[("grpc.max_receive_message_length", REQUEST_BYTES), ("grpc.so_reuseport", 0)],
        )
        for service, signal in _SERVICES:
            handler = grpc.unary_unary_rpc_method_handler(self._method(signal))
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
        host = context.serving.host
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port = int(self._server.add_insecure_port(address))
        except RuntimeError as error:
            raise SettingError(
                f"cannot listen on {address}: {error}", hint="choose another with --grpc-port"
            ) from error
        self._server.start()

    def _method(self, signal: otlp.Signal) -> Callable[[bytes, Any], bytes]:
        codes = self._grpc.StatusCode
        by_status = {
            400: codes.INVALID_ARGUMENT, 401: codes.UNAUTHENTICATED, 403: codes.PERMISSION_DENIED,
            413: codes.RESOURCE_EXHAUSTED, 429: codes.RESOURCE_EXHAUSTED, 503: codes.UNAVAILABLE,
        }  # fmt: skip

        def method(data: bytes, call: Any) -> bytes:
            headers = {str(key).lower(): str(value) for key, value in call.invocation_metadata()}
            try:
                return export(signal, data, headers, self._context)
            except Overloaded as error:
                call.abort(codes.UNAVAILABLE, str(error))
            except InputError as error:
                call.abort(codes.INVALID_ARGUMENT, f"{error} ({error.hint})" if error.hint else str(error))
            except TallybookError as error:
                found = translated(error)
                call.abort(by_status.get(found.status, codes.INTERNAL), str(found))
            raise AssertionError("abort raises")

        return method

    def stop(self) -> None:
        """Take nothing more, and answer what is under way."""
        self._server.stop(STOP_S).wait()
