"""Goal: River's trees in fewer bytes; method: River's own on features mapped by NumPy."""

import random
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.anomaly import HalfSpaceTrees as RiverTrees

from detectors.base import DAY, HOUR
from detectors.half_space_trees import HEIGHT, SEED, TREES, WARM_UP, WINDOW, HalfSpaceTrees

NAMES = ("a", "b", "c")


def _rows(seed: int, count: int) -> list[dict[str, float]]:
    draw = random.Random(seed)
    return [{name: draw.gauss(0.0, 1.0) for name in NAMES} for _ in range(count)]


def _mapped(row: dict[str, float], before: list[dict[str, float]]) -> dict[str, float]:
    point = {}
    for name in NAMES:
        values = np.array([one[name] for one in before])
        squares = float(np.sum((values - values.mean()) ** 2))
        scale = ((14.0 + squares) / (14.0 + len(values))) ** 0.5
        point[name] = NormalDist(float(values.mean()), 2.0 * scale).cdf(row[name])
    return point


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1_000))
def test_scores_are_rivers(seed: int) -> None:
    rows = _rows(seed, 42)  # as many as are remembered alike
    river = RiverTrees(n_trees=TREES, height=HEIGHT, window_size=WINDOW, seed=SEED)
    trees = HalfSpaceTrees()
    for i, row in enumerate(rows):
        point = _mapped(row, rows[: max(i, 14)])
        if i:
            expected = river.score_one(point)  # type: ignore[no-untyped-call]  # River's
            assert trees.score_one(row) == pytest.approx(expected, abs=1e-12)
        river.learn_one(point)  # type: ignore[no-untyped-call]  # River's
        trees.learn_one(row)
    assert trees.score_one(dict.fromkeys(NAMES, 4.0)) > trees.score_one(dict.fromkeys(NAMES, 0.0))


def test_nothing_is_said_before_the_first_window_is_full() -> None:
    trees = HalfSpaceTrees()
    for row in _rows(1, WINDOW - 1):
        trees.learn_one(row)
        assert trees.score_one(dict.fromkeys(NAMES, 9.0)) == 0.0
    trees.learn_one(_rows(2, 1)[0])
    assert trees.score_one(dict.fromkeys(NAMES, 9.0)) > 0.0


def test_a_missing_feature_is_like_one_in_its_middle() -> None:
    trees = HalfSpaceTrees()
    for row in _rows(1, 60):
        trees.learn_one(row)
    count, mean, _ = trees.to_state()["moments"][0]
    assert count > 40
    there = {"b": 0.3, "c": 1.1}
    assert trees.score_one(there) == trees.score_one({**there, "a": mean})


def test_rows_without_a_feature_do_not_count() -> None:
    trees, others = HalfSpaceTrees(), HalfSpaceTrees()
    for i, row in enumerate(_rows(1, 70)):
        for empty in ({}, {DAY: float(i)}):
            trees.learn_one(empty)
        trees.learn_one(row)
        others.learn_one(row)
    trees.learn_one({"of no set": 1.0})
    assert trees.to_state() == others.to_state()


def test_a_state_of_version_1_with_empty_rows_goes_on() -> None:
    state = HalfSpaceTrees().to_state() | {"rows": [{}] * (WARM_UP - 1)}
    trees = HalfSpaceTrees.from_state(state)
    for row in ({}, *_rows(1, 60)):
        trees.learn_one(row)
    assert trees.to_state()["names"] == list(NAMES)
    assert trees.score_one(dict.fromkeys(NAMES, 9.0)) > 0.0


def test_declared_features_are_followed_from_whenever_they_come() -> None:
    trees = HalfSpaceTrees(("late", "a"))
    for i, row in enumerate(_rows(1, 90)):
        trees.learn_one({**row, HOUR: 1.0, DAY: float(i)} | ({"late": row["b"]} if i > 30 else {}))
    assert trees.to_state()["names"] == ["a", "late"]
    assert trees.score_one({"a": 0.0, "late": 6.0}) > trees.score_one({"a": 0.0, "late": 0.0})
    assert trees.score_one({"a": 0.0, "b": 9.0}) == trees.score_one({"a": 0.0, HOUR: 9.0})
