"""Drift: whether a feature's residuals have been moving away, a little every day, and since when.

River's Page-Hinkley test adds up small deviations to either side; River's ADWIN compares the older
with the newer part of the last weeks.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Self

from river.drift import ADWIN, PageHinkley
from river.stats import Mean

from detectors.base import CONTEXT, DAY, FEATURES_MAX, State, detector, refuse_unknown
from detectors.moments import Moments

WARM_UP = 14
"""Values of a feature from which its scale is taken, and before which nothing is signalled."""

TOLERANCE = 0.25
"""Deviation from the mean, in standard deviations, that is not added up."""

THRESHOLD = 12.0
"""Sum of deviations, in standard deviations, at which Page-Hinkley signals."""

CLIP = 4.0
"""Deviations from the running mean, in standard deviations, count up to here."""

SIGNIFICANCE = 0.2
"""ADWIN's delta. Its bound is cautious: of 200 unchanged series of 84 values none is signalled."""

SPAN = 42
"""Values that ADWIN looks back over at least, up to twice as many, unless it signalled."""

REMEMBERED = 28
"""Values of a feature for which the beginning of a signalled change is still told."""

STEP = 64.0
"""Steps to a standard deviation in which values are kept, so that they fit a small integer."""

_LARGEST = 2**15 - 1
_GAP_MAX = 2**16 - 1
_NONE = array("d")
"""No values, for all who have none; never changed."""
_NEVER = -1


class _PageHinkley(PageHinkley):
    """River's two-sided test without forgetting, whose sums can be read and put back."""

    def __init__(self) -> None:
        super().__init__(min_instances=WARM_UP, delta=TOLERANCE, threshold=THRESHOLD, alpha=1.0)

    def mean(self) -> float | None:
        """The running mean, once it is known from enough values."""
        return self._x_mean.get() if self._x_mean.n >= WARM_UP else None

    def sums(self) -> tuple[float, float]:
        """How far values have added up above and below the running mean."""
        if not self._x_mean.n:
            return 0.0, 0.0
        return self._sum_increase - self._min_increase, self._max_decrease - self._sum_decrease

    def to_numbers(self) -> Iterator[float]:
        """Count and mean, the sums and their extremes, and whether drift is signalled."""
        if self._x_mean.n:
            yield from (self._x_mean.n, self._x_mean.get())
            yield from (self._sum_increase, self._min_increase)
            yield from (self._sum_decrease, self._max_decrease, float(self._drift_detected))

    @classmethod
    def from_numbers(cls, numbers: Sequence[float]) -> Self:
        """A test as it was."""
        test = cls()
        if numbers:
            test._x_mean = Mean()
            test._x_mean.update(numbers[1], w=numbers[0])
            test._sum_increase, test._min_increase = numbers[2:4]
            test._sum_decrease, highest = numbers[4:6]
            test._max_decrease = highest  # type: ignore[assignment]  # River begins at a whole -1
            test._drift_detected = bool(numbers[6])
        return test


