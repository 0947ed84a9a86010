"""Goal: further detectors score whole days and ring nothing; method: days that they learn."""

import json

import pytest

from detectors.base import DAY
from detectors.opinions import Opinions
from streams.events import WindowKind

NAME = "baseline"
NIGHT, WHOLE_DAY = WindowKind.NIGHT, WindowKind.DAY


def _day(day: int, **values: float) -> dict[str, float]:
    return {DAY: float(day), **values}


def _taught(days: int = 20) -> Opinions:
    opinions = Opinions([NAME])
    for day in range(days):
        opinions.learn(NIGHT, _day(day, asleep=440.0 + day % 3))
        opinions.learn(WHOLE_DAY, _day(day, steps=8_000.0 + day % 5))
    return opinions


def _score(opinions: Opinions, x: dict[str, float]) -> float:
    ((detector, score),) = opinions.scores(WHOLE_DAY, x)
    assert detector.name == NAME
    return score


def test_a_detector_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"no detector invented; there are .*baseline"):
        Opinions([NAME, "invented"])


def test_a_day_is_scored_with_the_night_of_its_date_and_no_other() -> None:
    opinions = _taught()
    usual = _day(20, steps=8_001.0)
    assert list(opinions.scores(NIGHT, _day(20, asleep=100.0))) == []
    opinions.observe(NIGHT, _day(20, asleep=100.0))
    assert _score(opinions, usual) > 0.99
    assert _score(opinions, _day(21, steps=8_001.0)) < 0.9


def test_looking_ahead_leaves_no_trace() -> None:
    opinions = _taught()
    before = json.dumps(opinions.to_state())
    twin = opinions.ahead()
    twin.observe(NIGHT, _day(20, asleep=100.0))
    assert _score(twin, _day(20, steps=8_001.0)) > 0.99
    assert json.dumps(opinions.to_state()) == before


def test_a_state_goes_on_where_it_was_and_a_new_name_begins_to_learn() -> None:
    opinions = _taught()
    opinions.learn(NIGHT, _day(20, asleep=441.0))
    state = json.loads(json.dumps(opinions.to_state()))
    odd = _day(20, steps=100.0)
    assert _score(Opinions.from_state(state, [NAME]), odd) == _score(opinions, odd)
    both = dict(Opinions.from_state(state, [NAME, "level_shift"]).scores(WHOLE_DAY, odd))
    assert {model.name: score for model, score in both.items()} == {
        NAME: _score(opinions, odd),
        "level_shift": 0.0,
    }


def test_without_names_nothing_is_kept() -> None:
    opinions = Opinions([])
    opinions.learn(NIGHT, _day(0, asleep=440.0))
    opinions.learn(WHOLE_DAY, _day(0, steps=8_000.0))
    assert list(opinions.scores(WHOLE_DAY, _day(1, steps=1.0))) == []
    assert opinions.to_state() == {"models": {}, "night": {}}
