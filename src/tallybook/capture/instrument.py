"""`instrument()` and `uninstrument()`: put the patches of the table on, and take them off again.

Twice on is once on. Another library may patch the same places before or after us: each wraps what it finds,
and taking ours off leaves the other's in place (our wrapper then passes calls straight through).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tallybook.capture import guard, recorder, switch
from tallybook.capture.patches.hook import Waiting
from tallybook.capture.patches.table import TABLE, Patch

FAMILIES = ("openai", "anthropic", "google", "threads")

_MARK = "__tallybook_original__"
_placed: dict[Patch, Callable[..., Any]] = {}
"""Our wrappers that are in place, or inside another library's: those stay, pass calls through while switched off,
and serve again at the next `instrument()`. A second one around them would record each call twice."""
_waiting = Waiting()


def _place(patch: Patch, module: ModuleType) -> None:
    owner = getattr(module, patch.owner, None)
    original = getattr(owner, patch.attribute, None)
    if owner is None or original is None:
        guard.failed(
            "patching", None, f"{patch.module}.{patch.owner}.{patch.attribute} is not there in this version of "
            f"{patch.package or 'the library'}; its calls are not recorded; see `tallybook doctor`",
        )  # fmt: skip
        return
    if patch in _placed and _is_inside(original, patch.module):
        return
    observed = patch.wrap(original, patch.family)
    setattr(observed, _MARK, original)
    setattr(owner, patch.attribute, observed)
    _placed[patch] = observed


def _is_inside(found: Callable[..., Any], module_name: str) -> bool:
    """Whether our wrapper is what was found, or is taken to be inside: another library's stands around it."""
    return hasattr(found, _MARK) or getattr(found, "__module__", module_name) != module_name


def _when_imported(module_name: str) -> Callable[[ModuleType], None]:
    def then(module: ModuleType) -> None:
        for patch in TABLE:
            if patch.module == module_name and switch.is_on and patch.family in _chosen:
                _place(patch, module)

    return then


_chosen: frozenset[str] = frozenset()


def instrument(
    *,
    openai: bool = True,
    anthropic: bool = True,
    google: bool = True,
    threads: bool = True,
    **settings: Any,
) -> tuple[str, ...]:
    """Record every call of the official SDKs in this process from now on.

    SDKs may be imported before or after; none is imported here. Further keyword arguments are settings
    (`folder`, `project`, `prompts="preview"` …, see docs/settings.md) that win over environment and file.
    A further call adds to the families in force, which are returned. Never raises: what cannot be patched is told
    once in the log.
    """
    global _chosen  # noqa: PLW0603  (one state a process, as the patches themselves)
    wanted = {"openai": openai, "anthropic": anthropic, "google": google, "threads": threads}
    with guard.contained("instrumenting"):
        pen = recorder.configure(**settings) if settings else recorder.get()
        if not pen.settings.enabled:
            return ()
        switch.is_on = True
        _chosen |= {family for family, is_wanted in wanted.items() if is_wanted}
        for name in dict.fromkeys(patch.module for patch in TABLE if patch.family in _chosen):
            module = sys.modules.get(name)
            if module is not None and hasattr(module, "__file__"):
                _when_imported(name)(module)
            else:
                _waiting.add(name, _when_imported(name))
    return tuple(family for family in FAMILIES if family in _chosen)


def uninstrument() -> None:
    """Take the patches off. Calls under way are still recorded; the SDKs are as they were."""
    global _chosen  # noqa: PLW0603
    with guard.contained("uninstrumenting"):
        _waiting.clear()
        for patch, observed in list(_placed.items()):
            module = sys.modules.get(patch.module)
            owner = getattr(module, patch.owner, None)
            if owner is not None and getattr(owner, patch.attribute, None) is observed:
                setattr(owner, patch.attribute, getattr(observed, _MARK))
                del _placed[patch]
        switch.is_on = False
        _chosen = frozenset()


def is_instrumented() -> bool:
    """Whether `instrument()` is in force."""
    return switch.is_on
