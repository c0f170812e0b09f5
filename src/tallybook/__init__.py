"""Tallybook: the ledger of model calls.

One line, `tallybook.instrument()`, and every call of the official OpenAI, Anthropic and Google SDKs is recorded,
priced when read, and shown by `tallybook stats today`. Importing this package does nothing and loads nothing else.
"""

from tallybook.version import __version__

TYPE_CHECKING = False  # As typing's, whose import would cost five times what this package does.
if TYPE_CHECKING:
    from tallybook import runs
    from tallybook.capture.control import configure, flush
    from tallybook.capture.instrument import instrument, is_instrumented, uninstrument
    from tallybook.capture.recorder import Companion
    from tallybook.capture.spans import agent, run, step, tag, tool
    from tallybook.capture.track import track
    from tallybook.config import Settings
    from tallybook.registry import MODEL_REGISTRY, get_model_info, list_models
    from tallybook.storage import LocalStorage, get_today_stats, query_by_date_range, store_telemetry
    from tallybook.tokens import estimate_tokens, truncate_to_tokens

_HOMES = {
    "LocalStorage": "storage",
    "MODEL_REGISTRY": "registry",
    "agent": "capture.spans",
    "configure": "capture.control",
    "estimate_tokens": "tokens",
    "flush": "capture.control",
    "get_model_info": "registry",
    "get_today_stats": "storage",
    "instrument": "capture.instrument",
    "is_instrumented": "capture.instrument",
    "list_models": "registry",
    "query_by_date_range": "storage",
    "run": "capture.spans",
    "step": "capture.spans",
    "store_telemetry": "storage",
    "tag": "capture.spans",
    "tool": "capture.spans",
    "track": "capture.track",
    "truncate_to_tokens": "tokens",
    "uninstrument": "capture.instrument",
}

__all__ = [  # noqa: RUF022  (in the order of `sorted`, as a test holds)
    "LocalStorage",
    "MODEL_REGISTRY",
    "__version__",
    "agent",
    "configure",
    "estimate_tokens",
    "flush",
    "get_model_info",
    "get_today_stats",
    "instrument",
    "is_instrumented",
    "list_models",
    "query_by_date_range",
    "run",
    "runs",
    "step",
    "store_telemetry",
    "tag",
    "tool",
    "track",
    "truncate_to_tokens",
    "uninstrument",
]


def __getattr__(name: str) -> object:
    from importlib import import_module  # here, so that importing the package loads nothing

    if name == "runs":
        return import_module("tallybook.runs")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'tallybook' has no attribute {name!r}")
    value: object = getattr(import_module(f"tallybook.{home}"), name)
    if home.startswith("capture."):
        # Capture knows no network: what ships its records is put beside it here.
        from tallybook.capture import recorder

        recorder.companion_of = _companion_of
    globals()[name] = value
    return value


def _companion_of(settings: "Settings") -> "Companion | None":
    if settings.url is None:
        return None
    from tallybook.ship.companion import Shipping  # here, because most programs send nothing anywhere

    return Shipping(settings)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
