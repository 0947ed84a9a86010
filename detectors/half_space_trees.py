"""Half-space trees: how thinly populated the part of the feature space is where a row lies."""

import math
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self

from river.anomaly import HalfSpaceTrees as RiverTrees

from detectors.base import CONTEXT, State, detector, refuse_unknown
from detectors.moments import Moments

TREES = 25
"""Trees of a forest."""

HEIGHT = 4
"""Splits from a tree's root to a leaf."""

WINDOW = 28
"""Rows whose masses are compared with; the masses are those of the last full window."""

SEED = 20_260_101
"""Draws the splits; one seed for all, so that the same rows give the same scores."""

WARM_UP = 14
"""Rows from which the feature set and the first means are learned."""

HORIZON = 42.0
"""Rows over which means and variances are forgotten."""

FEATURES_MAX = 24
"""Most features of one forest; further ones, in order of name, are left out."""

SPREAD = 2.0
"""Standard deviations to one of the normal distribution that maps a feature into [0, 1]."""

_NODES = (1 << (HEIGHT + 1)) - 1
_SPLITS = (1 << HEIGHT) - 1
_SIZE_LIMIT = 0.1 * WINDOW
_HIGHEST = TREES * WINDOW * _NODES
_SQRT2 = math.sqrt(2.0)


class _Forest(NamedTuple):
    """Splits of all trees, each tree's in heap order: children of node i are 2i+1 and 2i+2."""

    features: tuple[int, ...]
    thresholds: tuple[float, ...]


