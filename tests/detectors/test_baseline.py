"""Goal: what is usual is robust, floored and slow to move; method: drawn series, worked by hand."""

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import DAY, HOUR
from detectors.baseline import HOLD_COUNT, Baseline, Form, Usual
from detectors.cohort import Prior
from detectors.config import Concern
from detectors.features import Shape

PRIOR = Prior(centre=65.0, spread=8.0, scale=2.0, source="test")


def _baseline(**form: object) -> Baseline:
    made = Form(**form)  # type: ignore[arg-type]  # any field of Form
    return Baseline(lambda _: made)


def _look(baseline: Baseline, value: float, **context: float) -> Usual:
    return dict(baseline.look({"f": value, **context}))["f"]


def _learn(baseline: Baseline, *values: float) -> Baseline:
    for value in values:
        baseline.learn_one({"f": value})
    return baseline


def test_the_score_is_the_share_of_ordinary_values_that_lie_nearer_to_the_usual() -> None:
    usual = _look(_learn(_baseline(), *(60.0 + i % 3 for i in range(40))), 64.0)
    assert usual.score == pytest.approx(2.0 * NormalDist().cdf(usual.z) - 1.0)


@given(st.floats(-1e6, 1e6), st.integers(15, 90))
def test_a_constant_series_never_explodes(value: float, count: int) -> None:
    baseline = _learn(_baseline(floor=2.0), *[value] * count)
    assert abs(_look(baseline, value).z) < 1e-6
    assert 0.8 < abs(_look(baseline, value + 2.0).z) <= 1.0


@given(st.lists(st.floats(30.0, 200.0), min_size=1, max_size=60), st.floats(30.0, 200.0))
def test_the_band_encloses_the_median_and_z_has_the_side_of_the_value(
    values: list[float], value: float
) -> None:
    usual = _look(_learn(_baseline(shape=Shape.LOG), *values), value)
    assert usual.low < usual.median < usual.high
    assert usual.z * (value - usual.median) >= -1e-9


def test_scale_and_centre_of_a_noisy_series_are_found() -> None:
    draw = random.Random(7)
    baseline = _learn(_baseline(floor=0.1), *(draw.gauss(50.0, 4.0) for _ in range(400)))
    usual = _look(baseline, 50.0)
    assert usual.median == pytest.approx(50.0, abs=1.5)
    assert (usual.high - usual.low) / (2 * 1.2816) == pytest.approx(4.0, rel=0.25)


def test_a_young_baseline_leans_on_the_cohort_by_how_much_people_differ() -> None:
    alike = Prior(centre=65.0, spread=1.0, scale=2.0, source="test")
    different, similar = (
        _look(_learn(_baseline(prior=prior), 50.0, 50.0), 50.0).median for prior in (PRIOR, alike)
    )
    # A sixteenth of an observation against two.
    assert different == pytest.approx((65.0 / 16 + 100.0) / (2 + 1 / 16))
    assert 60.0 < similar < 65.0


def test_before_any_value_the_cohort_tells_what_is_usual() -> None:
    usual = _look(_baseline(prior=PRIOR), 65.0)
    assert (usual.z, usual.days, usual.median) == (0.0, 0, 65.0)
    # Where people differ by 8 and each varies by 2, a first value 8 off is one deviation off.
    assert _look(_baseline(prior=PRIOR), 73.0).z == pytest.approx(8 / math.hypot(8, 2))


@pytest.mark.parametrize(
    ("concern", "up", "down"),
    [(Concern.UP, True, False), (Concern.DOWN, False, True), (Concern.BOTH, True, True)],
)
def test_only_the_side_of_concern_scores(concern: Concern, up: bool, down: bool) -> None:
    baseline = _learn(_baseline(concern=concern), *[60.0] * 20)
    assert (_look(baseline, 90.0).score > 0.99) is up
    assert (_look(baseline, 30.0).score > 0.99) is down


def test_one_wild_value_hardly_moves_what_is_usual() -> None:
    values = [60.0 + i % 5 for i in range(40)]
    before = _look(_learn(_baseline(), *values), 60.0)
    after = _look(_learn(_baseline(), *values, 255.0), 60.0)
    assert abs(after.median - before.median) < 0.01
    assert after.high - after.low < (before.high - before.low) * 1.1


def test_a_change_that_lasts_is_not_learned_away_before_two_weeks() -> None:
    baseline = _learn(_baseline(), *(60.0 + i % 5 for i in range(60)))
    scores = []
    for _ in range(HOLD_COUNT):
        scores.append(_look(baseline, 85.0).score)
        _learn(baseline, 85.0)
    assert min(scores) > 0.999
    assert _look(baseline, 85.0).score < 0.5


def test_a_run_of_far_values_broken_by_a_usual_one_starts_again() -> None:
    baseline = _learn(_baseline(), *(60.0 + i % 5 for i in range(60)))
    for _ in range(5):
        _learn(baseline, *[85.0] * (HOLD_COUNT - 1), 62.0)
    assert _look(baseline, 62.0).score < 0.5


def test_hours_of_the_day_differ_once_they_are_known() -> None:
    baseline = _baseline(floor=1.0)
    for day in range(30):
        for hour, bpm in ((3, 55.0), (9, 65.0), (15, 75.0)):
            baseline.learn_one({"f": bpm + day % 2, HOUR: hour, DAY: day})
    assert _look(baseline, 75.0, **{HOUR: 15.0}).score < 0.6
    assert _look(baseline, 75.0, **{HOUR: 3.0}).score > 0.99
    assert _look(baseline, 65.0, **{HOUR: 20.0}).score < 0.6
    assert _look(baseline, 75.0, **{HOUR: 15.0}).days == 30


def test_relearning_forgets_the_centre_keeps_the_scale_and_says_so() -> None:
    baseline = _learn(_baseline(prior=PRIOR), *(60.0 + 3.0 * (i % 3) for i in range(60)))
    before = _look(baseline, 60.0)
    baseline.relearn(frozenset({"other"}))
    assert _look(baseline, 60.0) == before
    baseline.relearn()
    assert _look(baseline, 60.0).days == 0
    _learn(baseline, *[80.0] * 14)
    after = _look(baseline, 80.0)
    assert after.is_relearned
    assert after.median == pytest.approx(80.0, abs=1.0)
    assert after.high - after.low > (before.high - before.low) / 2
    assert not _look(_learn(baseline, *[80.0] * 14), 80.0).is_relearned


def test_memory_is_bounded_by_the_number_of_features() -> None:
    baseline = Baseline()
    for i in range(1_000):
        baseline.learn_one({f"self_made_{i}_score": 1.0})
    assert len(baseline.known_days()) == 64
