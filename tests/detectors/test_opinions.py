"""Goal: further detectors score whole days and ring nothing; method: days that they learn."""

import json
from typing import get_args

import pytest

from detectors.base import DAY
from detectors.config import Compared
from detectors.opinions import RESTING_HEART_RATE, Opinions, Told
from streams.events import WindowKind

NAME: Compared = "mean_sd"
NIGHT, WHOLE_DAY = WindowKind.NIGHT, WindowKind.DAY


def _day(day: int, **values: float) -> Told:
    return Told({DAY: float(day), **values}, {DAY: float(day)})


def _taught(days: int = 20) -> Opinions:
    opinions = Opinions([NAME])
    for day in range(days):
        opinions.learn(NIGHT, _day(day, awake=44.0 + day % 3))
        opinions.learn(WHOLE_DAY, _day(day, steps=8_000.0 + day % 5))
    return opinions


def _score(opinions: Opinions, told: Told) -> float:
    ((detector, score),) = opinions.scores(WHOLE_DAY, told)
    assert detector.name == NAME
    return score


@pytest.mark.parametrize("name", get_args(Compared))
def test_each_is_given_what_it_is_made_for_and_finds_a_change(name: Compared) -> None:
    opinions = Opinions([name])
    for day in range(70):
        opinions.learn(WHOLE_DAY, _state(day, (day * 7 % 5 - 2) / 2.0))
    ((_, usual),) = opinions.scores(WHOLE_DAY, _state(70, 0.0))
    opinions.learn(WHOLE_DAY, _state(70, 12.0))
    ((_, changed),) = opinions.scores(WHOLE_DAY, _state(71, 12.0))
    assert usual < changed
    assert changed >= 0.5


def _state(day: int, off: float) -> Told:
    """A day on which heart rate and steps are off by so many units, and standard deviations."""
    z = max(-3.0, min(3.0, off))
    return Told(
        {DAY: float(day), RESTING_HEART_RATE: 60.0 + off, "day.step_count": 8_000.0 + off},
        {DAY: float(day), RESTING_HEART_RATE: z, "day.step_count": z},
    )


def test_a_day_is_scored_with_the_night_of_its_date_and_no_other() -> None:
    opinions = _taught()
    usual = _day(20, steps=8_001.0)
    assert list(opinions.scores(NIGHT, _day(20, awake=400.0))) == []
    opinions.observe(NIGHT, _day(20, awake=400.0))
    assert _score(opinions, usual) > 0.9
    assert _score(opinions, _day(21, steps=8_001.0)) < 0.9


def test_looking_ahead_leaves_no_trace() -> None:
    opinions = _taught()
    before = json.dumps(opinions.to_state())
    twin = opinions.ahead()
    twin.observe(NIGHT, _day(20, awake=400.0))
    assert _score(twin, _day(20, steps=8_001.0)) > 0.9
    assert json.dumps(opinions.to_state()) == before


def test_a_state_goes_on_where_it_was_and_a_new_name_begins_to_learn() -> None:
    opinions = _taught()
    opinions.learn(NIGHT, _day(20, awake=44.0))
    state = json.loads(json.dumps(opinions.to_state()))
    odd = _day(20, steps=9_000.0)
    assert _score(Opinions.from_state(state, [NAME]), odd) == _score(opinions, odd)
    both = dict(Opinions.from_state(state, [NAME, "night_signal"]).scores(WHOLE_DAY, odd))
    assert {model.name: score for model, score in both.items()} == {
        NAME: _score(opinions, odd),
        "night_signal": 0.0,
    }


def test_without_names_nothing_is_kept() -> None:
    opinions = Opinions([])
    opinions.learn(NIGHT, _day(0, awake=44.0))
    opinions.learn(WHOLE_DAY, _day(0, steps=8_000.0))
    assert list(opinions.scores(WHOLE_DAY, _day(1, steps=1.0))) == []
    assert opinions.to_state() == {"models": {}, "night": [{}, {}]}