@detector
class HalfSpaceTrees:
    """River's half-space trees over standardised features, with the masses as plain numbers.

    Each feature is standardised by its own running mean and deviation (over 42 rows, a deviation
    of 1 being believed as 14 rows) and mapped into [0, 1] by the normal distribution function of
    half its deviation: that of the whole would populate the tails as densely as the middle, and
    only combinations of features would stand out.
    ``score = 1 - sum(mass * 2^depth) / highest`` over the nodes that a row passes, as in River.
    A missing feature is taken at its middle, 0.5, and so says nothing; River would walk to the
    heavier side. The splits are River's own draw; they depend on the number of features alone and
    are shared between people, since River's nodes take 75 KiB a forest. Masses are the person's.

    Only rows that have a feature of the set count. The score is 0 until the first window is full:
    before 28 such rows are learned. The feature set is fixed after 14 rows with any feature;
    features that come later are left out, in contrast to those declared.

    Parameters
    ----------
    features
        The feature set; None: what occurs in the first 14 rows that have any. At most 24, by name.

    Source: Tan, Ting & Liu 2011, Fast anomaly detection for streaming data, IJCAI; River's
    ``anomaly.HalfSpaceTrees``.

    >>> trees = HalfSpaceTrees()
    >>> for i in range(60):
    ...     trees.learn_one({"a": math.sin(i), "b": math.cos(i)})
    >>> trees.score_one({"a": 5.0, "b": 5.0}) > trees.score_one({"a": 0.6, "b": 0.8})
    True
    """

    name: ClassVar[str] = "half_space_trees"
    version: ClassVar[str] = "2"

    __slots__ = ("_count", "_is_full", "_latest", "_moments", "_names", "_reference", "_rows")

    def __init__(self, features: Sequence[str] | None = None) -> None:
        self._names = tuple(sorted(features or ())[:FEATURES_MAX])
        self._rows: list[dict[str, float]] = []
        self._moments: list[Moments] = []
        self._latest = _no_masses()
        self._reference = _no_masses()
        self._count = 0
        self._is_full = False

    def score_one(self, x: Mapping[str, float]) -> float:
        """How thinly populated the place of ``x`` was in the last full window."""
        refuse_unknown(x)
        if not self._is_full:
            return 0.0
        forest = _forest(len(self._names))
        point = self._point(x)
        mass = sum(self._mass(forest, tree, point) for tree in range(TREES))
        return 1.0 - mass / _HIGHEST

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Add ``x`` to the masses of the window that is being filled, if it has a feature."""
        refuse_unknown(x)
        wanted = x.keys() - CONTEXT
        if self._names:
            wanted &= frozenset(self._names)
        if not wanted:
            # It tells nothing: a set without features has no forest, and in the masses it would
            # stand for a day on which all was as ever.
            return
        if self._moments:
            self._learn(x)
            return
        self._rows.append({name: x[name] for name in sorted(wanted)[:FEATURES_MAX]})
        if len(self._rows) == WARM_UP:
            self._start()

    def to_state(self) -> State:
        """Names, moments, rows of the warm-up, and masses of the latest and the full window."""
        return {
            "names": list(self._names),
            "rows": [dict(row) for row in self._rows],
            "moments": [moments.to_numbers() for moments in self._moments],
            "count": self._count,
            "is_full": int(self._is_full),
            "latest": self._latest.tolist() if self._count else [],
            "reference": self._reference.tolist() if self._is_full else [],
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Trees as they were; the feature set is part of the state."""
        trees = cls(state["names"])
        # Version 1 also kept rows without a feature.
        trees._rows = [dict(row) for row in state["rows"] if row]
        trees._moments = [Moments.from_numbers(numbers) for numbers in state["moments"]]
        trees._count = state["count"]
        trees._is_full = bool(state["is_full"])
        if state["latest"]:
            trees._latest = array("H", state["latest"])
        if state["reference"]:
            trees._reference = array("H", state["reference"])
        return trees

    def _start(self) -> None:
        """Fix the feature set and learn the rows of the warm-up."""
        if not self._names:
            seen = {name for row in self._rows for name in row}
            self._names = tuple(sorted(seen)[:FEATURES_MAX])
        self._moments = [Moments() for _ in self._names]
        rows, self._rows = self._rows, []
        for row in rows:
            self._measure(row)
        for row in rows:
            self._add(row)

    def _learn(self, x: Mapping[str, float]) -> None:
        self._add(x)
        self._measure(x)

    def _measure(self, x: Mapping[str, float]) -> None:
        for name, moments in zip(self._names, self._moments, strict=True):
            if name in x:
                moments.update(x[name], HORIZON)

    def _add(self, x: Mapping[str, float]) -> None:
        """Pass ``x`` down each tree, and begin a new window when this one is full."""
        features, thresholds = _forest(len(self._names))
        point = self._point(x)
        latest = self._latest
        for tree in range(TREES):
            node = 0
            for _ in range(HEIGHT):
                latest[tree * _NODES + node] += 1
                split = tree * _SPLITS + node
                node = 2 * node + (1 if point[features[split]] < thresholds[split] else 2)
            latest[tree * _NODES + node] += 1
        self._count += 1
        if self._count == WINDOW:
            self._reference, self._latest = latest, _no_masses()
            self._is_full = True
            self._count = 0

    def _mass(self, forest: _Forest, tree: int, point: list[float]) -> int:
        """Mass along the way of ``point``, doubled at each step, to where hardly any is left."""
        total = node = 0
        for depth in range(HEIGHT + 1):
            mass = self._reference[tree * _NODES + node]
            total += mass << depth
            if mass < _SIZE_LIMIT or depth == HEIGHT:
                break
            split = tree * _SPLITS + node
            is_left = point[forest.features[split]] < forest.thresholds[split]
            node = 2 * node + (1 if is_left else 2)
        return total

    def _point(self, x: Mapping[str, float]) -> list[float]:
        """Each feature of the set in [0, 1]; a missing one in the middle."""
        point = []
        for name, moments in zip(self._names, self._moments, strict=True):
            value = x.get(name)
            z = 0.0 if value is None else (value - moments.mean) / moments.scale()
            point.append(0.5 + 0.5 * math.erf(z / (SPREAD * _SQRT2)))
        return point


def _no_masses() -> "array[int]":
    return array("H", bytes(2 * TREES * _NODES))


@lru_cache(maxsize=FEATURES_MAX + 1)
def _forest(dimensions: int) -> _Forest:
    """River's draw of splits for so many features, told apart by their place."""
    river = RiverTrees(n_trees=TREES, height=HEIGHT, window_size=WINDOW, seed=SEED)
    river.learn_one(  # type: ignore[no-untyped-call]  # River's
        dict.fromkeys(range(max(dimensions, 1)), 0.5)
    )
    features: list[int] = []
    thresholds: list[float] = []
    for tree in river.trees:
        level: list[Any] = [tree]
        while hasattr(level[0], "children"):
            features += [node.feature for node in level]
            thresholds += [node.threshold for node in level]
            level = [child for node in level for child in node.children]
    return _Forest(tuple(features), tuple(thresholds))
