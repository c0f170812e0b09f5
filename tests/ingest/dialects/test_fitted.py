from __future__ import annotations

import pytest

from tallybook.ingest.dialects.fitted import fitted
from tallybook.model.call import Call

CALL = Call(call_id="c", started_at_us=1, user_id="ada", tags=("a",), metadata={"k": "v"})


def test_a_usual_call_is_left_as_it_is() -> None:
    assert fitted(CALL) is CALL


@pytest.mark.parametrize(("field", "flags"), [("user_id", ("field_cut",)), ("model", ("field_cut",))])
def test_what_is_too_long_is_cut_and_said(field: str, flags: tuple[str, ...]) -> None:
    call = fitted(Call(call_id="c", started_at_us=1, **{field: "x" * 2_000}))  # type: ignore[arg-type]
    assert getattr(call, field) == "x" * 1_000 and call.flags == flags


def test_too_many_tags_are_cut_and_said_and_repeats_are_not() -> None:
    call = fitted(Call(call_id="c", started_at_us=1, tags=tuple(map(str, range(200)))))
    assert len(call.tags) == 100 and call.flags == ("field_cut",)
    assert fitted(Call(call_id="c", started_at_us=1, tags=("a", "a", ""))).flags == ()


def test_an_error_is_cut_and_metadata_and_parameters_that_are_too_large_are_left_out() -> None:
    call = fitted(
        Call(call_id="c", started_at_us=1, error_message="x" * 9_000, metadata={"k": "v" * 20_000},
             parameters={"k": "v" * 20_000})
    )  # fmt: skip
    assert len(call.error_message or "") == 2_000 and call.metadata == {} and call.parameters == {}
    assert call.flags == ("metadata_dropped", "parameters_dropped")
