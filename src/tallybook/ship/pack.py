"""Compression of what is sent, by the standard library alone: zstd from Python 3.14 on, else gzip.

Level 1 of gzip: lines of JSON become a sixth, at 100 MB/s of one core, and further levels cost more than they save.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection
from importlib import import_module
from typing import Any

_zstd: list[Any] = []
"""The module, once it was looked for; `None` in it where this Python has none."""


def packed(data: bytes, accepted: Collection[str]) -> tuple[bytes, str]:
    """Data compressed by the best means that both sides have, and its name as a content encoding."""
    if "zstd" in accepted:
        if not _zstd:
            try:
                _zstd.append(import_module("compression.zstd"))
            except ImportError:
                _zstd.append(None)
        if _zstd[0] is not None:
            return _zstd[0].compress(data), "zstd"
    return gzip.compress(data, compresslevel=1), "gzip"
