"""Goal: models say what is unusual for one subject; method: made-up rows, learned and scored."""

import json
from statistics import NormalDist
from typing import Any

import msgspec
import pytest

from detectors.baseline import Baseline
from detectors.cohort import Cohort, load_cohort
from detectors.config import Concern, DetectionConfig
from detectors.level_shift import LevelShift
from detectors.models import FLOOR_Z, SubjectModels
from detectors.terms import FALLBACK_THRESHOLD
from streams.events import Anomaly, AnomalyState, FeatureRow, WindowKind
from tests.detectors.rows import CONFIG, night, ordinary_nights, row

COHORT = load_cohort()


def _taught(rows: list[FeatureRow], config: DetectionConfig = CONFIG) -> SubjectModels:
    models = SubjectModels(config, COHORT)
    for one in rows:
        models.learn(one)
    return models


def _of_features(anomalies: list[Anomaly]) -> list[Anomaly]:
    return [anomaly for anomaly in anomalies if anomaly.detector == Baseline.name]


def _states(anomalies: list[Anomaly]) -> dict[str | None, AnomalyState]:
    return {anomaly.feature: anomaly.state for anomaly in _of_features(anomalies)}


def _of_days(anomalies: list[Anomaly]) -> Anomaly:
    """What is said of the last days as a whole."""
    (found,) = [anomaly for anomaly in anomalies if anomaly.detector == LevelShift.name]
    assert found.feature is None
    return found


def test_a_feature_learns_until_fourteen_valid_days_of_its_own() -> None:
    nights = ordinary_nights(20)
    late = [
        night(i, **{**one.values, **({"rmssd_ms": 40.0} if i > 10 else {})})
        for i, one in enumerate(nights)
    ]
    models = _taught(late[:13])
    assert set(_states(models.score(late[13])).values()) == {AnomalyState.LEARNING}
    models.learn(late[13])
    states = _states(models.score(late[14]))
    assert states.pop("rmssd_ms") is AnomalyState.LEARNING
    assert set(states.values()) == {AnomalyState.NORMAL}


def test_an_unusual_night_is_anomalous_and_explained() -> None:
    models = _taught(ordinary_nights(30))
    scores = models.score(night(30, sleep_duration_min=180.0, sleep_onset_min=-30.0))
    assert _states(scores) == {
        "sleep_duration_min": AnomalyState.ANOMALOUS,
        "sleep_onset_min": AnomalyState.NORMAL,
    }
    reason = scores.reason("sleep_duration_min")
    assert (reason.direction.value, reason.value, reason.unit) == ("down", 180.0, "min")
    assert reason.days_of_baseline == 30
    assert reason.usual_low is not None
    assert reason.usual_high is not None
    assert 380.0 < reason.usual_low < 430.0
    assert 450.0 < reason.usual_high < 500.0
    assert scores.absent == ("heart_rate_sleeping_bpm",)


def test_scoring_changes_nothing_and_follows_the_order_of_feature_names() -> None:
    models = _taught(ordinary_nights(30))
    before = models.to_state()
    values = {"sleep_onset_min": 0.0, "heart_rate_sleeping_bpm": 70.0, "sleep_duration_min": 1.0}
    first, second = models.score(night(31, **values)), models.score(night(31, **values))
    assert first == second
    assert [a.feature for a in _of_features(first)] == sorted(values)
    assert models.to_state() == before


def test_unknown_features_minutes_and_yielding_features_get_no_score() -> None:
    models = SubjectModels(CONFIG, COHORT)
    assert models.score(night(0, sleep_midpoint_min=200.0, invented=1.0)) == []
    assert models.score(row(WindowKind.MINUTE, 0, {"heart_rate_mean_bpm": 99.0})) == []
    both = night(0, heart_rate_resting_bpm=60.0, heart_rate_sleeping_bpm=58.0)
    assert [a.feature for a in _of_features(models.score(both))] == ["heart_rate_sleeping_bpm"]
    alone = models.score(night(0, heart_rate_resting_bpm=60.0))
    assert [a.feature for a in _of_features(alone)] == ["heart_rate_resting_bpm"]


def test_a_site_overrides_the_side_of_concern_and_the_threshold() -> None:
    config = DetectionConfig(
        threshold=0.5,
        concerns={"sleep_duration_min": Concern.UP, "sleep_onset_min": Concern.NONE},
    )
    models = _taught(ordinary_nights(30), config)
    scores = models.score(night(31, sleep_duration_min=100.0, sleep_onset_min=200.0))
    (found,) = _of_features(scores)
    assert (found.feature, found.score, found.threshold) == ("sleep_duration_min", 0.0, 0.5)
    assert scores.shift is not None
    other_sides = {"night.sleep_duration_min", "night.sleep_onset_min"}
    assert other_sides.isdisjoint(part.feature for part in scores.shift.parts)
    # A shift has a floor of its own, whatever a site sets.
    assert _of_days(scores).threshold == pytest.approx(NormalDist().cdf(FLOOR_Z))


def test_a_cohort_without_a_threshold_for_a_window_leaves_three_deviations() -> None:
    cohort = msgspec.structs.replace(COHORT, thresholds={})
    scores = SubjectModels(CONFIG, cohort).score(night(0, sleep_duration_min=440.0))
    (anomaly,) = _of_features(scores)
    assert anomaly.threshold == FALLBACK_THRESHOLD


