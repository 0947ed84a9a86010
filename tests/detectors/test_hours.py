"""Goal: an hour's change must last, to one side, in valid hours; method: hours made by hand."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.cohort import load_cohort
from detectors.episodes import PolicyState
from detectors.hours import STALE_FACTOR, Sighting, sightings
from detectors.models import SubjectModels
from detectors.scores import Scores
from streams.events import AnomalyState, FeatureRow, WindowKind
from tests.detectors.rows import CONFIG, row

NAME = "heart_rate_resting_bpm"
TAUGHT = 24 * 20
USUAL, HIGH = 66.0, 110.0

_models = SubjectModels(CONFIG, load_cohort())
for _index in range(TAUGHT):
    _models.learn(row(WindowKind.HOUR, _index, {NAME: USUAL + _index % 3}))


def _hour(index: int, bpm: float) -> FeatureRow:
    return row(WindowKind.HOUR, TAUGHT + index, {NAME: bpm})


def _sight(
    state: PolicyState, index: int, bpm: float, persistence: tuple[int, int] = (2, 3)
) -> list[Sighting]:
    hour = _hour(index, bpm)
    return sightings(state, hour, _models.score(hour), persistence)


def test_the_second_of_three_hours_is_persistent_and_the_first_is_not() -> None:
    state = PolicyState()
    (first,) = _sight(state, 0, HIGH)
    assert (first.seen, first.is_persistent) == ((1, 1), False)
    assert _sight(state, 1, USUAL) == []
    (third,) = _sight(state, 2, HIGH)
    assert (third.seen, third.is_persistent) == ((2, 3), True)
    assert third.z > 3.0


def test_hours_without_a_value_do_not_count_and_old_ones_are_forgotten() -> None:
    state = PolicyState()
    _sight(state, 0, HIGH)
    (late,) = _sight(state, 3 * STALE_FACTOR - 1, HIGH)
    assert late.is_persistent
    state = PolicyState()
    _sight(state, 0, HIGH)
    (too_late,) = _sight(state, 3 * STALE_FACTOR, HIGH)
    assert not too_late.is_persistent


def test_two_sides_are_no_change_to_one_and_learning_is_none_at_all() -> None:
    state, hour = PolicyState(), _hour(0, HIGH)
    up = _models.score(hour)
    down = Scores(hour)
    down.extend(up)
    down.usual = {NAME: msgspec.structs.replace(up.usual[NAME], z=-up.usual[NAME].z)}
    sightings(state, hour, down, (2, 3))
    (second,) = sightings(state, _hour(1, HIGH), up, (2, 3))
    assert (second.seen, second.is_persistent) == ((1, 2), False)
    young = Scores(hour)
    young.extend(msgspec.structs.replace(one, state=AnomalyState.LEARNING) for one in up)
    young.usual = up.usual
    kept = state.to_state()
    assert sightings(state, _hour(2, HIGH), young, (2, 3)) == []
    assert state.to_state() == kept


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 4), st.integers(0, 3))
def test_it_is_k_of_the_last_n(high: list[bool], k: int, more: int) -> None:
    state, n = PolicyState(), k + more
    for index, is_high in enumerate(high):
        seen = _sight(state, index, HIGH if is_high else USUAL, (k, n))
        count = sum(high[max(0, index - n + 1) : index + 1])
        assert [one.is_persistent for one in seen] == ([count >= k] if is_high else [])
