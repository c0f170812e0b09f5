"""Every place that `instrument()` patches: one row each, with the versions it was tried on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tallybook.capture.patches import google, stainless, threads


class Patch(NamedTuple):
    """One attribute to replace."""

    package: str
    """Distribution whose version is looked at; empty for the standard library."""
    module: str
    owner: str
    """Class in the module."""
    attribute: str
    wrap: Callable[[Callable[..., Any], str], Callable[..., Any]]
    family: str
    since: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    """First version that the row is not for; beyond the tried ones `doctor` warns, and the patch is still put."""


_CLIENTS = [
    Patch(package, f"{package}._base_client", owner, attribute, wrap, package, since, before)
    for package, since, before in (("openai", (1, 40), (4,)), ("anthropic", (0, 40), (3,)))
    for owner, attribute, wrap in (
        ("SyncAPIClient", "request", stainless.sync_request),
        ("AsyncAPIClient", "request", stainless.async_request),
        ("SyncAPIClient", "_process_response", stainless.process_response),
        ("AsyncAPIClient", "_process_response", stainless.process_response),
    )
]

_GOOGLE = [
    Patch("google-genai", "google.genai._api_client", "BaseApiClient", attribute, wrap, "google", (1, 0), (4,))
    for attribute, wrap in (
        ("request", google.sync_request),
        ("async_request", google.async_request),
        ("request_streamed", google.sync_stream),
        ("async_request_streamed", google.async_stream),
    )
]

_THREADS = [
    Patch("", "threading", "Thread", "start", threads.carry_start, "threads"),
    Patch("", "concurrent.futures.thread", "ThreadPoolExecutor", "submit", threads.carry_submit, "threads"),
]

TABLE: tuple[Patch, ...] = (*_CLIENTS, *_GOOGLE, *_THREADS)
