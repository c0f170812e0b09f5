"""A file that appears whole or not at all: written beside its place and moved there when complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tallybook.model.errors import StorageError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder; moved to `path` when the block ends well, else removed.

    Raises StorageError when `path` cannot be written.
    """
    if path.is_dir():
        raise StorageError(f"{path} is a folder", hint="give the name of a file in it")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}", hint="choose a place that can be written") from error
    finally:
        beside.unlink(missing_ok=True)
