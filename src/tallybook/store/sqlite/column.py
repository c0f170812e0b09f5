"""Structs as rows and back: scalars as they are, truth values as 0 and 1, everything else as JSON text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
_encode = msgspec.json.Encoder().encode


class Rows(Generic[S]):
    """How one type of struct lies in its table, whose columns have the names of its fields."""

    def __init__(self, type_: type[S], json: Sequence[str] = (), flags: Sequence[str] = ()) -> None:
        self._type = type_
        self._json = frozenset(json)
        self._flags = frozenset(flags)
        self.names = type_.__struct_fields__
        self.columns = ", ".join(self.names)
        self.marks = ", ".join("?" * len(self.names))

    def value(self, name: str, value: Any) -> Any:
        """The column's value of a field."""
        if name in self._json:
            return None if value is None else _encode(value).decode()
        return int(value) if name in self._flags else value

    def row(self, one: S) -> list[Any]:
        """All columns' values."""
        return [self.value(name, getattr(one, name)) for name in self.names]

    def sets(self, changes: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """`a = ?, b = ?` and the values."""
        return ", ".join(f"{name} = ?" for name in changes), [self.value(name, changes[name]) for name in changes]

    def struct(self, row: Sequence[Any]) -> S:
        """The struct of a row of `columns`. What is not valid raises msgspec.ValidationError."""
        values = {
            name: msgspec.json.decode(value) if name in self._json and value is not None else value
            for name, value in zip(self.names, row, strict=True)
        }
        return msgspec.convert(values, self._type, strict=False)
