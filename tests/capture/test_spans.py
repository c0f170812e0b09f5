"""Runs, steps and tags: what happens inside carries them, what leaves is untouched, one line when each ends."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

import tallybook
from tallybook.capture import recorder
from tallybook.capture.observe import Observation
from tallybook.capture.scope import EMPTY, current
from tallybook.model.ids import is_uuid7
from tallybook.providers.base import Asked, Parsed
from tallybook.providers.openai_chat import CHAT
from tallybook.testing import TemporaryLedger


def model_call() -> None:
    """As a patched SDK records one."""
    Observation(recorder.get(), CHAT, Asked(model="gpt-4o"), "openai", None).finish(Parsed(), 5)


def test_calls_inside_carry_tags_fields_and_own_keys(ledger: TemporaryLedger) -> None:
    with tallybook.tag("beta", user="u-17", session="s-1", feature="search", environment="test"):
        model_call()
    model_call()
    inside, outside = ledger.calls()
    assert (inside.tags, inside.user_id, inside.session_id, inside.environment) == (("beta",), "u-17", "s-1", "test")
    assert inside.metadata == {"feature": "search"}
    assert (outside.tags, outside.user_id, outside.metadata) == ((), None, {})


def test_a_run_holds_its_steps_and_these_their_calls(ledger: TemporaryLedger) -> None:
    with tallybook.run("chat", user="u-1", source_type="chat", ticket=7) as run:
        with tallybook.agent("researcher") as agent, tallybook.step("find", "retrieval") as step:
            model_call()
        with tallybook.tool("search", tool_call_id="call_1") as tool:
            pass
        assert run.run_id == run.step_id and step.run_id == run.step_id
    (call,) = ledger.calls()
    assert (call.run_id, call.parent_id, call.agent_name, call.user_id) == (
        run.step_id, step.step_id, "researcher", "u-1",
    )  # fmt: skip
    steps = {found.name: found for found in ledger.steps()}
    assert {name: (found.kind, found.parent_id, found.run_id) for name, found in steps.items()} == {
        "chat": ("run", None, run.step_id),
        "researcher": ("agent", run.step_id, run.step_id),
        "find": ("retrieval", agent.step_id, run.step_id),
        "search": ("tool", run.step_id, run.step_id),
    }
    assert steps["search"].tool_call_id == "call_1" and steps["search"].step_id == tool.step_id
    assert steps["chat"].metadata == {"source_type": "chat", "ticket": 7}
    assert all(is_uuid7(found.step_id) and found.duration_us is not None for found in steps.values())
    assert current.get() is EMPTY


def test_a_run_can_be_continued_under_its_id(ledger: TemporaryLedger) -> None:
    for _ in range(2):
        with tallybook.run(run_id=17):  # type: ignore[arg-type]
            model_call()
    assert [call.run_id for call in ledger.calls()] == ["17", "17"]
    assert [found.step_id for found in ledger.steps()] == ["17", "17"]


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("for jane@example.com"), "error", "ValueError: for [redacted:email]"),
        (asyncio.CancelledError(), "cancelled", None),
        (KeyboardInterrupt(), "cancelled", None),
        (GeneratorExit(), "ok", None),
    ],
)
def test_an_exception_passes_as_it_is_and_marks_the_step(
    ledger: TemporaryLedger, error: BaseException, status: str, message: str | None
) -> None:
    with pytest.raises(type(error)) as caught, tallybook.step("work"):
        raise error
    assert caught.value is error
    (found,) = ledger.steps()
    assert (found.status, found.error_message) == (status, message)


def test_a_step_may_be_marked_as_failed_and_be_used_again_unmarked(ledger: TemporaryLedger) -> None:
    work = tallybook.step("work")
    with work:
        work.fail("nothing found")
    with work:
        pass
    assert [(found.status, found.error_message) for found in ledger.steps()] == [
        ("error", "nothing found"),
        ("ok", None),
    ]


def test_input_and_output_are_kept_only_where_bodies_are(ledger: TemporaryLedger) -> None:
    for settings in ({"prompts": "none", "responses": "none"}, {"prompts": "preview", "responses": "preview"}):
        recorder.configure(**settings)
        with tallybook.step("work") as step:
            step.input({"q": "of jane@example.com"})
            step.output("x" * 5_000)
    without, with_ = ledger.steps()
    assert (without.input_preview, without.output_preview) == (None, None)
    assert (with_.input_preview, with_.output_preview) == ("of [redacted:email]", "x" * 1_000)


def test_what_json_cannot_carry_costs_no_step(ledger: TemporaryLedger) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    with tallybook.step("work", thing=object, odd=Odd()):
        pass
    (found,) = ledger.steps()
    assert found.metadata == {"thing": "<class 'object'>", "odd": "<Odd>"}


def test_switched_off_nothing_is_written_and_everything_works(ledger: TemporaryLedger) -> None:
    recorder.configure(enabled=False)

    @tallybook.step("work")
    def work() -> int:
        return 7

    with tallybook.run("chat"), tallybook.tag("x"):
        assert work() == 7
        assert tallybook.track("ask", None, work) == 7
    assert not ledger.folder.exists()


def test_functions_and_coroutines_keep_name_result_and_exception(ledger: TemporaryLedger) -> None:
    error = ValueError("no")

    @tallybook.step("sync")
    def function(value: int) -> int:
        """Its words."""
        if value < 0:
            raise error
        return value + 1

    @tallybook.agent("async")
    async def coroutine(value: int) -> tuple[int, str | None]:
        await asyncio.sleep(0)
        return value, current.get().agent_name

    assert (function.__name__, function.__doc__) == ("function", "Its words.")
    assert inspect.iscoroutinefunction(coroutine)
    assert function(1) == 2
    with pytest.raises(ValueError, match="no") as caught:
        function(-1)
    assert caught.value is error
    assert asyncio.run(coroutine(3)) == (3, "async")
    assert sorted((found.name, found.status) for found in ledger.steps()) == [
        ("async", "ok"),
        ("sync", "error"),
        ("sync", "ok"),
    ]


def talk() -> Generator[Any, Any, str]:
    heard = []
    try:
        while True:
            try:
                heard.append((yield (len(heard), current.get().user_id)))
            except KeyError as error:
                heard.append(repr(error))
            if heard[-1] == "end":
                return "".join(map(str, heard))
    finally:
        heard.append("closed")


def test_a_generator_hears_what_is_sent_and_thrown_and_returns_its_value(ledger: TemporaryLedger) -> None:
    talking = tallybook.tag(user="inside")(talk)
    assert inspect.isgeneratorfunction(talking) and talking.__name__ == "talk"
    generator = talking()
    assert next(generator) == (0, "inside")
    assert generator.send("a") == (1, "inside")
    assert generator.throw(KeyError("k")) == (2, "inside")
    with pytest.raises(StopIteration) as stopped:
        generator.send("end")
    assert stopped.value.value == "aKeyError('k')end"
    generator = talking()
    next(generator)
    error = OSError("thrown in")
    with pytest.raises(OSError, match="thrown in") as caught:
        generator.throw(error)
    assert caught.value is error
    generator = talking()
    next(generator)
    generator.close()
    assert current.get() is EMPTY


def test_the_consumer_of_a_generator_is_not_inside_its_scope(ledger: TemporaryLedger) -> None:
    talking = tallybook.tag(user="inside")(talk)
    with tallybook.tag(user="outside"):
        for _ in range(2):
            generator = talking()
            next(generator)
            assert current.get().user_id == "outside"
            assert generator.send("a") == (1, "inside")
    assert current.get() is EMPTY


def test_generators_that_are_read_in_turn_do_not_mix(ledger: TemporaryLedger) -> None:
    first, second = (tallybook.tag(user=name)(talk)() for name in ("one", "two"))
    assert [next(first), next(second), first.send("a"), second.send("b")] == [
        (0, "one"), (0, "two"), (1, "one"), (1, "two"),
    ]  # fmt: skip
    first.close()
    assert second.send("c") == (2, "two")
    second.close()
    assert current.get() is EMPTY


async def talk_async() -> AsyncGenerator[Any, Any]:
    heard = 0
    while heard < 3:
        await asyncio.sleep(0)
        try:
            got = yield (heard, current.get().user_id)
        except KeyError:
            got = "thrown"
        heard += 1 if got is None else len(got)


def test_an_asynchronous_generator_hears_what_is_sent_and_thrown(ledger: TemporaryLedger) -> None:
    talking = tallybook.tag(user="inside")(talk_async)
    assert inspect.isasyncgenfunction(talking)

    async def main() -> None:
        generator = talking()
        assert await anext(generator) == (0, "inside")
        assert current.get() is EMPTY
        assert await generator.asend("ab") == (2, "inside")
        with pytest.raises(StopAsyncIteration):
            await generator.athrow(KeyError("k"))
        assert [item async for item in talking()] == [(0, "inside"), (1, "inside"), (2, "inside")]
        generator = talking()
        await anext(generator)
        await generator.aclose()
        assert current.get() is EMPTY

    asyncio.run(main())


def test_steps_of_generators_last_as_long_as_these_and_tell_how_they_ended(ledger: TemporaryLedger) -> None:
    @tallybook.step("stream")
    def stream(fails: bool) -> Generator[int, None, None]:
        model_call()
        yield 1
        if fails:
            raise ValueError("broken")

    assert list(stream(False)) == [1]
    with pytest.raises(ValueError, match="broken"):
        list(stream(True))
    left = stream(False)
    next(left)
    left.close()
    found = ledger.steps()
    assert [one.status for one in found] == ["ok", "error", "ok"]
    assert [call.parent_id for call in ledger.calls()] == [one.step_id for one in found]


def test_tasks_of_one_run_have_parents_of_their_own(ledger: TemporaryLedger) -> None:
    async def one(name: str) -> None:
        async with tallybook.step(name):
            await asyncio.sleep(0)
            model_call()

    async def main() -> None:
        async with tallybook.run("fan-out"):
            await asyncio.gather(*(one(f"s-{number}") for number in range(4)))

    asyncio.run(main())
    steps = {found.step_id: found for found in ledger.steps()}
    assert len({call.parent_id for call in ledger.calls()}) == 4
    assert {call.run_id for call in ledger.calls()} == {
        found.step_id for found in steps.values() if found.kind == "run"
    }
    assert all(steps[call.parent_id or ""].name.startswith("s-") for call in ledger.calls())


def test_tags_may_be_one_text_or_several(ledger: TemporaryLedger) -> None:
    for tags in ("beta", ["a", "b"], ()):
        with tallybook.run("chat", tags=tags):
            model_call()
    assert [call.tags for call in ledger.calls()] == [("beta",), ("a", "b"), ()]
