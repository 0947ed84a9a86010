"""Goal: cells merge without regard to order or repetition. Method: random samples of two sources in
several orders against a plain dictionary; packing in between; long intervals against minutes."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.cells import BEATS, COUNT, HEART, INTERVALS, SQUARES, STEPS, SUM
from streams.events import HeartRate, InterBeatInterval
from streams.grid import Grid

MINUTE = 28_333_020
WATCH, RING = (1, "watch"), (2, "ring")

Beats = tuple[tuple[int, str], list[InterBeatInterval]]


def samples(seed: int) -> list[tuple[tuple[int, str], list[HeartRate]]]:
    chance = random.Random(seed)
    return [
        (
            chance.choice([WATCH, RING]),
            [
                HeartRate(
                    time=(MINUTE + chance.randint(0, 90)) * 60.0 + chance.randint(0, 9) * 6,
                    heart_rate=chance.randint(400, 1_500) / 10,
                )
                for _ in range(20)
            ],
        )
        for _ in range(12)
    ]


def add(grid: Grid, source: tuple[int, str], records: list[HeartRate]) -> None:
    owner = grid.owner_of(source)
    assert owner is not None
    grid.add_heart_rate(records, owner)


def expected_means(envelopes: list[tuple[tuple[int, str], list[HeartRate]]]) -> dict[int, float]:
    first: dict[tuple[int, tuple[int, str]], dict[int, float]] = {}
    for source, records in envelopes:
        for record in records:
            seconds = first.setdefault((int(record.time // 60), source), {})
            seconds.setdefault(int(record.time), record.heart_rate)
    means = {}
    for minute, source in sorted(first, reverse=True):
        values = list(first[minute, source].values())
        means[minute] = sum(values) / len(values)
    return means


def means(grid: Grid) -> dict[int, float]:
    arrays = grid.reading().channel(MINUTE - 60, MINUTE + 120, HEART, (COUNT, SUM))
    assert arrays is not None
    count, total = arrays
    return {MINUTE - 60 + i: total[i] / count[i] / 10.0 for i in range(len(count)) if count[i]}


@pytest.mark.parametrize("seed", range(10))
def test_the_first_sample_of_a_second_counts_and_the_first_source_wins(seed: int) -> None:
    envelopes = samples(seed)
    grid = Grid()
    for place, (source, records) in enumerate(envelopes):
        add(grid, source, records)
        if place % 3 == 0:
            grid.pack(MINUTE // 60)
        add(grid, source, records)
    found, expected = means(grid), expected_means(envelopes)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[m], expected[m], abs_tol=1e-9) for m in expected)


@pytest.mark.parametrize("seed", range(10))
def test_sources_may_come_in_any_order(seed: int) -> None:
    envelopes = samples(seed)
    one, other = Grid(), Grid()
    for source, records in envelopes:
        add(one, source, records)
    for source, records in sorted(envelopes, key=lambda envelope: -envelope[0][0]):
        add(other, source, records)
    assert means(one) == means(other)


def test_differences_of_normal_beats_bridge_no_gap_and_count_once() -> None:
    grid = Grid()
    owner = grid.owner_of(WATCH)
    assert owner is not None
    start = MINUTE * 60.0
    times = [0.0, 0.8, 1.7, 10.0, 10.9, 11.5, 12.4]
    # The last but one came too soon, so that the last one differs from it by too much as well.
    intervals = [0.8, 0.8, 0.9, 0.8, 0.9, 0.6, 0.9]
    beats = [
        InterBeatInterval(time=start + time, inter_beat_interval=interval)
        for time, interval in zip(times, intervals, strict=True)
    ]
    grid.add_beats(beats, owner)
    grid.add_beats(beats, owner)
    reading = grid.reading()
    arrays = reading.channel(MINUTE, MINUTE + 1, BEATS, (COUNT, SUM))
    hours = reading.hours(MINUTE // 60, MINUTE // 60 + 1, INTERVALS, (COUNT, SUM))
    assert arrays is not None
    assert hours is not None
    assert (arrays[0][0], arrays[1][0]) == (3, 0 + 100**2 + 100**2)
    assert [int(values[0, 0]) for values in hours] == [5, 800 + 800 + 900 + 800 + 900]


def beats_of(source: tuple[int, str], minute: int, intervals_ms: list[int]) -> Beats:
    """One beat a second from the beginning of a minute."""
    times = [minute * 60.0 + place for place in range(len(intervals_ms))]
    return source, [
        InterBeatInterval(time=time, inter_beat_interval=interval_ms / 1_000.0)
        for time, interval_ms in zip(times, intervals_ms, strict=True)
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_intervals_of_an_hour_are_of_the_source_that_goes_first_in_any_order(
    order: tuple[int, ...],
) -> None:
    envelopes = [
        beats_of(RING, MINUTE, [700, 710, 720]),
        beats_of(WATCH, MINUTE + 5, [800, 810]),
        beats_of(RING, MINUTE + 9, [900]),
        beats_of(WATCH, MINUTE + 9, [1_000]),
    ]
    grid = Grid()
    for source, records in [envelopes[place] for place in order] * 2:
        owner = grid.owner_of(source)
        assert owner is not None
        grid.add_beats(records, owner)
        grid.pack(MINUTE // 60)
    arrays = grid.reading().hours(MINUTE // 60, MINUTE // 60 + 1, INTERVALS, (COUNT, SUM, SQUARES))
    assert arrays is not None
    assert [int(values[0, 0]) for values in arrays] == [3, 2_610, 800**2 + 810**2 + 1_000**2]


def test_more_beats_than_a_heart_can_have_count_no_further_and_nothing_overflows() -> None:
    grid = Grid()
    owner = grid.owner_of(WATCH)
    assert owner is not None
    for second in range(60):
        start = MINUTE * 60.0 + second
        grid.add_beats(
            [
                InterBeatInterval(
                    time=start + beat / 1e4, inter_beat_interval=0.9 + 0.1 * (beat % 2)
                )
                for beat in range(10_000)
            ],
            owner,
        )
    reading = grid.reading()
    arrays = reading.channel(MINUTE, MINUTE + 1, BEATS, (COUNT, SUM))
    hours = reading.hours(MINUTE // 60, MINUTE // 60 + 1, INTERVALS, (COUNT,))
    assert arrays is not None
    assert hours is not None
    assert (arrays[0][0], arrays[1][0], hours[0][0, 0]) == (300, 300 * 100**2, 360)


def test_steps_are_spread_over_their_interval_and_the_larger_figure_stays() -> None:
    grid = Grid()
    owner = grid.owner_of(WATCH)
    assert owner is not None
    grid.add_steps(MINUTE * 60.0 + 30, 120.0, 100, owner)
    grid.add_steps(MINUTE * 60.0, 60.0, 40, owner)
    grid.add_steps(MINUTE * 60.0, 60.0, 10, owner)
    arrays = grid.reading().channel(MINUTE, MINUTE + 4, STEPS, (0, 1))
    assert arrays is not None
    assert arrays[1].tolist() == [40, 50, 25, 0]
    assert (arrays[0] > 0).tolist() == [True, True, True, False]


def test_an_hour_past_its_lateness_keeps_its_values_without_its_masks() -> None:
    grid = Grid()
    add(grid, WATCH, [HeartRate(time=MINUTE * 60.0, heart_rate=61.5)])
    before = means(grid)
    grid.finish(MINUTE // 60)
    assert means(grid) == before
    grid.forget_before(MINUTE // 60 + 1)
    assert grid.reading().channel(MINUTE, MINUTE + 1, HEART, (COUNT,)) is None


_told_steps = st.tuples(
    st.sampled_from([WATCH, RING]),
    st.one_of(st.integers(0, 6_000), st.floats(0.0, 6_000.0)),
    st.one_of(st.integers(0, 90_000), st.floats(0.0, 90_000.0)),
    st.integers(0, 200_000),
)


@given(st.lists(_told_steps, max_size=6))
def test_steps_of_an_interval_are_those_of_its_minutes_one_by_one(
    told: list[tuple[tuple[int, str], float, float, int]],
) -> None:
    whole, single = Grid(), Grid()
    for source, after_s, duration_s, steps in told:
        start_s, stop_s = MINUTE * 60.0 + after_s, MINUTE * 60.0 + after_s + duration_s
        owner = whole.owner_of(source)
        assert owner is not None
        assert single.owner_of(source) == owner
        whole.add_steps(start_s, duration_s, steps, owner)
        given_count = 0
        for minute in range(
            int(start_s // 60), max(math.ceil(stop_s / 60), int(start_s // 60) + 1)
        ):
            end_s = minute * 60.0 + 60.0
            reached = int(steps * (end_s - start_s) / duration_s) if end_s < stop_s else steps
            single.add_steps(minute * 60.0, 60.0, reached - given_count, owner)
            given_count = reached
    assert whole.overlap_count == single.overlap_count
    assert whole.days() == single.days()
    assert [whole.to_state(day) for day in whole.days()] == [
        single.to_state(day) for day in single.days()
    ]
