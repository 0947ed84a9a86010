"""Goal: RMSSD and the SDNN index are those of the Task Force (1996). Method: random beats with gaps
against Python's own statistics over the raw intervals; the least amounts; vendors' figures."""

import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events import HeartRateVariability, InterBeatInterval, SleepEpisode
from streams.evidence import Evidence
from streams.features.base import Values
from tests.streams.features.worlds import DATE, MIDNIGHT_S, add, day, night

NAMES = ("rmssd_ms", "sdnn_ms", "sdnn_index_ms")

Beats = list[tuple[float, int]]
"""Seconds after midnight, and the interval that ends there (ms)."""


def beats(chance: random.Random, stop_s: float, gap_share: float) -> Beats:
    """Beats one after the other, with some stretches left out."""
    found: Beats = []
    time, level = 0.5, 900.0
    while time < stop_s:
        if chance.random() < gap_share:
            time += chance.uniform(2.0, 400.0)
        level = min(max(level + chance.gauss(0, 10), 600.0), 1_400.0)
        interval = round(level + chance.gauss(0, 40))
        time += interval / 1_000.0
        found.append((time, interval))
    return found


def evidence_of_beats(found: Beats) -> Evidence:
    evidence = Evidence()
    records = [
        InterBeatInterval(time=MIDNIGHT_S + time, inter_beat_interval=interval / 1_000.0)
        for time, interval in found
    ]
    for place in range(0, len(records), 5_000):
        add(evidence, *records[place : place + 5_000])
    return evidence


def variability(values: Values) -> Values:
    return {name: values[name] for name in NAMES if name in values}


def sdnn_index(found: Beats, first_s: float, stop_s: float) -> float | None:
    segments: dict[int, list[int]] = {}
    for time, interval in found:
        segments.setdefault(int(time // 300), []).append(interval)
    deviations = [
        statistics.stdev(intervals)
        for segment, intervals in segments.items()
        if first_s <= segment * 300 and (segment + 1) * 300 <= stop_s and sum(intervals) >= 150_000
    ]
    return statistics.fmean(deviations) if len(deviations) >= 12 else None


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_sdnn_index_is_the_mean_of_the_segments_deviations(seed: int) -> None:
    chance = random.Random(seed)
    found = beats(chance, chance.choice([2_000.0, 5_000.0, 9_000.0]), chance.choice([0, 0.01]))
    evidence = evidence_of_beats(found)
    first_s, stop_s = 0.0, 7 * 3_600.0
    if chance.random() < 0.5:
        first_s, stop_s = chance.randint(0, 60) * 60.0, chance.randint(70, 200) * 60.0
        add(evidence, SleepEpisode(time=MIDNIGHT_S + first_s, duration=stop_s - first_s))
    expected = sdnn_index(found, first_s, stop_s)
    index = night(evidence).get("sdnn_index_ms")
    assert index == (None if expected is None else pytest.approx(expected, rel=1e-12))


@pytest.mark.parametrize(
    ("segments", "covered", "is_told"), [(12, 150, True), (12, 149, False), (11, 150, False)]
)
def test_the_sdnn_index_needs_an_hour_of_segments_told_by_half(
    segments: int, covered: int, *, is_told: bool
) -> None:
    found = [
        (segment * 300.0 + beat + 1, 1_000)
        for segment in range(segments)
        for beat in range(covered)
    ]
    assert ("sdnn_index_ms" in night(evidence_of_beats(found))) == is_told


@pytest.mark.parametrize(("differences", "rmssd_ms"), [(100, 20.0), (99, 42.0)])
def test_beats_go_before_a_vendor_s_rmssd_where_there_are_enough(
    differences: int, rmssd_ms: float
) -> None:
    found = [(beat + 1.0, 990 if beat % 2 else 1_010) for beat in range(differences + 1)]
    evidence = evidence_of_beats(found)
    for minutes, rmssd in ((5, 40.0), (10, 44.0)):
        record = HeartRateVariability(
            time=MIDNIGHT_S + minutes * 60, duration=300.0, rmssd=rmssd, sdnn=rmssd + 10
        )
        add(evidence, record)
    assert variability(night(evidence)) == {"rmssd_ms": rmssd_ms, "sdnn_ms": 52.0}


def test_a_vendor_s_dated_figures_are_those_of_the_day() -> None:
    evidence = Evidence()
    add(evidence, HeartRateVariability(date=DATE, rmssd=40.0))
    assert variability(day(evidence)) == {"rmssd_ms": 40.0}
    assert variability(night(evidence)) == {}
