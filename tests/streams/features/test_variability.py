"""Goal: RMSSD is the Task Force's (1996), and vendors' figures keep their names. Method: random
beats with gaps against plain Python over the raw intervals; the least amount."""

import math
import random
import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events import HeartRateVariability, InterBeatInterval, SleepEpisode
from streams.evidence import Evidence
from streams.features.base import Values
from tests.streams.features.worlds import DATE, MIDNIGHT_S, add, day, night

NAMES = ("rmssd_ms", "sdnn_ms")

Beats = list[tuple[float, int]]
"""Seconds after midnight, and the interval that ends there (ms)."""


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


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_rmssd_is_of_differences_within_the_main_sleep_that_bridge_no_gap(seed: int) -> None:
    chance = random.Random(seed)
    found: Beats = []
    runs: list[Beats] = [[]]
    time = 0.0
    while time < 3_000.0:
        if chance.random() < 0.02:
            time += chance.randint(10, 200)
            runs.append([])
        interval = chance.randint(600, 1_200)
        time += interval / 1_000.0
        runs[-1].append((time, interval))
        found.append((time, interval))
    squares = [
        (after - before) ** 2
        for run in runs
        for (_, before), (at, after) in pairwise(run)
        if 600.0 <= at < 2_400.0
    ]
    evidence = evidence_of_beats(found)
    add(evidence, SleepEpisode(time=MIDNIGHT_S + 600.0, duration=1_800.0))
    values = variability(night(evidence))
    assert values == pytest.approx({"rmssd_ms": math.sqrt(statistics.fmean(squares))})


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
