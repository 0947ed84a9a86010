"""Goal: every detector keeps the contract of ``Detector``; method: find them all, name none.

A new file in ``detectors/`` with a class under ``@detector`` is tested here as it is.
"""

import json
import random
from collections.abc import Callable, Iterator

import msgspec
import pytest

from detectors.base import DAY, Detector, State, find_detectors

DETECTORS = find_detectors()
Sample = dict[str, float]

pytestmark = pytest.mark.parametrize("make", DETECTORS.values(), ids=DETECTORS)


def _samples(count: int, *, seed: int, shift: float = 0.0) -> Iterator[Sample]:
    draw = random.Random(seed)
    for _ in range(count):
        common = draw.gauss(0.0, 3.0)
        yield {"a": 50.0 + common + shift, "b": 20.0 + draw.gauss(0.0, 2.0) + shift}


def _taught(make: Callable[[], Detector], count: int = 60) -> Detector:
    detector = make()
    for sample in _samples(count, seed=1):
        detector.learn_one(sample)
    return detector


def test_the_name_is_the_name_of_the_file(make: type[Detector]) -> None:
    assert make.__module__ == f"detectors.{make.name}"


def test_scoring_before_learning_works(make: type[Detector]) -> None:
    assert 0.0 <= make().score_one({"a": 1.0}) <= 1.0
    assert make().score_one({}) == 0.0


def test_scoring_does_not_learn(make: type[Detector]) -> None:
    detector = _taught(make)
    before = detector.to_state()
    for sample in _samples(20, seed=2, shift=30.0):
        detector.score_one(sample)
    assert detector.to_state() == before


def test_scores_lie_between_0_and_1_whatever_the_value(make: type[Detector]) -> None:
    detector = _taught(make)
    for value in (-1e9, -1.0, 0.0, 50.0, 1e9):
        assert 0.0 <= detector.score_one({"a": value, "b": value}) <= 1.0


def test_missing_and_new_features_are_fine(make: type[Detector]) -> None:
    detector = _taught(make)
    for sample in ({"a": 50.0}, {}, {"a": 50.0, "new": 3.0}, {"new": 4.0}):
        assert 0.0 <= detector.score_one(sample) <= 1.0
        detector.learn_one(sample)
    assert detector.score_one({"a": 50.0}) < 0.9


@pytest.mark.parametrize("empty", [0, 1, 40])
def test_rows_may_be_empty_or_partly_so_from_the_first_on(make: type[Detector], empty: int) -> None:
    detector = make()
    for number, sample in enumerate(_samples(empty + 60, seed=6)):
        day = {DAY: float(number)}
        one = {"a": sample["a"]} if number % 2 else {"b": sample["b"]}
        row = day if number < empty else day | (one if number % 3 else sample)
        assert 0.0 <= detector.score_one(row) <= 1.0
        detector.learn_one(row)
        detector.learn_one({})
        detector = make.from_state(json.loads(json.dumps(detector.to_state())))
    usual = detector.score_one({"a": 50.0, "b": 20.0, DAY: empty + 60.0})
    changed = {"a": 90.0, "b": 60.0}
    detector.learn_one(changed | {DAY: empty + 60.0})
    assert detector.score_one(changed | {DAY: empty + 61.0}) > usual


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused_and_leaves_no_trace(make: type[Detector], bad: float) -> None:
    detector = _taught(make)
    before = detector.to_state()
    with pytest.raises(ValueError, match="b is"):
        detector.learn_one({"a": 51.0, "b": bad})
    with pytest.raises(ValueError, match="b is"):
        detector.score_one({"a": 51.0, "b": bad})
    assert detector.to_state() == before


@pytest.mark.parametrize("count", [0, 1, 5, 60, 300])
def test_a_state_that_went_through_json_and_msgpack_scores_identically(
    make: type[Detector], count: int
) -> None:
    first = _taught(make, count)
    state = json.loads(json.dumps(first.to_state()))
    second = make.from_state(msgspec.msgpack.decode(msgspec.msgpack.encode(state)))
    for sample in _samples(80, seed=3, shift=5.0):
        assert first.score_one(sample) == second.score_one(sample)
        first.learn_one(sample)
        second.learn_one(sample)
    assert first.to_state() == second.to_state()


def _largest(detector: Detector, count: int) -> int:
    """The largest state while ``count`` more samples are learned, wherever a buffer stands."""
    sizes = []
    for sample in _samples(count, seed=count):
        detector.learn_one(sample)
        sizes.append(len(msgspec.msgpack.encode(detector.to_state())))
    return max(sizes)


def test_memory_does_not_grow_with_the_number_of_samples(make: type[Detector]) -> None:
    few = _largest(_taught(make, 180), 120)
    many = _largest(_taught(make, 2_880), 120)
    assert many <= few * 1.1


def test_memory_does_not_grow_with_the_number_of_features_without_end(
    make: type[Detector],
) -> None:
    detector = make()
    sizes = []
    for first in (0, 100, 200):
        for _ in range(30):
            detector.learn_one({f"made_up_{first + i}": 1.0 * i for i in range(100)})
        sizes.append(len(msgspec.msgpack.encode(detector.to_state())))
    assert sizes[2] <= sizes[1] * 1.1


def test_the_same_input_gives_the_same_scores(make: type[Detector]) -> None:
    runs = [[_taught(make).score_one(sample) for sample in _samples(9, seed=4)] for _ in "ab"]
    assert runs[0] == runs[1]


def test_a_planted_change_is_found_better_than_by_chance(make: type[Detector]) -> None:
    state = _taught(make).to_state()
    usual = [_score_of_two_days(make, state, seed=seed) for seed in range(100, 150)]
    changed = [_score_of_two_days(make, state, seed=seed, shift=9.0) for seed in range(200, 250)]
    pairs = [(high > low) + 0.5 * (high == low) for high in changed for low in usual]
    assert sum(pairs) / len(pairs) > 0.9


def _score_of_two_days(
    make: type[Detector], state: State, *, seed: int, shift: float = 0.0
) -> float:
    """Score of the second of two days, for some detectors look for what lasts."""
    detector = make.from_state(state)
    first, second = _samples(2, seed=seed, shift=shift)
    detector.learn_one(first)
    return detector.score_one(second)
