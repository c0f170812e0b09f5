"""Values as a damaged or hostile payload may hold them in any place."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.just("x" * 5_000), st.just([]), st.just({}), st.just([[None]]), st.just({"a": {"b": [1]}}),
    st.just("1e999"), st.just("0001-01-01T00:00:00Z"), st.just("9999-12-31T23:59:59-12:00"), st.just(1e300),
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers()), max_size=4),
    st.dictionaries(st.text(max_size=4), st.one_of(st.none(), st.text(max_size=3), st.integers()), max_size=4),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places inside a value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:3]):
            found += places(inner, (*path, number))
    return found


@st.composite
def damaged(draw: st.DrawFn, whole: Any) -> Any:
    """A payload with odd values in a few of its places."""
    spoilt = copy.deepcopy(whole)
    for path in draw(st.lists(st.sampled_from(places(whole)), min_size=1, max_size=4)):
        holder = spoilt
        try:
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = copy.deepcopy(draw(ODD))
        except (KeyError, IndexError, TypeError):
            continue
    return spoilt
