"""The price book: what a model cost at a time, by key: the user's own prices, then our overlay, then the list.

A mistake in a row of the user's file leaves the other rows in force; it stands in `faults`, which `doctor` tells.

Warm look-ups read one small file and import nothing: the price list (`genai-prices`, which brings pydantic and an
HTTP client) is loaded only for a key that was never asked before under the installed version of the list. There is no
network. The cache may be deleted at any time; a damaged one is ignored and written anew.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tallybook.model.errors import SettingError
from tallybook.prices import facts, naming
from tallybook.prices.base import Key, Rate
from tallybook.version import __version__

if TYPE_CHECKING:  # Only the annotations need it; it reads TOML, which most look-ups do without.
    from tallybook.prices.row import Row

CACHE_NAME = "prices-cache.json"
PRICES_NAME = "prices.toml"

_RULES = 3
"""Raised when this package's reading of the list changes, so that older caches are dropped."""

_CACHED_KEYS_MAX = 4_096
"""Keys kept in the cache file. Beyond: the oldest go, and cost one look-up when they come again; names of models come
from applications and have no bound of their own."""


class _Cache(msgspec.Struct):
    version: str
    rates: dict[str, tuple[Rate, ...]] = {}


_decode = msgspec.json.Decoder(_Cache).decode


class PriceBook:
    """Dated rates by key. Not safe for use by several threads at once; cheap enough to have one each."""

    def __init__(self, cache_dir: Path | None = None, *, prices_file: Path | None = None) -> None:
        """`cache_dir` holds `prices-cache.json` and, unless `prices_file` names another, the user's `prices.toml`.

        Without `cache_dir` nothing is kept. Neither file need exist, but a `prices_file` that was named must.
        """
        self._cache_path = None if cache_dir is None else cache_dir / CACHE_NAME
        self._prices_path = prices_file
        if prices_file is None and cache_dir is not None and (cache_dir / PRICES_NAME).exists():
            self._prices_path = cache_dir / PRICES_NAME
        self._version: str | None = None
        self._known: dict[str, tuple[Rate, ...]] = {}
        self._rows: tuple[Row, ...] | None = None
        self._faults: tuple[SettingError, ...] = ()

    @property
    def faults(self) -> tuple[SettingError, ...]:
        """What is wrong in the user's file, row by row. Raises SettingError when it cannot be read at all."""
        self._own()
        return self._faults

    @property
    def needs(self) -> frozenset[str]:
        """Which rare parts of a key prices depend on: those that the user's rows name, and the endpoint."""
        found = {"base_url"}
        for row in self._own():
            found.update(name for name in ("deployment", "project") if getattr(row, name) is not None)
        return frozenset(found)

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        """All dated rates of each key, those of the user before those of the list; empty for an unknown model.

        Raises SettingError when the user's price file cannot be read at all.
        """
        if self._version is None:
            self._version, self._known = self._load()
        needs = self.needs
        narrow = {key: self._narrowed(key, needs) for key in keys}
        names = {key: _name(own) for key, own in narrow.items()}
        missing = [key for key, name in names.items() if name not in self._known]
        if missing:
            for key in missing:
                self._known[names[key]] = self._resolve(narrow[key])
            self._save()
        return {key: self._known[name] for key, name in names.items()}

    def _narrowed(self, key: Key, needs: frozenset[str]) -> Key:
        """The key without what no price depends on: endpoints become facts unless the user's rows name them."""
        if key.base_url is None and key.deployment is None and key.project is None and not key.facts:
            return key
        told = tuple([f"{name}:{value}" for name, value in sorted(facts.of(key).items()) if name != "surface"])
        is_host_named = any(row.base_url is not None for row in self._own())
        return key._replace(
            facts=told,
            base_url=key.base_url if is_host_named else None,
            deployment=key.deployment if "deployment" in needs else None,
            project=key.project if "project" in needs else None,
        )

    def _own(self) -> tuple[Row, ...]:
        """The rows of the user's file, read once."""
        if self._rows is None:
            if self._prices_path is None:
                self._rows = ()
            else:
                from tallybook.prices import override  # here, because most have no file of their own prices

                found = override.load(self._prices_path)
                self._rows, self._faults = found.rows, found.faults
        return self._rows

    def _resolve(self, key: Key) -> tuple[Rate, ...]:
        from tallybook.prices import override

        told = facts.of(key)
        if naming.is_free(key.provider, key.model):
            rates: tuple[Rate, ...] = (Rate(is_free=True, price=f"free: {key.provider}/{key.model}"),)
        else:
            from tallybook.prices import overlay
            from tallybook.prices.listed import rates_of  # here, because its first look-up loads the price list

            plain = key._replace(service_tier=None, is_batch=False)
            is_tiered = naming.tier(key.service_tier, key.is_batch) is not None
            rates = overlay.overlaid(key, told, rates_of(plain), rates_of(key) if is_tiered else None)
        own = self._own()
        return override.applied(own, key, rates, told) if own else rates

    def _load(self) -> tuple[str, dict[str, tuple[Rate, ...]]]:
        overlay = Path(__file__).with_name("overlay.toml")
        version = f"{__version__} {_RULES} {_list_stamp()} {_stamp(overlay)} {_stamp(self._prices_path)}"
        if self._cache_path is None:
            return version, {}
        try:
            cache = _decode(self._cache_path.read_bytes())
        except (OSError, msgspec.DecodeError):  # Absent, unreadable, or damaged: it is rebuilt.
            return version, {}
        return version, cache.rates if cache.version == version else {}

    def _save(self) -> None:
        """Replace the cache file as a whole; another process's new keys may be lost and are looked up again."""
        if self._cache_path is None or self._version is None:
            return
        kept = dict(list(self._known.items())[-_CACHED_KEYS_MAX:])
        temporary = self._cache_path.with_name(f"{CACHE_NAME}.{os.getpid()}.tmp")
        try:
            temporary.write_bytes(msgspec.json.encode(_Cache(self._version, kept)))
            temporary.replace(self._cache_path)
        except OSError:  # A folder that cannot be written: prices are right all the same, and looked up each time.
            temporary.unlink(missing_ok=True)


def _name(key: Key) -> str:
    parts = (key.base_url or "", key.deployment or "", key.project or "", *key.facts)
    rare = ("\x1e".join(parts),) if any(parts) else ()
    return "\x1f".join((key.provider, key.model, key.service_tier or "", "batch" if key.is_batch else "", *rare))


def _stamp(path: Path | None) -> str:
    """Changes whenever the file does."""
    if path is None:
        return "-"
    try:
        status = path.stat()
    except OSError:
        return f"{path}:absent"
    return f"{path}:{status.st_size}:{status.st_mtime_ns}"


def _list_stamp() -> str:
    """Changes with the installed price list, without importing it: its version stands only in slow metadata."""
    spec = importlib.util.find_spec("genai_prices")
    return _stamp(Path(spec.origin).with_name("data.py")) if spec is not None and spec.origin is not None else "absent"
