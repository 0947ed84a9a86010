"""Goal: sentences that a nurse understands at once; method: values by hand, all features."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from detectors import wording
from detectors.features import SPECS, FeatureSpec, instrument_name, spec_of
from streams.events import Direction, Evidence, Reason, WindowKind

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


SINCE = dt.date(2026, 2, 10)


def _shift(feature: str, window: WindowKind, values: Sequence[float], **told: Any) -> Reason:
    """A reason of days from `SINCE` on, of which ``carries`` (all) are spoken of."""
    carries = told.pop("carries", [True] * len(values))
    kept = [value for value, is_kept in zip(values, carries, strict=True) if is_kept]
    return Reason(
        feature=feature,
        window=window,
        direction=told.pop("direction", Direction.UP),
        value=sum(kept) / len(kept),
        unit="",
        evidence=[
            Evidence(local_date=SINCE + dt.timedelta(days=i), value=value, carries=carries[i])
            for i, value in enumerate(values)
        ],
        **told,
    )


def _told(*reasons: Reason, days: int, window: WindowKind = WindowKind.DAY) -> str:
    text = wording.shift(reasons, SINCE, (SINCE + dt.timedelta(days=days - 1), window))
    return text.removeprefix("Since Tue 10 Feb: ")


STEPS = {"usual_low": 3_668.0, "usual_median": 7_826.0, "usual_high": 13_540.0, "expected": 8e3}
PULSE = {"usual_low": 60.0, "usual_median": 63.0, "usual_high": 66.0, "expected": 61.0}
ONSET = {"usual_low": -60.0, "usual_median": -30.0, "usual_high": 0.0, "expected": -30.0}


def test_a_shift_tells_the_days_that_carry_it_and_a_last_day_that_does_not() -> None:
    walked = [16_341.0, 20_627.0, 18_757.0]
    carries = [True, True, True, False]
    steps = _shift("step_count", WindowKind.DAY, [*walked, 2_784.0], carries=carries, **STEPS)
    assert _told(steps, days=4) == (
        "walked 18,580 steps on average on 3 of 4 days, usually 3,670 to 13,540 steps, "
        "but 2,780 steps on Fri 13 Feb."
    )
    steps = _shift("step_count", WindowKind.DAY, [*walked, 7_000.0], carries=carries, **STEPS)
    assert _told(steps, days=4).endswith(", but back at 7,000 steps on Fri 13 Feb.")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([70.0, 68.0], "69 bpm [2], usually 60 to 66 bpm."),
        ([69.0, 65.0, 63.4], "66 bpm [3], up to 69 bpm, usually 60 to 66 bpm."),
        ([66.4, 66.3], "66 bpm [2], at the upper end of the usual 60 to 66 bpm."),
        ([65.0, 65.0], "65 bpm [2], within the usual 60 to 66 bpm but above its middle of 63 bpm."),
        ([63.2, 63.3], "63 bpm [2], within the usual 60 to 66 bpm."),
        (
            [62.4, 61.6],
            "62 bpm [2], where the days before let expect 61 bpm, usually 60 to 66 bpm.",
        ),
    ],
)
def test_what_a_shift_says_of_the_usual_is_true_as_written(values: list[float], told: str) -> None:
    reason = _shift("heart_rate_resting_bpm", WindowKind.DAY, values, **PULSE)
    told = told.replace("[2]", "on average on both days").replace("[3]", "on average on all 3 days")
    assert _told(reason, days=len(values)) == f"resting heart rate {told}"


def test_a_clock_is_late_or_early_and_falls_lie_below() -> None:
    onset = _shift("sleep_onset_min", WindowKind.NIGHT, [40.0, -25.0], **ONSET)
    assert _told(onset, days=2).startswith(
        "fell asleep at 0:08 on average on both nights, usually 23:00 to 0:00."
    )
    early = _shift(
        "sleep_onset_min", WindowKind.NIGHT, [-62.0, -42.0], direction=Direction.DOWN, **ONSET
    )
    assert "at 23:08 on average on both nights, as early as 22:58, usually" in _told(early, days=2)


@pytest.mark.parametrize(
    ("days", "row", "told"),
    [
        (2, WindowKind.DAY, "both days, "),
        (3, WindowKind.DAY, "both days with data, "),
        (3, WindowKind.NIGHT, "both days, "),
    ],
)
def test_days_without_data_are_not_counted_in_silence(
    days: int, row: WindowKind, told: str
) -> None:
    reason = _shift("heart_rate_resting_bpm", WindowKind.DAY, [70.0, 70.0], **PULSE)
    assert f"on average on {told}" in _told(reason, days=days, window=row)


def test_a_single_day_of_several_has_its_date() -> None:
    reason = _shift("heart_rate_resting_bpm", WindowKind.DAY, [70.0], **PULSE)
    assert _told(reason, days=1).startswith("resting heart rate 70 bpm, usually")
    assert _told(reason, days=2).startswith("resting heart rate 70 bpm on Tue 10 Feb, usually")


def test_a_slow_change_tells_from_where_it_moved_and_where_to() -> None:
    pulse = _shift("heart_rate_resting_bpm", WindowKind.DAY, [67.0, 68.0, 69.0], **PULSE)
    onset = _shift("sleep_onset_min", WindowKind.NIGHT, [20.0], **ONSET)
    later = dt.date(2026, 1, 20)
    changes = [wording.Slow(pulse, dt.date(2026, 1, 12), True), wording.Slow(onset, later, True)]
    assert wording.slow(changes) == (
        "Slow change since about Mon 12 Jan: resting heart rate up from the usual 63 bpm (60 to 66 "
        "bpm) to 68 bpm on average on the last 3 days; time of falling asleep later from the usual "
        "23:30 (23:00 to 0:00) to 0:20 on Tue 10 Feb, since about Tue 20 Jan."
    )


def test_a_slow_change_of_which_the_way_is_not_known_tells_none() -> None:
    carries = [True, False, True]
    pulse = _shift(
        "heart_rate_resting_bpm", WindowKind.DAY, [65.0, 61.0, 66.9], carries=carries, **PULSE
    )
    assert wording.slow([wording.Slow(pulse, SINCE, False)]) == (
        "Slow change since about Tue 10 Feb: resting heart rate 66 bpm on average on 2 of the last "
        "3 days, up to 67 bpm, usually 60 to 66 bpm."
    )
    gap = msgspec.structs.replace(pulse, evidence=[pulse.evidence[0], pulse.evidence[2]])
    told = wording.slow([wording.Slow(gap, SINCE, True)])
    assert told.endswith(" on average on the last 2 days with data.")


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.window is not WindowKind.HOUR])
def test_every_feature_of_nights_and_days_has_plain_words_for_a_shift(spec: FeatureSpec) -> None:
    usual = {"usual_low": 50.0, "usual_median": 52.0, "usual_high": 60.0}
    text = wording.shift(
        [_shift(spec.feature, spec.window, [55.0, 56.0], **usual)],
        SINCE,
        (SINCE + dt.timedelta(days=1), WindowKind.DAY),
    )
    assert not FORBIDDEN.search(text)
    assert "_" not in text
    assert "on average on both" in text
    assert len(text) < 190


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
    text = wording.shift(reasons, SINCE, (SINCE, WindowKind.DAY))
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
