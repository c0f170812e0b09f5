"""Many occurrences of one trouble are one alert, told when it begins and when it is over."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.alert.episode import CONDITIONS, OTHERS, Episodes, told
from tallybook.model.limits import ALERT_SUBJECTS

S = 1_000_000


def test_what_happens_over_and_over_is_told_once_and_its_end_once() -> None:
    episodes = Episodes()
    for second in range(100):
        episodes.note("disk", "no space left", second * S)
        episodes.settle(second * S)
    (begun,) = episodes.news()
    assert (begun.code, begun.since_us, begun.ended_us) == ("disk", 0, None)
    (under_way,) = episodes.under_way()
    assert under_way.count == 100 and under_way.last_us == 99 * S
    episodes.settle(99 * S + CONDITIONS["disk"].quiet_s * S)
    (over,) = episodes.news()
    assert over.ended_us is not None and over.count == 100 and "over after" in told(over)
    assert episodes.under_way() == [] and episodes.news() == []


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=lambda one: one.code)
def test_each_condition_begins_at_its_number_within_its_time(condition: object) -> None:
    condition = CONDITIONS[condition.code]  # type: ignore[attr-defined]
    gap = condition.within_s * S // max(1, condition.at_least - 1)
    slow = (condition.within_s + 1) * S // max(1, condition.at_least - 1) + 1
    quick, sparse = Episodes(), Episodes()
    for number in range(condition.at_least):
        assert quick.news() == []
        quick.note(condition.code, "it", number * gap)
        sparse.note(condition.code, "it", number * slow)
    assert [one.code for one in quick.news()] == [condition.code]
    if condition.at_least > 1:
        assert sparse.news() == []


def test_many_at_once_count_as_many() -> None:
    episodes = Episodes()
    episodes.note("refused", "as invalid", S, subject="rest: invalid", by=10_000)
    assert episodes.under_way()[0].count == 10_000


def test_what_nobody_counts_again_keeps_an_episode_alive_without_counting() -> None:
    episodes = Episodes()
    episodes.note("disk", "never seen", S, by=0)
    assert episodes.under_way() == []
    episodes.note("disk", "full", S)
    episodes.note("disk", "still full", 10 * S, by=0)
    episodes.settle(20 * S)
    (alert,) = episodes.under_way()
    assert (alert.count, alert.message) == (1, "still full")


def test_senders_beyond_the_bound_are_told_together() -> None:
    episodes = Episodes()
    for number in range(ALERT_SUBJECTS + 50):
        episodes.note("sender", "refused", S, subject=f"client-{number}", by=20)
    alerts = episodes.under_way("sender")
    assert len(alerts) <= ALERT_SUBJECTS + 1
    assert next(alert for alert in alerts if alert.subject == OTHERS).count == 50 * 20


def test_the_gravest_stand_first() -> None:
    episodes = Episodes()
    episodes.note("clock", "ahead", S)
    episodes.note("disk", "full", 2 * S)
    assert [alert.code for alert in episodes.under_way()] == ["disk", "clock"]


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(sorted(CONDITIONS)), st.integers(0, 3600), st.integers(0, 200)), max_size=60))
def test_every_episode_that_is_told_ends_exactly_once(events: list[tuple[str, int, int]]) -> None:
    episodes, news = Episodes(), []
    for code, at_s, by in sorted(events, key=lambda event: event[1]):
        episodes.settle(at_s * S)
        episodes.note(code, "it", at_s * S, by=by)
        news += episodes.news()
    episodes.settle(10_000 * S)
    news += episodes.news()
    open_: set[str] = set()
    for alert in news:
        if alert.ended_us is None:
            assert alert.code not in open_
            open_.add(alert.code)
        else:
            open_.remove(alert.code)
            assert alert.ended_us >= alert.last_us >= alert.since_us
    assert not open_
