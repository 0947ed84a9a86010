"""Goal: figures are what the definitions say; method: cases counted by hand, and invariants."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.evaluation.figures import (
    MONTH_DAYS,
    Estimate,
    Figures,
    Label,
    Person,
    episodes_of,
    figures,
    rates,
    share_of_busiest,
)
from detectors.policy import DAYS_A_MONTH


def _label(user_id: str, start: int, end: int) -> Label:
    return Label(user_id=user_id, start=start, end=end, label="relapse")


def _person(user_id: str, opened: tuple[int, ...] = (), first: int = 0, last: int = 99) -> Person:
    days = last - first + 1
    return Person(user_id=user_id, first=first, last=last, days=days, opened=opened)


PEOPLE = [
    _person("a", (12, 14, 40)),
    _person("b", (9, 17)),
    _person("c"),
    _person("d", (50, 60, 70, 80), first=45, last=84),
]
LABELS = [
    _label("a", 10, 15),  # found on day 12, 2 days after its start and 3 before its end
    _label("b", 10, 15),  # 9 is before, 17 more than a day behind: missed
    _label("c", 20, 25),  # nothing opened
    _label("d", 48, 49),  # found by the slack, 2 days after its start and a day behind its end
    _label("d", 10, 15),  # not watched yet
    _label("e", 10, 15),  # somebody else
]


def test_counts_and_rates_are_those_counted_by_hand() -> None:
    found = figures(PEOPLE, LABELS, slack_days=1)
    assert (found.people, found.labels, found.labels_hit) == (4, 4, 2)
    assert (found.episodes, found.episodes_in_label) == (9, 3)
    assert found.sensitivity.value == 0.5
    assert found.precision.value == pytest.approx(3 / 9)
    assert found.person_months == pytest.approx((3 * 100 + 40) / MONTH_DAYS)
    assert found.episodes_per_person_month.value == pytest.approx(9 / (340 / MONTH_DAYS))
    assert found.opened_after_start_days.value == 2.0
    assert found.opened_before_end_days.value == 1.0
    assert found.busiest_tenth_share == pytest.approx(4 / 9)
    assert found.lead_days == [2, 2]
    assert rates(PEOPLE, LABELS, slack_days=1) == (
        found.sensitivity.value,
        found.episodes_per_person_month.value,
    )
    without_slack = figures(PEOPLE, LABELS, slack_days=0)
    assert (without_slack.labels_hit, without_slack.episodes_in_label) == (1, 2)


def test_interval_of_a_rate_is_that_of_drawing_people() -> None:
    people = [_person(f"p{index}", (12,) if index < 30 else ()) for index in range(100)]
    found = figures(people, [_label(each.user_id, 10, 15) for each in people], slack_days=1)
    assert found.sensitivity.value == 0.3
    assert found.sensitivity.low == pytest.approx(0.3 - 1.96 * 0.0458, abs=0.015)
    assert found.sensitivity.high == pytest.approx(0.3 + 1.96 * 0.0458, abs=0.015)


def test_what_cannot_be_told_is_absent() -> None:
    nobody = figures([], LABELS, slack_days=1)
    assert (nobody.people, nobody.sensitivity, nobody.busiest_tenth_share) == (0, Estimate(), None)
    quiet = figures([_person("c")], [], slack_days=1)
    assert (quiet.sensitivity, quiet.precision) == (Estimate(), Estimate())
    assert quiet.episodes_per_person_month == Estimate(0.0, 0.0, 0.0)


def test_a_month_is_that_of_a_budget() -> None:
    assert MONTH_DAYS == DAYS_A_MONTH


def test_only_watched_dates_count_as_time_and_labels_in_a_gap_are_missed() -> None:
    person = Person(user_id="a", first=0, last=99, days=15, opened=(1,))
    found = figures([person], [_label("a", 50, 55)], slack_days=1)
    assert found.person_months == 0.5
    assert found.episodes_per_person_month.value == 2.0
    assert (found.labels, found.labels_hit) == (1, 0)


def test_anomalous_dates_at_most_a_week_apart_are_one_episode() -> None:
    assert episodes_of([30, 1, 8, 15, 23, 23]) == (1, 23)
    assert episodes_of([]) == ()


def test_busiest_tenth_is_rounded_up_to_whole_people() -> None:
    assert share_of_busiest([1] * 10) == 0.1
    assert share_of_busiest([5] + [1] * 10) == pytest.approx(6 / 15)


DATES = st.integers(0, 60)
SPANS = st.tuples(DATES, st.integers(0, 10))


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list[Person], list[Label]]:
    people, labels = [], []
    for index in range(draw(st.integers(1, 8))):
        first, length = draw(SPANS)
        opened = draw(st.lists(st.integers(first, first + length), max_size=4, unique=True))
        people.append(_person(f"p{index}", tuple(sorted(opened)), first, first + length))
        for start, days in draw(st.lists(SPANS, max_size=3)):
            labels.append(_label(f"p{index}", start, start + days))
    return people, labels


def _estimates(found: Figures) -> list[Estimate]:
    return [
        found.sensitivity,
        found.precision,
        found.episodes_per_person_month,
        found.opened_after_start_days,
        found.opened_before_end_days,
    ]


@given(_worlds(), st.integers(0, 3), st.randoms(use_true_random=False))
def test_rates_are_shares_intervals_hold_them_and_order_does_not_matter(
    world: tuple[list[Person], list[Label]], slack_days: int, shuffler: random.Random
) -> None:
    people, labels = world
    found = figures(people, labels, slack_days=slack_days)
    for estimate in _estimates(found):
        if estimate.value is not None:
            assert estimate.low is not None
            assert estimate.high is not None
            assert estimate.low <= estimate.value <= estimate.high
    for share in (found.sensitivity, found.precision):
        assert share.value is None or (share.low or 0.0) >= 0.0
        assert share.value is None or (share.high or 0.0) <= 1.0
    mixed = people[:]
    shuffler.shuffle(mixed)
    assert figures(mixed, labels[::-1], slack_days=slack_days) == found


@given(_worlds())
def test_more_slack_never_finds_less(world: tuple[list[Person], list[Label]]) -> None:
    people, labels = world
    hits = [figures(people, labels, slack_days=slack).labels_hit for slack in (0, 1, 5)]
    assert hits == sorted(hits)