class _Follower:
    """One feature: its scale, the sums of Page-Hinkley, and the values that ADWIN is given.

    Between two values only numbers are kept, a fraction of what both tests take. ADWIN is Rust and
    cannot be put back from numbers: a fresh one is given all values since it was begun, which
    brings it to where it was, exactly. It is begun anew over the last ``SPAN`` values whenever
    twice as many have gathered.
    """

    __slots__ = ("age", "changed", "gaps", "is_cut", "last", "scale", "sums", "values", "young")

    def __init__(self) -> None:
        self.scale = 0.0
        self.young = _NONE
        self.sums = array("d")
        self.values = array("h")
        # Stamps as their distances; the first one's does not count.
        self.gaps, self.last = array("H"), 0
        self.changed = _NEVER
        self.age = 0
        # Whether ADWIN has cut its window at the last value.
        self.is_cut = False

    def score(self, value: float) -> float:
        if not self.scale:
            return 0.0
        if self.is_cut:
            return 1.0
        ahead = self.page_hinkley()
        ahead.update(self.steps(value, ahead) / STEP)  # type: ignore[no-untyped-call]  # River's
        return min(max(ahead.sums()) / THRESHOLD, 1.0) if ahead.mean() is not None else 0.0

    def page_hinkley(self) -> _PageHinkley:
        return _PageHinkley.from_numbers(self.sums)

    def learn(self, value: float, stamp: int) -> None:
        if self.scale:
            self.follow(value, stamp)
            return
        self.young = array("d", [*self.young, value])
        self._stamp(stamp)
        if len(self.young) == WARM_UP:
            moments = Moments()
            for one in self.young:
                moments.update(one)
            self.scale = moments.scale()
            young, stamps = self.young, [self.stamp(place) for place in range(WARM_UP)]
            self.young, self.gaps = _NONE, array("H")
            for one, at in zip(young, stamps, strict=True):
                self.follow(one, at)

    def steps(self, value: float, sums: _PageHinkley) -> int:
        """The value in steps of the feature's scale, not too far from the running mean."""
        z = value / self.scale
        mean = sums.mean()
        if mean is not None:
            z = max(mean - CLIP, min(mean + CLIP, z))
        return round(max(-_LARGEST, min(_LARGEST, z * STEP)))

    def follow(self, value: float, stamp: int) -> None:
        """Give a value to both tests, and note when a change that they signal began."""
        sums = self.page_hinkley()
        steps = self.steps(value, sums)
        self.age += 1
        if self.age > REMEMBERED:
            self.changed = _NEVER
        sums.update(steps / STEP)  # type: ignore[no-untyped-call]  # River's
        self.sums = array("d", sums.to_numbers())
        self._keep(steps, stamp)
        self.is_cut = _adwin(self.values).drift_detected
        if sums.drift_detected or self.is_cut:
            self.changed, self.age = self.beginning(), 0

    def since(self) -> int:
        """When the change began that is signalled, or half way to being so."""
        sums = self.page_hinkley()
        is_near = sums.mean() is not None and max(sums.sums()) >= THRESHOLD / 2.0
        return self.beginning() if self.changed == _NEVER and is_near else self.changed

    def beginning(self) -> int:
        """Where the kept values split best into two means: the likeliest place of one step."""
        total, count = sum(self.values), len(self.values)
        best, place, newer = -1.0, 0, 0
        for at in range(count - 1, 0, -1):
            newer += self.values[at]
            size = count - at
            contrast = (newer - total * size / count) ** 2 / (size * at)
            if contrast > best:
                best, place = contrast, at
        return self.stamp(place)

    def moved(self, since: int) -> float:
        older = [one for at, one in enumerate(self.values) if self.stamp(at) < since]
        newer = self.values[len(older) :]
        if not newer:
            return 0.0
        before = sum(older) / len(older) if older else 0.0
        return (sum(newer) / len(newer) - before) / STEP

    def stamp(self, place: int) -> int:
        """The stamp of a kept value."""
        return self.last - sum(self.gaps[place + 1 :])

    def _stamp(self, stamp: int) -> None:
        self.gaps.append(min(stamp - self.last, _GAP_MAX) if self.gaps else 0)
        self.last = stamp

    def _keep(self, steps: int, stamp: int) -> None:
        """Keep what a fresh ADWIN must be given to be like this one."""
        if self.is_cut:  # River's begins anew with the next value
            del self.values[:], self.gaps[:]
        elif len(self.values) == 2 * SPAN:
            del self.values[:SPAN], self.gaps[:SPAN]
        self.values.append(steps)
        self._stamp(stamp)

    def to_numbers(self) -> list[list[float]]:
        """Scale, change, its age and ADWIN's cut; sums, values, steps of stamps, warm-up."""
        first = [self.scale, self.changed, self.age, int(self.is_cut)]
        steps: list[float] = [self.stamp(0), *self.gaps[1:]] if self.gaps else []
        return [first, [*self.sums], [*self.values], steps, [*self.young]]

    @classmethod
    def from_numbers(cls, numbers: list[list[float]]) -> Self:
        """A follower as it was."""
        follower = cls()
        first, sums, values, steps, young = numbers
        follower.scale = first[0]
        follower.changed, follower.age = map(int, first[1:3])
        follower.sums = array("d", sums)
        follower.values = array("h", map(int, values))
        stamps = list(map(int, steps))
        follower.last = sum(stamps)
        follower.gaps = array("H", [0, *stamps[1:]] if stamps else [])
        # States of before it was kept have it in their values.
        follower.is_cut = bool(first[3]) if first[3:] else _adwin(follower.values).drift_detected
        follower.young = array("d", young) if young else _NONE
        return follower