def test_hours_are_compared_with_the_same_local_hour() -> None:
    models = SubjectModels(CONFIG, COHORT)
    for i in range(24 * 30):
        bpm = 55.0 if (i + 9) % 24 < 8 else 75.0
        hour = row(WindowKind.HOUR, i, {"heart_rate_resting_bpm": bpm + i % 3})
        # Nine hours east of UTC, local night is from 15 to 23 UTC.
        hour = msgspec.structs.replace(hour, utc_offset=9 * 3_600)
        models.learn(hour)
    at = {}
    for utc_hour in (3, 18):
        hour = row(WindowKind.HOUR, 24 * 30 + utc_hour, {"heart_rate_resting_bpm": 78.0})
        at[utc_hour] = models.score(msgspec.structs.replace(hour, utc_offset=9 * 3_600))[0]
    assert at[3].state is AnomalyState.NORMAL
    assert at[18].state is AnomalyState.ANOMALOUS


def test_relearning_is_learning_again_and_named() -> None:
    models = _taught(ordinary_nights(30))
    models.relearn()
    assert set(_states(models.score(ordinary_nights(1)[0])).values()) == {AnomalyState.LEARNING}
    for one in ordinary_nights(14, first=40):
        models.learn(one)
    scores = models.score(ordinary_nights(1, first=60)[0])
    assert set(_states(scores).values()) == {AnomalyState.NORMAL}
    assert scores.relearned == tuple(sorted(scores.usual))


@pytest.mark.parametrize("through", [msgspec.json, msgspec.msgpack])
def test_state_keeps_later_scores_identical(through: Any) -> None:
    models = _taught(ordinary_nights(40))
    state = through.decode(through.encode(models.to_state()))
    twin = SubjectModels.from_state(state, CONFIG, COHORT)
    for one in ordinary_nights(40, first=50):
        assert models.score(one) == twin.score(one)
        models.learn(one)
        twin.learn(one)
    assert json.dumps(models.to_state()) == json.dumps(twin.to_state())


def test_a_state_of_an_unknown_version_is_refused() -> None:
    state = {**SubjectModels(CONFIG, COHORT).to_state(), "version": 99}
    with pytest.raises(ValueError, match="version 99"):
        SubjectModels.from_state(state, CONFIG, COHORT)


def test_a_state_of_the_version_before_keeps_what_is_usual_and_learns_shifts_anew() -> None:
    """Version 1 had the baselines alone."""
    models = _taught(ordinary_nights(40))
    windows = models.to_state()["windows"]
    taken_over = SubjectModels.from_state({"version": 1, "windows": windows}, CONFIG, COHORT)
    odd = night(40, sleep_duration_min=330.0)
    before, after = models.score(odd), taken_over.score(odd)
    assert _of_features(after) == _of_features(before)
    assert after.usual == before.usual
    assert _of_days(before).state is AnomalyState.NORMAL
    assert (_of_days(after).state, after.shift) == (AnomalyState.LEARNING, None)
    for one in ordinary_nights(14, first=41):
        taken_over.learn(one)
    assert _of_days(taken_over.score(night(55, sleep_duration_min=440.0))).state is not (
        AnomalyState.LEARNING
    )
    assert taken_over.to_state()["version"] == 2


def test_two_nights_off_are_a_shift_told_with_its_days() -> None:
    models = _taught(ordinary_nights(40))
    models.learn(night(40, sleep_duration_min=340.0))
    scores = models.score(night(41, sleep_duration_min=335.0))
    told = _of_days(scores)
    assert (told.state, scores.is_shifted) == (AnomalyState.ANOMALOUS, True)
    assert scores.shift is not None
    assert told.score == pytest.approx(NormalDist().cdf(scores.shift.z))
    (reason,) = scores.evidence()
    assert (reason.feature, reason.window) == ("sleep_duration_min", WindowKind.NIGHT)
    assert [evidence.value for evidence in reason.evidence] == [340.0, 335.0]


def test_the_threshold_of_a_person_is_the_cohorts_and_their_own_offset_above_a_floor() -> None:
    models, one = _taught(ordinary_nights(20)), night(20, sleep_duration_min=400.0)
    at = [_of_days(models.score(one, offset)).threshold for offset in (0.0, 0.5, -50.0)]
    z = COHORT.threshold_z("level_shift", CONFIG.budget_per_month)
    expected = [NormalDist().cdf(threshold) for threshold in (z, z + 0.5, FLOOR_Z)]
    assert at == pytest.approx(expected)


def test_what_a_twin_observes_is_scored_after_it_as_if_it_had_settled_and_leaves_no_trace() -> None:
    models = _taught(ordinary_nights(40))
    before = models.to_state()
    first = night(40, sleep_duration_min=330.0, sleep_onset_min=60.0)
    second = night(41, sleep_duration_min=335.0, sleep_onset_min=55.0)
    ahead = models.ahead()
    ahead.observe(first)
    seen = ahead.score(second)
    assert models.to_state() == before
    assert seen.is_shifted
    assert not models.score(second).is_shifted
    models.learn(first)
    assert seen.is_shifted == models.score(second).is_shifted


def test_a_cohort_that_is_none_is_refused_with_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="priors"):
        load_cohort(b'{"version": "1", "source": "x", "thresholds": {}}')
    assert isinstance(load_cohort(msgspec.json.encode(COHORT)), Cohort)
