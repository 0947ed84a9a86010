"""Goal: heart rates of a night and a day are means over the right minutes. Method: random minutes
with gaps, steps and sleep, against plain Python over the raw samples; and each least amount."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events import HeartRate, SleepEpisode, Steps
from streams.evidence import Evidence
from streams.features.base import Values
from tests.streams.features.worlds import MIDNIGHT_S, add, day, night

Clock = int
"""Minutes from the midnight that begins the date; negative before it."""


@dataclass
class Life:
    """A random day and the evening before: heart rate and steps by minute, and one sleep."""

    bpm: dict[Clock, float] = field(default_factory=dict)
    steps: dict[Clock, int] = field(default_factory=dict)
    sleep: tuple[Clock, Clock] | None = None

    @classmethod
    def drawn(cls, seed: int) -> "Life":
        chance = random.Random(seed)
        life = cls()
        worn, still = chance.choice([0.2, 0.7, 1.0]), chance.choice([0.5, 0.99])
        for minute in range(-12 * 60, 24 * 60):
            if chance.random() < worn:
                life.bpm[minute] = chance.randint(400, 1_200) / 10
            if chance.random() < 0.995:
                life.steps[minute] = 0 if chance.random() < still else chance.randint(1, 90)
        if chance.random() < 0.8:
            start = chance.randint(-180, 240)
            life.sleep = start, start + chance.choice([20, 50, 300, 700])
        return life

    def evidence(self) -> Evidence:
        evidence = Evidence()
        rates = [HeartRate(time=_time(m), heart_rate=bpm) for m, bpm in self.bpm.items()]
        steps = [Steps(time=_time(m), duration=60.0, steps=n) for m, n in self.steps.items()]
        for records in (rates, steps):
            if records:
                add(evidence, *records)
        if self.sleep is not None:
            start, stop = self.sleep
            add(evidence, SleepEpisode(time=_time(start), duration=(stop - start) * 60.0))
        return evidence

    def is_asleep(self, minute: Clock) -> bool:
        return self.sleep is not None and self.sleep[0] <= minute < self.sleep[1]

    def is_at_rest(self, minute: Clock) -> bool:
        before = range(minute - 12, minute + 1)
        return self.is_asleep(minute) or all(self.steps.get(m) == 0 for m in before)

    def mean(self, minutes: list[Clock], fewest: int) -> float | None:
        told = [self.bpm[minute] for minute in minutes if minute in self.bpm]
        return sum(told) / len(told) if len(told) >= fewest else None

    @property
    def main_sleep(self) -> tuple[Clock, Clock] | None:
        """The sleep, if it ends in the night."""
        return self.sleep if self.sleep is not None and self.sleep[1] <= 12 * 60 else None

    def lowest(self) -> float | None:
        first, last = self.main_sleep or (0, 7 * 60)
        spans = [range(start, start + 30) for start in range(first, last - 29)]
        means = [self.mean([*span], 20) for span in spans]
        return min((mean for mean in means if mean is not None), default=None)

    def night(self) -> Values:
        small = [*range(7 * 60)]
        asleep = [*range(*(self.main_sleep or (0, 0)))]
        return _told(
            heart_rate_resting_bpm=self.mean([m for m in small if self.is_at_rest(m)], 60),
            heart_rate_nocturnal_bpm=self.mean([m for m in small if self.steps.get(m) == 0], 60),
            heart_rate_sleeping_bpm=self.mean(asleep, 60),
            heart_rate_lowest_bpm=self.lowest(),
        )

    def day(self) -> Values:
        minutes = range(24 * 60)
        asleep = [m for m in minutes if self.is_asleep(m)]
        waking = self.mean([m for m in minutes if not self.is_asleep(m)], 240)
        sleeping = self.mean(asleep, 60)
        dip = None
        if len(asleep) < 60:
            waking = None
        if waking is not None and sleeping is not None:
            dip = 100 * (waking - sleeping) / waking
        return _told(
            heart_rate_resting_bpm=self.mean([m for m in minutes if self.is_at_rest(m)], 60),
            heart_rate_waking_bpm=waking,
            heart_rate_dip_percent=dip,
        )


def _time(minute: Clock) -> float:
    return MIDNIGHT_S + minute * 60.0


def _told(**values: float | None) -> Values:
    return {name: value for name, value in values.items() if value is not None}


def heart_rates(values: Values) -> Values:
    others = ("mesor", "amplitude", "acrophase", "valid")
    return {
        name: value
        for name, value in values.items()
        if name.startswith("heart_rate_") and name.split("_")[2] not in others
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_heart_rates_are_means_over_the_minutes_that_they_speak_of(seed: int) -> None:
    life = Life.drawn(seed)
    evidence = life.evidence()
    assert heart_rates(night(evidence)) == pytest.approx(life.night(), rel=1e-12)
    assert heart_rates(day(evidence)) == pytest.approx(life.day(), rel=1e-12)


@pytest.mark.parametrize(("valid", "is_told"), [(20, True), (19, False)])
def test_the_lowest_half_hour_needs_twenty_minutes_with_a_sample(
    valid: int, *, is_told: bool
) -> None:
    life = Life(bpm={60 + minute: 50.0 for minute in range(valid)}, sleep=(55, 90))
    assert ("heart_rate_lowest_bpm" in night(life.evidence())) == is_told


@pytest.mark.parametrize(
    ("awake", "asleep", "names"),
    [
        (240, 60, {"heart_rate_waking_bpm", "heart_rate_dip_percent"}),
        (239, 60, set()),
        (240, 59, {"heart_rate_waking_bpm"}),
    ],
)
def test_the_dip_needs_four_hours_awake_and_one_asleep(
    awake: int, asleep: int, names: set[str]
) -> None:
    life = Life(sleep=(0, 480))
    life.bpm = dict.fromkeys(range(asleep), 50.0) | dict.fromkeys(range(600, 600 + awake), 80.0)
    found = day(life.evidence())
    told = {"heart_rate_waking_bpm", "heart_rate_dip_percent"} & found.keys()
    assert told == names
    if len(names) == 2:
        assert found["heart_rate_dip_percent"] == 37.5
