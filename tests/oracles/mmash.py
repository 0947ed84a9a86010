"""MMASH computed straight from its CSV files.

Compared with a run of the imported recording:

* the minute rows' heart rates: a minute has a cell exactly when one of its seconds has a heart rate
  from 20 to 300 beats/min, and its values are mean, least and most of those seconds;
* the hour rows' heart rates and steps, and the yield of the days;
* each person's night: time in bed and asleep as the actigraph's own software gave them, heart
  rates over its minutes, and the variability of its beats. Beats are known to the second; which of
  them follow one another is asked of the times that the importer gives them, as in the recording;
* the rhythm and the dip of a day, for which the 24 hours are moved to begin at a midnight, and the
  rhythm of weeks, for which the people's days are taken as successive days of one life.

Day 1 is 2020-01-06 in Rome (UTC+1); a day with another number than the first row's is the next
day. Each recording has 24 hours, so a clock time in its sleep table is the first one after its
beginning.
"""

import csv
import gzip
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from connectors.importers.beats import placed_beats
from tests.oracles import witting

MIDNIGHT_S = 1_578_265_200  # 2020-01-06 00:00 in Rome: 2020-01-05 23:00 UTC
NIGHT = "2020-01-07"
DATES = ("2020-01-06", NIGHT)
"""Local dates of every recording."""
DAY_S = 86_400

Figures = dict[str, float]


class InBed(NamedTuple):
    """A row of the sleep table: times (s UTC), minutes asleep and awake, efficiency (percent)."""

    start_s: int
    stop_s: int
    asleep_min: float
    awake_min: float
    efficiency_percent: float
    awakenings: float


class Person(NamedTuple):
    """One recording: heart rates and steps by minute since the epoch, nights, and beats.

    ``extremes_bpm``: least and most of a minute. ``beats``: second (UTC) and interval (s) of each.
    """

    heart_bpm: dict[int, float]
    extremes_bpm: dict[int, tuple[float, float]]
    steps: dict[int, int]
    in_bed: list[InBed]
    beats: list[tuple[int, float]]

    @property
    def main(self) -> InBed | None:
        """The longest time in bed."""
        return max(self.in_bed, key=lambda row: row.stop_s - row.start_s, default=None)


def people(folder: Path) -> dict[str, Person]:
    """All recordings by name."""
    return {path.name: _person(path) for path in sorted(folder.glob("users/*"))}


def minute_figures(person: Person) -> dict[int, Figures]:
    """Start of the minute (s UTC) -> mean, least and most heart rate of its seconds."""
    return {
        minute * 60: {
            "heart_rate_mean_bpm": bpm,
            "heart_rate_min_bpm": person.extremes_bpm[minute][0],
            "heart_rate_max_bpm": person.extremes_bpm[minute][1],
        }
        for minute, bpm in person.heart_bpm.items()
    }


