"""Goal: RMSSD and SDNN are the Task Force's (1996), and vendors' figures keep their names. Method:
random beats with gaps against plain Python over the raw intervals; the least amount."""

import math
import random
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.events import HeartRateVariability, InterBeatInterval, SleepEpisode
from streams.evidence import Evidence
from streams.features.base import Values
from tests.streams.features.worlds import DATE, MIDNIGHT_S, add, day, night

NAMES = ("rmssd_ms", "sdnn_ms")

Beats = list[tuple[float, int]]
"""Seconds after midnight, and the interval that ends there (ms)."""


def evidence_of_beats(runs: list[Beats]) -> Evidence:
    """Each run is an envelope of its own: over its edges no beat follows another."""
    evidence = Evidence()
    for run in runs:
        add(
            evidence,
            *(
                InterBeatInterval(time=MIDNIGHT_S + time, inter_beat_interval=interval / 1_000.0)
                for time, interval in run
            ),
        )
    return evidence


def variability(values: Values) -> Values:
    return {name: values[name] for name in NAMES if name in values}


def runs_of_beats(seed: int, until_s: float) -> list[Beats]:
    """Beats from midnight on, a run ending at each gap."""
    chance = random.Random(seed)
    runs: list[Beats] = [[]]
    time = 0.0
    while time < until_s:
        if chance.random() < 0.02:
            time += chance.randint(10, 200)
            if runs[-1]:
                runs.append([])
        interval = chance.choice([chance.randint(750, 900), chance.randint(600, 1_200)])
        time += interval / 1_000.0
        runs[-1].append((time, interval))
    return runs


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), start_min=st.integers(0, 60), length_min=st.integers(59, 180)
)
@example(seed=54_204, start_min=0, length_min=59)  # with a gap before the first beat
def test_rmssd_and_sdnn_are_of_normal_beats_in_the_main_sleep_and_bridge_no_gap(
    seed: int, start_min: int, length_min: int
) -> None:
    runs = runs_of_beats(seed, 15_000.0)
    start_s, stop_s = start_min * 60.0, (start_min + length_min) * 60.0
    normal = [
        (at, before, after)
        for run in runs
        for (_, before), (at, after) in pairwise(run)
        if abs(after - before) <= before / 5
    ]
    squares = [(after - before) ** 2 for at, before, after in normal if start_s <= at < stop_s]
    whole_hours = -(-start_min // 60), (start_min + length_min) // 60
    beats = [*((at, after) for at, _, after in normal), *(run[0] for run in runs)]
    intervals = [interval for at, interval in beats if int(at // 3_600) in range(*whole_hours)]
    evidence = evidence_of_beats(runs)
    add(evidence, SleepEpisode(time=MIDNIGHT_S + start_s, duration=stop_s - start_s))
    expected = {"rmssd_ms": math.sqrt(statistics.fmean(squares))}
    if intervals:
        expected["sdnn_ms"] = float(np.std(intervals, ddof=1))
    assert variability(night(evidence)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        (101, {"rmssd_ms": 20.0, "sdnn_ms": 20.0 * math.sqrt(51 * 50 / (101 * 100))}),
        (100, {"rmssd_ms": 42.0, "sdnn_ms": 20.0 * math.sqrt(50 * 50 / (100 * 99))}),
        (99, {"rmssd_ms": 42.0, "sdnn_ms": 52.0}),
    ],
)
def test_beats_go_before_a_vendor_s_figures_where_there_are_enough(
    beats: int, expected: Values
) -> None:
    found = [(beat + 1.0, 990 if beat % 2 else 1_010) for beat in range(beats)]
    evidence = evidence_of_beats([found])
    for minutes, rmssd in ((5, 40.0), (10, 44.0)):
        record = HeartRateVariability(
            time=MIDNIGHT_S + minutes * 60, duration=300.0, rmssd=rmssd, sdnn=rmssd + 10
        )
        add(evidence, record)
    assert variability(night(evidence)) == pytest.approx(expected, rel=1e-9)


def test_of_several_vendors_the_figures_of_the_first_count_that_lie_in_the_small_hours() -> None:
    evidence = Evidence()
    for minute, rmssd in ((-1, 90.0), (0, 40.0), (419, 50.0), (420, 90.0)):
        time = MIDNIGHT_S + minute * 60.0
        add(evidence, HeartRateVariability(time=time, duration=60.0, rmssd=rmssd))
    other = HeartRateVariability(time=MIDNIGHT_S + 600.0, duration=60.0, rmssd=70.0, sdnn=80.0)
    add(evidence, other, source=(2, "ring"))
    assert variability(night(evidence)) == {"rmssd_ms": 45.0}


def test_a_vendor_s_dated_figures_are_those_of_the_day() -> None:
    evidence = Evidence()
    add(evidence, HeartRateVariability(date=DATE, rmssd=40.0, sdnn=55.0))
    assert variability(day(evidence)) == {"rmssd_ms": 40.0, "sdnn_ms": 55.0}
    assert variability(night(evidence)) == {}
