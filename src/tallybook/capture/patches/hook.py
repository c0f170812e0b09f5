"""Patches a module when the application imports it, so that we import none ourselves.

A finder at the front of `sys.meta_path` lets the ordinary finders find the module and runs our patch right
after the module's own code. It stays while `instrument()` is in force: a module that is loaded anew is patched anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from tallybook.capture import guard


class _Loader(Loader):
    """The module's own loader, and our patch after it."""

    def __init__(self, inner: Loader, then: Callable[[ModuleType], None]) -> None:
        self._inner = inner
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # Who looks a module up without importing it may ask for its source.

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        module.__loader__ = self._inner
        self._inner.exec_module(module)
        with guard.contained("patching"):
            self._then(module)


class Waiting(MetaPathFinder):
    """Modules not imported yet, and what to do with each when it is."""

    def __init__(self) -> None:
        self._wanted: dict[str, Callable[[ModuleType], None]] = {}
        self._looking: set[str] = set()

    def add(self, module: str, then: Callable[[ModuleType], None]) -> None:
        """Call `then` with the module right after its import."""
        self._wanted[module] = then
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def clear(self) -> None:
        """Wait for nothing any more."""
        self._wanted.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the import system asks; answers only for modules that are waited for."""
        del path, target
        then = self._wanted.get(fullname)
        if then is None or fullname in self._looking:
            return None
        self._looking.add(fullname)
        try:
            spec = find_spec(fullname)
        finally:
            self._looking.discard(fullname)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _Loader(spec.loader, then)
        return spec
