"""Codex' running totals become calls."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tallybook.ingest.importers.base import Read
from tallybook.ingest.importers.codex import Codex

from .lines import codex, count, data

PATH = Path("rollout-2026-03-01T10-00-00-019a93b9-f380-7600-98ff-940e6b99603c.jsonl")
META = codex("session_meta", "00:00", id="s1", cwd="/srv/ada/src/atlas", cli_version="0.60.0", model_provider="openai",
             git={"branch": "main"})  # fmt: skip
TURN = codex("turn_context", "00:01", cwd="/srv/ada/src/atlas", model="gpt-5.1-codex", effort="high")


def read(content: bytes, **keys: object) -> Read:
    told = {"is_end": True, "is_settled": True, **keys}
    return Codex().read(PATH, content, 0, None, **told)  # type: ignore[arg-type]


def figures(got: Read) -> list[tuple[object, ...]]:
    return [
        (call.model, call.usage.input_tokens, call.usage.cache_read_tokens, call.usage.output_tokens,
         call.usage.reasoning_tokens)
        for call in got.calls
    ]  # fmt: skip


def test_a_count_that_stands_twice_is_one_call() -> None:
    one, two = (100, 10, 20, 5, 120), (300, 110, 50, 15, 350)
    got = read(data(META, TURN, count("00:02", one, one), count("00:02", one, one),
                    count("00:03", two, (200, 100, 30, 10, 230)), count("00:04", two)))  # fmt: skip
    assert figures(got) == [("gpt-5.1-codex", 100, 10, 20, 5), ("gpt-5.1-codex", 200, 100, 30, 10)]
    assert got.calls[0].parameters == {"reasoning_effort": "high"} and got.calls[0].project == "atlas"


def test_a_count_without_figures_is_none() -> None:
    assert read(data(META, TURN, codex("event_msg", "00:02", type="token_count", info=None))).calls == []


def test_a_total_that_falls_begins_anew() -> None:
    low = (50, 0, 5, 0, 55)
    got = read(data(META, TURN, count("00:02", (100, 0, 20, 0, 120)), count("00:03", low, low),
                    count("00:04", (80, 0, 9, 0, 89))))  # fmt: skip
    assert [row[1:4:2] for row in figures(got)] == [(100, 20), (50, 5), (30, 4)]


def test_the_model_is_that_of_the_turn() -> None:
    other = codex("turn_context", "00:03", model="gpt-5.2-codex")
    got = read(data(META, TURN, count("00:02", (1, 0, 1, 0, 2)), other, count("00:04", (2, 0, 2, 0, 4))))
    assert [row[0] for row in figures(got)] == ["gpt-5.1-codex", "gpt-5.2-codex"]


def test_a_forks_copy_of_its_parents_counts_is_not_counted() -> None:
    fork = codex("session_meta", "00:00", id="s2", forked_from_id="s1", cwd="/x", cli_version="0.60.0")
    got = read(data(fork, META, TURN, count("00:01", (100, 0, 20, 0, 120)), count("05:00", (150, 0, 30, 0, 180))))
    assert figures(got) == [("gpt-5.1-codex", 50, 0, 10, 0)] and got.calls[0].run_id == "s2"


def _asked(at: str, ident: str) -> str:
    return codex("response_item", at, type="function_call", name="shell", call_id=ident, arguments="{}")


def _answered(at: str, ident: str, code: int = 0) -> str:
    text = json.dumps({"output": "x", "metadata": {"exit_code": code, "duration_seconds": 1.5}})
    return codex("response_item", at, type="function_call_output", call_id=ident, output=text)


def test_tools_belong_to_their_call_before_or_after_its_count() -> None:
    after = read(data(META, TURN, count("00:02", (1, 0, 1, 0, 2)), _asked("00:03", "a"), _answered("00:04", "a", 2),
                      count("00:05", (2, 0, 2, 0, 4))))  # fmt: skip
    assert [[use.id for use in call.tool_calls] for call in after.calls] == [["a"], []]
    assert (after.calls[0].tool_calls[0].error, after.calls[0].tool_calls[0].duration_us) == ("exit code 2", 1_500_000)
    before = read(data(META, TURN, _asked("00:02", "a"), count("00:03", (1, 0, 1, 0, 2)), _answered("00:04", "a")))
    assert [[use.id for use in call.tool_calls] for call in before.calls] == [["a"]]


@given(st.data())
def test_reading_in_two_portions_gives_the_same_calls(draw: st.DataObject) -> None:
    lines = [META, TURN]
    for number in range(1, 5):
        total = (number * 100, number, number * 10, 0, number * 110)
        lines += [count(f"0{number}:00", total), count(f"0{number}:01", total), _asked(f"0{number}:02", f"t{number}"),
                  _answered(f"0{number}:03", f"t{number}")]  # fmt: skip
    whole = data(*lines)
    cut = draw.draw(st.integers(0, len(whole)))
    first = Codex().read(PATH, whole[:cut], 0, None, is_end=False, is_settled=False)
    rest = Codex().read(PATH, whole[first.offset :], first.offset, first.state, is_end=True, is_settled=True)
    expected = read(whole).calls
    assert [*first.calls, *rest.calls] == expected and len(expected) == 4
