"""Assembles tool calls from the pieces of a stream."""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.model.call import ToolCall


class Assembly:
    """One tool call in the making. `default` is what stands for arguments of which no character came."""

    __slots__ = ("_pieces", "default", "error", "id", "is_server_side", "name")

    def __init__(self, name: str = "", id: str | None = None, *, server_side: bool = False) -> None:
        self.name = name
        self.id = id
        self.is_server_side = server_side
        self.error: str | None = None
        self.default: str | None = None
        self._pieces: list[str] = []

    def add(self, piece: Any) -> None:
        """A further piece of the arguments' JSON text."""
        if isinstance(piece, str):
            self._pieces.append(piece)

    def replace(self, arguments: Any) -> None:
        """The whole arguments, as text or as a decoded value."""
        text = arguments_text(arguments)
        self._pieces = [] if text is None else [text]

    @property
    def has_arguments(self) -> bool:
        """Whether any piece of arguments was seen."""
        return bool(self._pieces)

    def tool_call(self) -> ToolCall:
        """The call as far as it was seen."""
        return ToolCall(
            name=self.name,
            id=self.id,
            arguments="".join(self._pieces) or self.default,
            error=self.error,
            server_side=self.is_server_side,
        )


def arguments_text(value: Any) -> str | None:
    """Arguments as JSON text: a text as the model wrote it, any other value encoded; `None` for none."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