def hour_figures(person: Person) -> dict[int, Figures]:
    """Start of the hour (s UTC) -> steps and heart rate of it, at rest too.

    At rest is asleep or after 12 minutes without steps; ten such minutes make a figure.
    """
    figures = {}
    for hour in sorted({minute // 60 for minute in {*person.heart_bpm, *person.steps}}):
        minutes = range(hour * 60, hour * 60 + 60)
        steps = [person.steps[m] for m in minutes if m in person.steps]
        told = {
            "heart_rate_mean_bpm": _mean(person, minutes, 1),
            "heart_rate_resting_bpm": _mean(person, _at_rest(person, minutes), 10),
            "step_count": float(sum(steps)) if len(steps) >= 6 else None,
        }
        figures[hour * 3_600] = {name: v for name, v in told.items() if v is not None}
    return figures


def hour_coverage(person: Person) -> dict[int, Figures]:
    """Start of the hour (s UTC) -> share of its minutes for which each channel is known."""
    channels = {
        "heart_rate": {*person.heart_bpm},
        "inter_beat_interval": _beating(person),
        "steps": {*person.steps},
        "sleep": {minute for row in person.in_bed for minute in _minutes(row)},
    }
    return {
        hour * 3_600: {
            name: sum(minute // 60 == hour for minute in known) / 60
            for name, known in channels.items()
        }
        for hour in {minute // 60 for known in channels.values() for minute in known}
    }


def date_figures(person: Person, date: str) -> Figures:
    """Heart rate at rest on a local date, and how much of it the sensors told.

    Valid minutes have a heart rate, told steps or two beats; a valid hour has 30 of them.
    """
    midnight = (MIDNIGHT_S + DAY_S * (date == NIGHT)) // 60
    told = {*person.heart_bpm, *person.steps, *_beating(person)}
    hours = [range(start, start + 60) for start in range(midnight, midnight + 1_440, 60)]
    rest = _mean(person, _at_rest(person, range(midnight, midnight + 1_440)), 60)
    at_rest = {} if rest is None else {"heart_rate_resting_bpm": rest}
    return at_rest | {
        "valid_minute_ratio": sum(m in told for hour in hours for m in hour) / 1_440,
        "valid_hour_count": sum(sum(m in told for m in hour) >= 30 for hour in hours),
        "heart_rate_valid_hour_count": sum(
            sum(m in person.heart_bpm for m in hour) >= 30 for hour in hours
        ),
    }


def first_day(person: Person) -> Person:
    """The first 24 hours of a recording's heart rates and steps: each clock time once."""
    stop = min(person.steps) + 1_440
    return person._replace(
        heart_bpm={m: bpm for m, bpm in person.heart_bpm.items() if m < stop},
        steps={m: count for m, count in person.steps.items() if m < stop},
    )


def hours_of_day(person: Person) -> tuple[witting.Hours, witting.Hours]:
    """Heart rate (0.1 beats/min) and steps of each hour of the clock, as one day, in whole numbers.

    The recording's hours are those of the clock in Rome, so that its end, of the next morning,
    comes before its beginning. An hour needs a heart rate in 6 minutes, and steps told in 30.
    """
    rates, steps = defaultdict[int, list[Fraction]](list), defaultdict[int, list[int]](list)
    for minute, bpm in person.heart_bpm.items():
        rates[(minute // 60 + 1) % 24].append(Fraction(round(bpm * 10)))
    for minute, count in person.steps.items():
        steps[(minute // 60 + 1) % 24].append(count)
    return (
        {h: float(round(sum(told) / len(told))) for h, told in rates.items() if len(told) >= 6},
        {
            h: float(round(Fraction(60 * sum(told), len(told))))
            for h, told in steps.items()
            if len(told) >= 30
        },
    )


def night_figures(person: Person) -> Figures:
    """What a night's row must hold of sleep, heart rate and its variability, and nothing else."""
    main = person.main
    midnight = (MIDNIGHT_S + DAY_S) // 60
    small = range(midnight, midnight + 7 * 60)
    within = small if main is None else _minutes(main)
    told = {
        "heart_rate_resting_bpm": _mean(person, _at_rest(person, small), 60),
        "heart_rate_nocturnal_bpm": _mean(person, [m for m in small if person.steps.get(m) == 0]),
        "heart_rate_lowest_bpm": _lowest(person, within),
    }
    if main is not None:
        told["heart_rate_sleeping_bpm"] = _mean(person, within, 60)
        told |= _sleep_figures(main, [row for row in person.in_bed if row is not main])
    told |= _variability(person.beats, within)
    return {name: value for name, value in told.items() if value is not None}


def day_figures(person: Person) -> Figures:
    """What a row of the whole 24 hours as one day must hold of its heart rate awake and rhythm.

    The recording's first minute is the day's first.
    """
    first = min(person.heart_bpm)
    asleep = [m for row in person.in_bed for m in _minutes(row)]
    waking = _mean(person, [m for m in person.heart_bpm if m not in {*asleep}], 240)
    sleeping = _mean(person, asleep, 60)
    told: Figures = {}
    if waking is not None and len(asleep) >= 60:
        told["heart_rate_waking_bpm"] = waking
        if sleeping is not None:
            told["heart_rate_dip_percent"] = (1 - sleeping / waking) * 100
    hours = [(minute - first) // 60 for minute in person.heart_bpm]
    if sum(hours.count(hour) >= 20 for hour in range(24)) >= 16:
        told |= _cosinor([m - first for m in person.heart_bpm], [*person.heart_bpm.values()])
    return told


def _sleep_figures(main: InBed, others: list[InBed]) -> Figures:
    midnight_s = MIDNIGHT_S + DAY_S
    onset, offset = (main.start_s - midnight_s) / 60, (main.stop_s - midnight_s) / 60
    return {
        "sleep_duration_min": main.asleep_min,
        "time_in_bed_min": offset - onset,
        "wake_after_sleep_onset_min": main.awake_min,
        "awakening_count": main.awakenings,
        "sleep_onset_min": onset,
        "sleep_offset_min": offset,
        "sleep_midpoint_min": onset + (offset - onset) / 2,
        "sleep_efficiency_percent": 100 * main.asleep_min / (offset - onset),
        "nap_count": len(others),
        "nap_min": sum(row.asleep_min for row in others),
    }


def _variability(beats: list[tuple[int, float]], within: range) -> dict[str, float | None]:
    """RMSSD of minutes, SDNN of the whole hours among them (ms); None below 100.

    Of normal beats: within a minute's upload, an interval is at most a fifth off the one before.
    """
    squares: list[float] = []
    intervals_ms: list[float] = []
    hours = range(-(-within.start // 60), within.stop // 60)
    for minute, after_ms, before_ms in _normal_beats(beats):
        if minute // 60 in hours:
            intervals_ms.append(after_ms)
        if before_ms is not None and minute in within:
            squares.append((after_ms - before_ms) ** 2)
    return {
        "rmssd_ms": math.sqrt(statistics.fmean(squares)) if len(squares) >= 100 else None,
        "sdnn_ms": statistics.stdev(intervals_ms) if len(intervals_ms) >= 100 else None,
    }


def _beating(person: Person) -> set[int]:
    """Minutes with two successive normal beats."""
    return {minute for minute, _, before_ms in _normal_beats(person.beats) if before_ms}


def _normal_beats(beats: list[tuple[int, float]]) -> Iterator[tuple[int, int, int | None]]:
    """Minute and interval (ms) of each normal beat, and the interval before it if it follows it."""
    previous_s = 0.0
    for minute, group in groupby(beats, key=lambda beat: beat[0] // 60):
        found = [(float(second), interval_s) for second, interval_s in group]
        times = placed_beats(found, previous_s)
        previous_s = times[-1]
        told_ms = [round(1_000 * interval_s) for _, interval_s in found]
        for place, after_ms in enumerate(told_ms):
            apart_s = times[place] - times[place - 1] if place else math.inf
            is_next = abs(apart_s - after_ms / 1_000) <= 1.0
            before_ms = told_ms[place - 1] if is_next else None
            if before_ms is None or 5 * abs(after_ms - before_ms) <= before_ms:
                yield minute, after_ms, before_ms


def _minutes(row: InBed) -> range:
    return range(row.start_s // 60, row.stop_s // 60)


def _at_rest(person: Person, minutes: range) -> list[int]:
    is_asleep = {minute for row in person.in_bed for minute in _minutes(row)}
    return [m for m in minutes if m in is_asleep or _is_still(person, m)]


def _is_still(person: Person, minute: int) -> bool:
    return all(person.steps.get(before) == 0 for before in range(minute - 12, minute + 1))


def _mean(person: Person, minutes: list[int] | range, fewest: int = 60) -> float | None:
    told = [person.heart_bpm[minute] for minute in minutes if minute in person.heart_bpm]
    return statistics.fmean(told) if len(told) >= fewest else None


def _lowest(person: Person, within: range) -> float | None:
    starts = range(within.start, within.stop - 29)
    means = [_mean(person, range(start, start + 30), 20) for start in starts]
    return min((mean for mean in means if mean is not None), default=None)


def _cosinor(minutes: list[int], rates: list[float]) -> Figures:
    """Solve the normal equations of Cornelissen (2014)."""
    turn = 2 * np.pi * np.array(minutes) / 1_440
    columns = np.array([np.ones_like(turn), np.cos(turn), np.sin(turn)])
    mesor, beta, gamma = np.linalg.solve(columns @ columns.T, columns @ np.array(rates))
    rhythm = complex(beta, gamma)
    return {
        "heart_rate_mesor_bpm": float(mesor),
        "heart_rate_amplitude_bpm": abs(rhythm),
        "heart_rate_acrophase_min": float(np.angle(rhythm, deg=True) % 360) * 4,
    }


def _person(folder: Path) -> Person:
    samples: defaultdict[int, list[float]] = defaultdict(list)
    steps: defaultdict[int, float] = defaultdict(float)
    seconds = _actigraphy(folder / "Actigraph.csv.gz")
    for second, step_count, rate in seconds:
        steps[second // 60] += float(step_count or 0)
        if rate and 20.0 <= float(rate) <= 300.0:
            samples[second // 60].append(float(rate))
    return Person(
        {minute: sum(rates) / len(rates) for minute, rates in samples.items()},
        {minute: (min(rates), max(rates)) for minute, rates in samples.items()},
        {minute: int(count) for minute, count in steps.items()},
        [_in_bed(row, seconds[0][0]) for row in _rows(folder / "sleep.csv.gz")],
        _beats(folder / "RR.csv.gz"),
    )


def _in_bed(row: dict[str, str], begun_s: int) -> InBed:
    start_s = _next(begun_s, row["In Bed Time"])
    return InBed(
        start_s,
        _next(start_s + 1, row["Out Bed Time"]),
        float(row["Total Sleep Time (TST)"]),
        float(row["Wake After Sleep Onset (WASO)"]),
        float(row["Efficiency"]),
        float(row["Number of Awakenings"]),
    )


def _next(after_s: int, clock: str) -> int:
    """When the clock shows a time first, at or after an instant (s UTC)."""
    hours, minutes = map(int, clock.split(":"))
    return after_s + (MIDNIGHT_S + hours * 3_600 + minutes * 60 - after_s) % DAY_S


def _actigraphy(path: Path) -> list[tuple[int, str, str]]:
    """Of each row the second (UTC), steps and heart rate."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    day, clock, steps, rate = (head.index(name) for name in ("day", "time", "Steps", "HR"))
    seconds = _seconds([(row[day], row[clock]) for row in rows])
    return [(second, row[steps], row[rate]) for second, row in zip(seconds, rows, strict=True)]


def _beats(path: Path) -> list[tuple[int, float]]:
    rows = _rows(path)
    seconds = _seconds([(row["day"], row["time"]) for row in rows])
    intervals_s = [float(row["ibi_s"]) for row in rows]
    return [beat for beat in zip(seconds, intervals_s, strict=True) if 0.2 <= beat[1] <= 3.0]


def _seconds(times: list[tuple[str, str]]) -> list[int]:
    """Instants (s UTC) of days and clock times; a day that is not the first one is the next."""
    found = []
    for day, clock in times:
        hours, minutes, seconds = map(int, clock.split(":"))
        day_s = MIDNIGHT_S + (day != times[0][0]) * DAY_S
        found.append(day_s + hours * 3_600 + minutes * 60 + seconds)
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
