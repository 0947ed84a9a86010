"""Goal: use of apps is summed within the day and its spread lies within its bounds. Method: plain
sums over random uses, SciPy's entropy, and days known by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it has no py.typed

from streams.events import PhoneAppUsage, WindowKind
from streams.evidence import Evidence
from streams.features.apps import app_usage_of_day
from streams.features.base import Bounds, Window
from tests.streams.features.phone_days import START_S, alive, day_of, evidence_of, send

USES = st.lists(
    st.builds(
        PhoneAppUsage,
        time=st.integers(-7_200, 93_600).map(lambda second: START_S + second),
        duration=st.integers(0, 10_800).map(float),
        category=st.sampled_from(["social", "video", "work"]),
    ),
    min_size=1,
    unique_by=lambda use: use.time,
)


@given(uses=USES)
def test_use_is_that_of_plain_sums_and_its_entropy_that_of_scipy_within_its_bounds(
    uses: list[PhoneAppUsage],
) -> None:
    used = _used(uses)
    evidence = evidence_of(uses)
    send(evidence, [alive(24.0)])
    values = app_usage_of_day(day_of(evidence))
    if not values:
        assert min(use.time for use in uses) >= START_S + 86_400
        return
    assert values["app_usage_min"] == pytest.approx(sum(used.values()) / 60, abs=1e-9)
    assert values["app_category_count"] == len(used)
    assert bool(used) == ("app_usage_entropy_nats" in values)
    if used:
        entropy = values["app_usage_entropy_nats"]
        assert entropy == pytest.approx(stats.entropy([*used.values()]), rel=1e-9, abs=1e-12)
        assert 0.0 <= entropy <= math.log(values["app_category_count"]) + 1e-12


def _used(uses: list[PhoneAppUsage]) -> dict[str, float]:
    used: dict[str, float] = {}
    for use in uses:
        part = min(use.time + use.duration, START_S + 86_400) - max(use.time, START_S)
        if part > 0:
            used[use.category] = used.get(use.category, 0.0) + part
    return used


def test_the_entropy_of_even_use_is_the_logarithm_of_the_number_of_categories() -> None:
    uses = [
        PhoneAppUsage(time=START_S + 600 * place, duration=300.0, category=str(place))
        for place in range(4)
    ]
    values = app_usage_of_day(day_of(evidence_of(uses)))
    assert values["app_usage_entropy_nats"] == pytest.approx(math.log(4), abs=1e-12)


def test_a_use_too_short_for_a_share_adds_nothing_to_the_entropy() -> None:
    uses = [
        PhoneAppUsage(time=0.0, duration=5e-324, category="work"),
        PhoneAppUsage(time=60.0, duration=600.0, category="video"),
    ]
    evidence = evidence_of(uses)
    # On the first day of all, where an instant is told so finely.
    values = app_usage_of_day(Window(Bounds(WindowKind.DAY, 0, 1_440, 0, "UTC"), evidence))
    assert values["app_usage_entropy_nats"] == 0.0


def test_a_day_without_use_has_no_entropy() -> None:
    evidence = Evidence()
    send(evidence, [PhoneAppUsage(time=START_S - 9_000, duration=60.0, category="work")])
    send(evidence, [alive(24.0)])
    unused = {"app_usage_min": 0.0, "app_category_count": 0.0}
    assert app_usage_of_day(day_of(evidence)) == unused
    opened = evidence_of([PhoneAppUsage(time=START_S + 60, duration=0.0, category="work")])
    assert app_usage_of_day(day_of(opened)) == unused
