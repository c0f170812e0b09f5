"""The errors of the product: one small tree.

    TallybookError
    ├── SettingError      a setting cannot be used; names the setting, its value and what is allowed
    ├── InputError        a record, argument or question is not valid; names the field
    │   └── ConflictError what is asked does not fit what is there: changed meanwhile, deleted, somebody else's id
    ├── StorageError      the folder or a file cannot be used; names the path
    │   └── DamagedFile   a file's content is not what we wrote; names file and offset
    └── NotFound          no call, run or file by that id

Each message says what, where and how to mend it. They are raised to who asked a question, never
into an application that is only being watched (`capture.guard` sees to that).
"""

from __future__ import annotations


class TallybookError(Exception):
    """Base of all errors that this package raises on purpose. `hint` tells the remedy."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class SettingError(TallybookError):
    """A setting cannot be used."""


class InputError(TallybookError):
    """A record, argument or question is not valid; `field` names the part."""

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class ConflictError(InputError):
    """What is asked is valid and does not fit what is there."""


class StorageError(TallybookError):
    """The folder or one of its files cannot be used."""


class DamagedFile(StorageError):
    """A file's content is not what was written. `path` and `offset` (bytes) tell where."""

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(
            f"{path}: damaged at byte {offset}: {reason}", hint="the rest is served; see `tallybook doctor`"
        )
        self.path = path
        self.offset = offset
        self.reason = reason


class NotFound(TallybookError):
    """Nothing has that id."""
