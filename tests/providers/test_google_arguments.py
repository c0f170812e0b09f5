from __future__ import annotations

from typing import Any

import pytest

from tallybook.providers.google_arguments import Arguments


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ([{"jsonPath": "$.a", "stringValue": "x"}, {"jsonPath": "$.a", "stringValue": "y"}], {"a": "xy"}),
        ([{"jsonPath": "$.a.b", "numberValue": 2.0}, {"jsonPath": "$.a.c", "numberValue": 0.5}],
         {"a": {"b": 2, "c": 0.5}}),
        ([{"jsonPath": "$.a[1]", "boolValue": False}], {"a": [None, False]}),
        ([{"jsonPath": "$.a", "nullValue": "NULL_VALUE"}], {"a": None}),
        ([{"jsonPath": "$['a b']", "boolValue": True}], {"a b": True}),
        ([{"jsonPath": "$.a[99999999]", "boolValue": True}], {"a": []}),
        ([{"jsonPath": "$.a", "stringValue": "x"}, {"jsonPath": "$.a.b", "stringValue": "y"}], {"a": "x"}),
        ([{"jsonPath": "$", "stringValue": "x"}, {"jsonPath": 3}, {"stringValue": "x"}, {"jsonPath": "$.a"}], {}),
        ("x", {}),
        (None, {}),
    ],
)  # fmt: skip
def test_parts_are_put_in_their_places(parts: Any, value: dict[str, Any]) -> None:
    arguments = Arguments()
    arguments.add(parts)
    assert arguments.value == value
