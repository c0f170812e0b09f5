"""The shared filter options come to the right conditions, and to the right calls."""

from __future__ import annotations

import pytest

from tallybook.model.errors import InputError
from tallybook.model.question import Filter
from tallybook.query import filters
from tallybook.store.memory import MemoryStore

from .company import call


def found(**given: list[str]) -> list[str]:
    store = MemoryStore()
    at = "2026-11-22T10:00"
    store.append(
        [
            call(at, "gpt-4o", name="write", project="a", user_id="u1", tags=("x", "y"), response_id="1"),
            call(at, "gpt-4o-mini", operation="embeddings", project="b", user_id=None, response_id="2", status="error"),
            call(at, "claude", name="chat", operation="text", project=None, user_id="u2", tags=("y",), response_id="3"),
        ]
    )
    metadata = given.pop("metadata", [])
    return sorted(str(one.response_id) for one in store.calls(filters.build(given, metadata)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "123"),
        ({"project": ["a"]}, "1"),
        ({"project": ["a", "b"]}, "12"),
        ({"project": ["!a"]}, "23"),
        ({"project": ["!a", "!b"]}, "3"),
        ({"project": ["-"]}, "3"),
        ({"user": ["-"]}, "2"),
        ({"model": ["~GPT"]}, "12"),
        ({"model": ["~gpt"], "project": ["b"]}, "2"),
        ({"tag": ["y"]}, "13"),
        ({"tag": ["!x"]}, "23"),
        ({"operation": ["chat"]}, "13"),
        ({"operation": ["write"]}, "1"),
        ({"operation": ["embeddings", "text"]}, "23"),
        ({"operation": ["!chat"]}, "2"),
        ({"operation": ["~rit"]}, "1"),
        ({"status": ["error"]}, "2"),
    ],
)
def test_what_options_let_through(given: dict[str, list[str]], expected: str) -> None:
    assert "".join(found(**given)) == expected


def test_metadata_is_filtered_by_key_and_value() -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T10:00", metadata={"customer": name}) for name in ("acme", "globex", "initech")])
    pairs = ["customer=acme", "customer=globex"]
    assert len(store.calls(filters.build({}, pairs))) == 2
    assert len(store.calls(filters.build({}, ["customer=!acme"]))) == 2


@pytest.mark.parametrize(
    ("given", "metadata", "field"),
    [
        ({"status": ["fine"]}, [], "status"),
        ({"project": ["~a", "b"]}, [], "project"),
        ({"project": ["-", "b"]}, [], "project"),
        ({}, ["customer"], "--metadata"),
        ({}, ["=x"], "--metadata"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, list[str]], metadata: list[str], field: str) -> None:
    with pytest.raises(InputError) as caught:
        filters.build(given, metadata)
    assert field in str(caught.value.field)


def test_dimensions_have_short_names_and_may_be_listed() -> None:
    assert filters.dimensions(["user,model", "metadata.customer"]) == ("user_id", "model", "metadata.customer")
    assert filters.dimensions(["agent", "agent_name"]) == ("agent_name",)


@pytest.mark.parametrize("words", [["colour"], ["metadata."], ["model,user,project,agent"], [""]])
def test_unknown_and_too_many_dimensions_are_refused(words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        filters.dimensions(words)
    assert caught.value.field == "--by"


def test_filters_are_told_in_words() -> None:
    told = filters.told(
        [
            Filter("project", "in", ("a", "b")),
            Filter("user_id", "missing"),
            Filter("model", "contains", "gpt"),
            Filter("operation_or_name", "ne", "chat"),
        ]
    )
    assert told == ["project = a or b", "no user", "model ~ gpt", "operation ≠ chat"]
