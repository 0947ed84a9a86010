"""Goal: the likelihood ratio of a shift is exact and needs no unit; method: generalised least
squares on the covariance matrix of the whole series, and the same days told in another way.
"""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm  # type: ignore[import-untyped]  # has no types

from detectors.base import DAY
from detectors.cohort import Prior
from detectors.level_shift import HORIZON, LevelShift, Term
from detectors.patterns import Domain
from detectors.shifts import SPAN_DAYS, Role, _strengths

CENTRE, FLOOR = 100.0, 8.0
TAUGHT = 60
FAR_DAY = 5_000
"""So long after the last taught day that nothing of it is left."""

Series = NDArray[np.float64]
innovations = st.lists(st.floats(-2.5, 2.5), min_size=SPAN_DAYS + 2, max_size=12)
persistences = st.sampled_from([0.0, 0.2, 0.6, 0.9, 0.95])


def _prior(persistence: float) -> Prior:
    return Prior(centre=CENTRE, spread=4.0, scale=4.0, persistence=persistence, source="test")


def _taught(persistence: float) -> LevelShift:
    """Somebody who is usually at the centre, varies by the floor, and was away for long."""
    term = Term(floor=FLOOR, prior=_prior(persistence))
    shift = LevelShift(lambda _: term)
    for day in range(TAUGHT):
        shift.learn_one({"f": CENTRE, DAY: float(day)})
    return shift


def _series(persistence: float, drawn: list[float]) -> Series:
    """Deviations from the centre that carry on, with these innovations."""
    values = [FLOOR * drawn[0]]
    for new in drawn[1:]:
        values.append(persistence * values[-1] + FLOOR * math.sqrt(1.0 - persistence**2) * new)
    return np.asarray(values)


def _least_squares(values: Series, days: Series, since: float, persistence: float) -> float:
    """The t-statistic of a step, for values with a known covariance."""
    covariance = FLOOR**2 * persistence ** np.abs(days[:, None] - days[None, :])
    step = (days >= since).astype(np.float64)
    weighted = np.linalg.solve(covariance, step)
    return float(weighted @ values / math.sqrt(weighted @ step))


def _expected(values: Series, days: Series, persistence: float) -> float:
    """The largest statistic of both sides and all first days, corrected for the two sides."""
    today = days[-1]
    strengths = [
        _least_squares(values, days, since, persistence)
        for since in range(int(today) - SPAN_DAYS + 1, int(today))
    ]
    # What is usual is known from as many days as are remembered, and that uncertainty is added.
    doubt = 1.0 + (1.0 - persistence) ** 2 / HORIZON
    best = max(map(abs, strengths)) / math.sqrt(doubt)
    return float(norm.isf(1.0 - float(norm.cdf(best)) ** 2))


@settings(max_examples=60, deadline=None)
@given(innovations, persistences)
def test_the_statistic_is_that_of_generalised_least_squares(
    drawn: list[float], persistence: float
) -> None:
    shift, values = _taught(persistence), _series(persistence, drawn)
    days = FAR_DAY + np.arange(len(values), dtype=np.float64)
    told = [{"f": CENTRE + float(u), DAY: day} for u, day in zip(values, days, strict=True)]
    for x in told[:-1]:
        shift.observe_one(x)
    found = shift.look(told[-1])
    assert found is not None
    # Innovations and gains are kept in steps of 1/1024.
    assert found.z == pytest.approx(_expected(values, days, persistence), rel=0, abs=4e-3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-2.5, 2.5), min_size=2, max_size=SPAN_DAYS), persistences)
