from __future__ import annotations

from tallybook.model.call import ToolCall
from tallybook.providers.tool import Assembly, arguments_text


def test_pieces_are_joined_and_other_values_passed_over() -> None:
    tool = Assembly("f", "id1", server_side=True)
    for piece in ('{"a"', None, 3, ":1}"):
        tool.add(piece)
    assert tool.tool_call() == ToolCall(name="f", id="id1", arguments='{"a":1}', server_side=True)


def test_without_a_piece_the_default_stands() -> None:
    tool = Assembly("f")
    assert tool.tool_call().arguments is None
    tool.default = "{}"
    tool.add("")
    assert tool.tool_call().arguments == "{}"


def test_arguments_are_text_as_written_or_encoded() -> None:
    assert arguments_text("{ }") == "{ }"
    assert arguments_text({"ä": [1]}) == '{"ä":[1]}'
    assert arguments_text(None) is None
