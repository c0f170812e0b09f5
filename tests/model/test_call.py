"""Records do not change once they are made."""

from __future__ import annotations

import msgspec
import pytest

from tallybook.model.call import Call, Cost, Run, Step, ToolCall
from tallybook.model.usage import Usage

RECORDS = (
    Call(call_id="c", started_at_us=1),
    Step(step_id="s", started_at_us=1),
    Run(run_id="r"),
    Cost(),
    ToolCall(name="t"),
    Usage(),
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_no_field_of_a_record_can_be_set(record: msgspec.Struct) -> None:
    for name in record.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(record, name, None)


@pytest.mark.parametrize("kind", [Call, Step, Usage])
def test_two_records_never_share_what_can_be_filled(kind: type) -> None:
    required = {"call_id": "c", "step_id": "s", "started_at_us": 1}
    given = {name: value for name, value in required.items() if name in kind.__struct_fields__}
    one, other = kind(**given), kind(**given)
    for name in one.__struct_fields__:
        value = getattr(one, name)
        if isinstance(value, dict | list):
            assert value is not getattr(other, name)


def test_a_new_cost_knows_nothing_rather_than_zero() -> None:
    cost = Cost()
    assert (cost.status, cost.total_nanousd) == ("unpriced", None)