def test_the_strength_of_whitened_days_is_that_of_generalised_least_squares(
    drawn: list[float], persistence: float
) -> None:
    """The same for a first day that follows on others, worked out without a detector."""
    values = _series(persistence, [0.3, *drawn])
    new_sd = FLOOR * math.sqrt(1.0 - persistence**2)
    gain = FLOOR / new_sd
    days = [
        (
            number,
            float(values[number] - persistence * values[number - 1]) / new_sd,
            gain,
            gain * (1.0 - persistence),
        )
        for number in range(1, len(values))
    ]
    places = np.arange(len(values), dtype=np.float64)
    expected = _least_squares(values, places, 1.0, persistence)
    ((strength, count),) = _strengths(days, [1])
    assert count == len(days)
    assert strength == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.floats(-2.0, 2.0)), min_size=6, max_size=10),
    st.sampled_from([0.0, 0.3, 0.8]),
)
def test_days_that_are_missing_are_left_out_of_the_statistic_and_nothing_is_made_of_them(
    drawn: list[tuple[int, float]], persistence: float
) -> None:
    days = FAR_DAY + np.cumsum([gap for gap, _ in drawn]).astype(np.float64)
    last_days = days[days > days[-1] - SPAN_DAYS]
    # The oracle asks for a statistic of two days at least, as the detector does.
    assume(len(last_days) >= 3)
    sds = FLOOR * np.sqrt(1.0 - persistence ** (2.0 * np.diff(days)))
    values = [FLOOR * drawn[0][1]]
    for gap, sd, (_, new) in zip(np.diff(days), sds, drawn[1:], strict=True):
        values.append(persistence**gap * values[-1] + float(sd) * new)
    shift = _taught(persistence)
    told = [{"f": CENTRE + u, DAY: float(day)} for u, day in zip(values, days, strict=True)]
    for x in told[:-1]:
        shift.observe_one(x)
    found = shift.look(told[-1])
    strengths = [
        abs(_least_squares(np.asarray(values), days, since, persistence))
        for since in last_days[:-1]
    ]
    expected = float(norm.isf(1.0 - float(norm.cdf(max(strengths))) ** 2))
    assert found is not None
    # A centre that is known from so many days only differs a little with the length of a gap.
    assert found.z == pytest.approx(expected, rel=0.02, abs=0.03)


Days = list[dict[str, float]]
_days = st.lists(
    st.fixed_dictionaries(
        {name: st.floats(-30.0, 30.0) for name in ("a", "b")},
        optional={"c": st.floats(-30.0, 30.0)},
    ),
    min_size=20,
    max_size=30,
)


def _live(days: Days, terms: Mapping[str, Term]) -> list[tuple[float, int, str]]:
    """Strength, beginning and first feature of what each day tells."""
    shift, told = LevelShift(terms.get, warm_up_days=5), []
    for x in days:
        found = shift.look(x)
        if found is not None:
            told.append((found.z, found.since, found.parts[0].feature if found.parts else ""))
        shift.learn_one(x)
    return told


def _terms(factor: float, offset: float) -> dict[str, Term]:
    prior = Prior(
        centre=offset, spread=9.0 * factor, scale=7.0 * factor, persistence=0.4, source="test"
    )
    domains = {"a": Domain.SLEEP, "b": Domain.ACTIVITY, "c": Domain.PHONE}
    return {
        name: Term(floor=2.0 * factor, role=Role(domain=domain), prior=prior)
        for name, domain in domains.items()
    }


@settings(max_examples=30, deadline=None)
@given(_days, st.floats(0.01, 100.0), st.floats(-500.0, 500.0))
def test_neither_unit_nor_zero_of_a_feature_matters(
    days: Days, factor: float, offset: float
) -> None:
    elsewhere = [{name: offset + factor * value for name, value in x.items()} for x in days]
    told = _live(days, _terms(1.0, 0.0))
    again = _live(elsewhere, _terms(factor, offset))
    assert [z for z, _, _ in again] == pytest.approx([z for z, _, _ in told], abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(_days, st.permutations(["a", "b", "c"]))
def test_the_order_of_features_does_not_matter(days: Days, order: list[str]) -> None:
    otherwise = [{name: x[name] for name in order if name in x} for x in days]
    assert _live(otherwise, _terms(1.0, 0.0)) == _live(days, _terms(1.0, 0.0))


def test_what_a_twin_observes_the_other_never_learns_of_and_both_tell_the_same() -> None:
    shift = _taught(0.5)
    before = shift.to_state()
    twin = shift.ahead()
    odd, odder = ({"f": CENTRE - 2.0 * FLOOR, DAY: float(TAUGHT + i)} for i in range(2))
    twin.observe_one(odd)
    seen = twin.look(odder)
    assert shift.to_state() == before
    shift.observe_one(odd)
    assert seen == shift.look(odder)


def test_a_feature_counts_after_its_own_warm_up_and_after_relearning_once_more() -> None:
    shift = LevelShift(warm_up_days=5)
    for day in range(8):
        shift.learn_one({"a": 1.0 + day % 2} | ({"b": 2.0} if day >= 4 else {}))
    assert set(shift.to_state()["usual"]) == {"a", "b"}
    only = shift.look({"a": 1.0, "b": 9.0})
    assert only is not None
    assert {part.feature for part in only.parts} <= {"a"}
    shift.relearn(frozenset({"a"}))
    assert shift.look({"a": 9.0}) is None
    shift.learn_one({"b": 2.0})
    both = shift.look({"a": 9.0, "b": 9.0})
    assert both is not None
    assert {part.feature for part in both.parts} == {"b"}
