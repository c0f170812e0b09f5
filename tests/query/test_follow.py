"""Following the journal: every call once, soon, whatever the writers do in between."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tallybook.model import codec
from tallybook.model.call import Call, Cost
from tallybook.model.question import Filter
from tallybook.query.follow import Follower

from .company import NOW_US


def price(call: Call) -> Cost:
    return Cost(status="priced", total_nanousd=7)


def line(number: int, **given: object) -> bytes:
    return codec.encode(Call(call_id=f"call-{number}", started_at_us=NOW_US + number, **given))  # type: ignore[arg-type]


def segment(folder: Path, writer: str = "w") -> Path:
    path = folder / "2026-11-22" / f"telemetry.{writer}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def ids(follower: Follower) -> list[str]:
    return [call.call_id for call in follower.poll().calls]


def test_what_was_there_is_passed_over_and_what_comes_is_given_once(tmp_path: Path) -> None:
    path = segment(tmp_path)
    path.write_bytes(line(1))
    follower = Follower(tmp_path, price)
    assert ids(follower) == []
    with path.open("ab") as file:
        file.write(line(2) + line(3))
    (first, _) = news = follower.poll().calls
    assert [call.call_id for call in news] == ["call-2", "call-3"]
    assert first.cost is not None and first.cost.total_nanousd == 7
    assert ids(follower) == []


def test_a_line_is_given_when_it_is_whole_also_one_begun_before(tmp_path: Path) -> None:
    path = segment(tmp_path)
    whole = line(1)
    path.write_bytes(line(0) + whole[:20])
    follower = Follower(tmp_path, price)
    assert ids(follower) == []
    with path.open("ab") as file:
        file.write(whole[20:-1])
    assert ids(follower) == []
    with path.open("ab") as file:
        file.write(b"\n")
    assert ids(follower) == ["call-1"]


def test_new_segments_and_days_are_found_and_removed_ones_forgotten(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "not-yet", price)
    assert ids(follower) == []
    path = segment(tmp_path / "not-yet", "b")
    path.write_bytes(line(5))
    assert ids(follower) == ["call-5"]
    path.unlink()
    assert ids(follower) == []
    segment(tmp_path / "not-yet", "b").write_bytes(line(6))
    assert ids(follower) == ["call-6"]


def test_a_segment_that_is_renamed_is_not_read_again(tmp_path: Path) -> None:
    path = segment(tmp_path)
    follower = Follower(tmp_path, price)
    path.write_bytes(line(1))
    assert ids(follower) == ["call-1"]
    path.rename(segment(tmp_path, "rotated"))
    assert ids(follower) == []


def test_the_same_call_from_two_writers_is_given_once(tmp_path: Path) -> None:
    follower = Follower(tmp_path, price)
    segment(tmp_path, "sdk").write_bytes(line(1, provider="openai", response_id="resp"))
    segment(tmp_path, "gateway").write_bytes(line(2, provider="openai", response_id="resp"))
    assert len(ids(follower)) == 1


def test_calls_shown_before_are_not_given_again(tmp_path: Path) -> None:
    follower = Follower(tmp_path, price)
    follower.mark([codec.decode(line(1))])
    segment(tmp_path).write_bytes(line(1) + line(2))
    assert ids(follower) == ["call-2"]


def test_filters_hold(tmp_path: Path) -> None:
    follower = Follower(tmp_path, price, [Filter("project", "eq", "shop")])
    segment(tmp_path).write_bytes(line(1, project="shop") + line(2, project="mimir"))
    assert ids(follower) == ["call-1"]


def test_a_line_that_is_no_record_is_told_with_its_offset(tmp_path: Path) -> None:
    follower = Follower(tmp_path, price)
    good = line(1)
    segment(tmp_path).write_bytes(good + b"{broken\n" + b"\x00" * 10 + b"\n" + line(2))
    news = follower.poll()
    assert [call.call_id for call in news.calls] == ["call-1", "call-2"]
    (complaint,) = news.complaints
    assert f"at byte {len(good)}" in complaint


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=8), st.integers(1, 6))
def test_however_the_bytes_arrive_each_call_comes_once_and_in_order(
    tmp_path_factory: object, cuts: list[int], count: int
) -> None:
    folder = tmp_path_factory.mktemp("follow")  # type: ignore[attr-defined]
    data = b"".join(line(number) for number in range(count))
    edges = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    follower = Follower(folder, price)
    path = segment(folder)
    found = []
    for begin, end in pairwise(edges):
        with path.open("ab") as file:
            file.write(data[begin:end])
        found.extend(ids(follower))
    assert found == [f"call-{number}" for number in range(count)]
