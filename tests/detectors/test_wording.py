"""Goal: sentences that a nurse understands at once; method: values by hand, all features."""

import datetime as dt
import re

import msgspec
import pytest

from detectors import wording
from detectors.features import SPECS, FeatureSpec, instrument_name, spec_of
from streams.events import Direction, Reason, WindowKind

FORBIDDEN = re.compile(
    r"\b(well|normal|healthy|fine|recovered|z-score|sigma|anomal\w*|nan)\b", re.IGNORECASE
)


def _reason(feature: str, value: float, low: float, high: float) -> Reason:
    return Reason(
        feature=feature,
        direction=Direction.UP,
        value=value,
        unit="",
        usual_low=low,
        usual_high=high,
    )


def test_the_example_of_the_design_reads_as_written() -> None:
    reasons = [
        _reason("sleep_duration_min", 250.0, 390.0, 480.0),
        _reason("heart_rate_resting_bpm", 71.2, 59.8, 66.4),
    ]
    assert wording.change(WindowKind.NIGHT, reasons, (2, 3)) == (
        "Slept 4 h 10 min, usually 6 h 30 min to 8 h (2 of the last 3 nights); "
        "resting heart rate at night 71 bpm, usually 60 to 66 bpm."
    )


def test_a_shift_says_since_when_and_of_a_value_within_the_usual_what_it_was_before() -> None:
    far = msgspec.structs.replace(
        _reason("sleep_duration_min", 250.0, 390.0, 480.0), window=WindowKind.NIGHT, expected=440.0
    )
    within = msgspec.structs.replace(
        _reason("heart_rate_resting_bpm", 66.0, 60.0, 66.4), window=WindowKind.DAY, expected=61.2
    )
    assert wording.shift([far, within], dt.date(2026, 2, 10)) == (
        "Since Tue 10 Feb: slept 4 h 10 min, usually 6 h 30 min to 8 h; "
        "resting heart rate 66 bpm, usually 60 to 66 bpm, and about 61 bpm in the days before."
    )


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.window is not WindowKind.HOUR])
def test_every_feature_of_nights_and_days_has_plain_words_for_a_shift(spec: FeatureSpec) -> None:
    reason = msgspec.structs.replace(
        _reason(spec.feature, 55.0, 50.0, 60.0), window=spec.window, expected=52.0
    )
    text = wording.shift([reason], dt.date(2026, 2, 10))
    assert not FORBIDDEN.search(text)
    assert "_" not in text
    assert text.endswith("in the days before.")
    assert len(text) < 170


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.window}-{spec.feature}")
def test_every_scored_feature_has_plain_words(spec: FeatureSpec) -> None:
    text = wording.change(spec.window, [_reason(spec.feature, 41.0, 50.0, 60.0)], (5, 6))
    assert not FORBIDDEN.search(text)
    assert "_" not in text
    assert text.endswith(").")
    assert len(text) < 140


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(-20.0, "23:40"), (0.0, "0:00"), (-0.4, "0:00"), (160.6, "2:41"), (1439.6, "0:00")],
)
def test_clock_times_are_relative_to_midnight(minutes: float, text: str) -> None:
    assert wording.clock(minutes) == text


@pytest.mark.parametrize(
    ("minutes", "text"), [(0.0, "0 min"), (59.6, "1 h"), (250.0, "4 h 10 min"), (-3.0, "0 min")]
)
def test_lengths_of_time_are_in_hours_and_minutes(minutes: float, text: str) -> None:
    assert wording.duration(minutes) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [(52.0, "2 days 4 hours"), (24.0, "1 day"), (12.0, "12 hours"), (1.2, "1 hour")],
)
def test_silence_is_told_in_days_and_hours(hours: float, text: str) -> None:
    assert wording.span(hours) == text


def test_silence_reads_as_in_the_design() -> None:
    assert wording.silence(52.0, 12.0) == (
        "No data of any kind for 2 days 4 hours; usually something arrives at least every 12 hours."
    )


def test_numbers_carry_their_unit_once_and_one_is_singular() -> None:
    def told(window: WindowKind, feature: str, value: float) -> str:
        return wording.change(window, [_reason(feature, value, 3.0, 3.2)], (1, 1))

    assert told(WindowKind.NIGHT, "awakening_count", 1.0) == (
        "Awake in the night once, usually 3 times."
    )
    assert told(WindowKind.DAY, "step_count", 12_344.0) == "Walked 12,340 steps, usually 3 steps."


def test_many_reasons_are_counted_not_listed() -> None:
    features = [
        "sleep_duration_min",
        "sleep_onset_min",
        "sleep_offset_min",
        "screen_min",
        "rmssd_ms",
    ]
    reasons = [_reason(feature, 100.0, 20.0, 40.0) for feature in features]
    text = wording.change(WindowKind.NIGHT, reasons, (2, 3))
    assert text.endswith("; and 2 more.")
    text = wording.shift(reasons, dt.date(2026, 2, 10))
    assert text.startswith("Since Tue 10 Feb: ")
    assert text.endswith("; and 2 more.")


def test_instruments_are_named_as_people_write_them() -> None:
    assert [instrument_name(slug) for slug in ("phq_9", "vas_mood", "who")] == [
        "PHQ-9",
        "VAS mood",
        "WHO",
    ]
    spec = spec_of(WindowKind.DAY, "phq_9_score")
    assert spec is not None
    assert spec.name == "PHQ-9 score"
    assert spec_of(WindowKind.NIGHT, "phq_9_score") is None


def test_what_is_missing_is_said_with_the_three_allowed_ways() -> None:
    assert wording.absent(WindowKind.NIGHT, "rmssd_ms") == (
        "heart rate variability asleep: not enough data"
    )
    assert wording.learning(WindowKind.DAY, "step_count", 6, 14) == "steps: learning, 6 of 14 days"
