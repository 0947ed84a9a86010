"""Goal: the published sum against four weeks; method: NumPy over the full array, on real data."""

from pathlib import Path

import numpy as np
import pytest

from detectors.resting_heart_rate_difference import RestingHeartRateDifference
from tests.detectors.lifesnaps import resting_heart_rates

NAME = "heart_rate_resting_bpm"


def _sums(values: list[float]) -> list[float]:
    """The cumulative sum after each value, by hand."""
    baseline, total, sums = values[:28], 0.0, [0.0] * min(28, len(values))
    for value in values[28:]:
        mean, sd = np.mean(baseline), np.std(baseline, ddof=1)
        z = np.clip((np.array([*baseline, value]) - mean) / sd, -4.0, 4.0)
        total = max(0.0, total + z[-1] - np.quantile(z[:-1], 0.9) / 2.0)
        sums.append(total)
        if total <= 4.0:
            baseline = [*baseline[1:], value]
    return sums


def test_scores_are_those_of_the_rule_on_real_heart_rates(shared_data: Path) -> None:
    assert shared_data.is_dir()
    alarms = 0
    for days in list(resting_heart_rates())[:20]:
        values = [bpm for _, bpm in days]
        rule = RestingHeartRateDifference(NAME)
        scores = []
        for value in values:
            scores.append(rule.score_one({NAME: value}))
            rule.learn_one({NAME: value})
        assert scores == pytest.approx([w / (w + 4.0) for w in _sums(values)], abs=1e-6)
        alarms += sum(score > 0.5 for score in scores)
    assert alarms > 0


def test_only_elevation_counts_and_days_in_alarm_stay_out_of_the_baseline() -> None:
    rule = RestingHeartRateDifference()
    for i in range(28):
        rule.learn_one({NAME: 60.0 + i % 3})
    assert rule.score_one({NAME: 40.0}) == 0.0
    for _ in range(60):
        rule.learn_one({NAME: 70.0})
    assert rule.score_one({NAME: 70.0}) > 0.9


def test_a_baseline_that_never_varied_finds_a_change() -> None:
    rule = RestingHeartRateDifference()
    for _ in range(28):
        rule.learn_one({NAME: 60.0})
    assert rule.score_one({NAME: 60.0}) == 0.0
    assert rule.score_one({NAME: 61.0}) == 0.5