@detector
class Drift:
    """How far a feature has been moving away for a while: 1 when a change is signalled.

    Values, in practice standardised residuals, are divided by a scale taken once from the first
    14 (their standard deviation, with a deviation of 1 believed as 14 values more).
    Page-Hinkley: with ``d = value - running mean``, ``up = max(0, up + d - 0.25)`` and
    ``down = max(0, down - d - 0.25)``; ``score = max(up, down) / 12`` with today's value in it, and
    1 from a sum of 12 on, after which the test begins anew. The score is also 1 when ADWIN found
    the newer part of its window of 42 to 84 values unlike the older one at the last learned value.
    The highest score of the features counts; 0 before 14 values of a feature. Missing values are
    passed over. A change of one standard deviation is signalled after about two weeks.

    Source: Page 1954, Biometrika 41:100-115; Bifet & Gavalda 2007, SIAM Data Mining, 443-448;
    River's ``drift.PageHinkley`` and ``drift.ADWIN``.

    >>> drift = Drift()
    >>> for i in range(56):
    ...     drift.learn_one({"sleep_duration_min": i % 3 - 1.0 + (1.5 if i >= 50 else 0.0)})
    >>> drift.score_one({"sleep_duration_min": 2.5}), drift.since("sleep_duration_min")
    (1.0, 50)
    """

    name: ClassVar[str] = "drift"
    version: ClassVar[str] = "1"

    __slots__ = ("_followers", "_rows")

    def __init__(self) -> None:
        self._followers: dict[str, _Follower] = {}
        self._rows = 0

    def score_one(self, x: Mapping[str, float]) -> float:
        """The highest score of the features in ``x``."""
        refuse_unknown(x)
        return max(self.scores(x).values(), default=0.0)

    def scores(self, x: Mapping[str, float]) -> dict[str, float]:
        """Each known feature of ``x`` with its score."""
        followers = self._followers
        return {
            name: followers[name].score(value) for name, value in x.items() if name in followers
        }

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Give the features of ``x`` to their tests."""
        refuse_unknown(x)
        stamp = int(x.get(DAY, self._rows))
        self._rows += 1
        for name, value in x.items():
            if name in CONTEXT:
                continue
            follower = self._followers.get(name)
            if follower is None:
                if len(self._followers) >= FEATURES_MAX:
                    continue
                follower = self._followers[name] = _Follower()
            follower.learn(value, stamp)

    def forget(self, features: Iterable[str]) -> None:
        """Begin anew with features that are no longer what they were, such as of another device."""
        for feature in features:
            self._followers.pop(feature, None)

    def since(self, feature: str) -> int | None:
        """When the change of a feature is thought to have begun, None without one.

        The likeliest place of one step among the values kept for ADWIN, the last 42 to 84 or those
        since it signalled: the ``DAY`` of that row, or, where rows carry none, its place among the
        learned rows. It is told while a sum is half way to its threshold, and for 28 values after
        a signal.
        """
        follower = self._followers.get(feature)
        since = _NEVER if follower is None else follower.since()
        return None if since == _NEVER else since

    def moved(self, feature: str, since: int) -> float:
        """How far values since a day lie above the older ones, in the feature's scale.

        Where no older ones are kept, above zero; 0 where none are since then.
        """
        follower = self._followers.get(feature)
        return 0.0 if follower is None else follower.moved(since)

    def to_state(self) -> State:
        """Rows learned, and the numbers of each feature."""
        features = {name: self._followers[name].to_numbers() for name in sorted(self._followers)}
        return {"rows": self._rows, "features": features}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Drift as it was; ADWIN is given its values again."""
        drift = cls()
        drift._rows = state["rows"]
        for name, numbers in state["features"].items():
            drift._followers[name] = _Follower.from_numbers(numbers)
        return drift


def _adwin(values: "array[int]") -> ADWIN:
    """River's test, looking at each value, having seen ``values``."""
    adwin = ADWIN(  # type: ignore[no-untyped-call]  # River's
        SIGNIFICANCE, clock=1, min_window_length=7, grace_period=WARM_UP
    )
    for steps in values:
        adwin.update(steps / STEP)  # type: ignore[no-untyped-call]  # River's
    return adwin
