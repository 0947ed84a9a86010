"""Drift: whether a feature's residuals have been moving away, a little every day, and since when.

River's Page-Hinkley test adds up small deviations to either side; River's ADWIN compares the older
with the newer part of the last weeks.
"""

from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise
from typing import ClassVar, Self

from river.drift import ADWIN, PageHinkley
from river.stats import Mean

from detectors.base import CONTEXT, DAY, State, detector, refuse_unknown
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

FEATURES_MAX = 64
"""Most features that are followed; further ones are left out, so that memory is bounded."""

_LARGEST = 2**15 - 1
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

    def ahead(self, value: float) -> float:
        """The larger sum with one more value, of which nothing is kept."""
        copy = _PageHinkley.from_numbers(self.to_numbers())
        copy.update(value)  # type: ignore[no-untyped-call]  # River's
        return max(copy.sums()) if copy.mean() is not None else 0.0

    def to_numbers(self) -> list[float]:
        """Count and mean, the sums and their extremes, and whether drift is signalled."""
        if not self._x_mean.n:
            return []
        numbers = [self._x_mean.n, self._x_mean.get(), self._sum_increase, self._min_increase]
        return [*numbers, self._sum_decrease, self._max_decrease, float(self._drift_detected)]

    @classmethod
    def from_numbers(cls, numbers: list[float]) -> Self:
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
    """One feature: its scale, both tests, and the values that ADWIN was given.

    ADWIN is Rust and cannot be put back from numbers. It is therefore begun anew over the last
    ``SPAN`` values whenever twice as many have gathered, so that giving a fresh one all values
    since brings it to where it was, exactly.
    """

    __slots__ = ("age", "changed", "scale", "stamps", "sums", "values", "window", "young")

    def __init__(self) -> None:
        self.scale = 0.0
        self.young: list[float] = []
        self.sums = _PageHinkley()
        self.window = _adwin()
        self.values = array("h")
        self.stamps = array("i")
        self.changed = _NEVER
        self.age = 0

    def score(self, value: float) -> float:
        if not self.scale:
            return 0.0
        if self.window.drift_detected:
            return 1.0
        return min(self.sums.ahead(self.steps(value) / STEP) / THRESHOLD, 1.0)

    def learn(self, value: float, stamp: int) -> None:
        if self.scale:
            self.follow(value, stamp)
            return
        self.young.append(value)
        self.stamps.append(stamp)
        if len(self.young) == WARM_UP:
            moments = Moments()
            for one in self.young:
                moments.update(one)
            self.scale = moments.scale()
            young, stamps = self.young, self.stamps
            self.young, self.stamps = [], array("i")
            for one, at in zip(young, stamps, strict=True):
                self.follow(one, at)

    def steps(self, value: float) -> int:
        """The value in steps of the feature's scale, not too far from the running mean."""
        z = value / self.scale
        mean = self.sums.mean()
        if mean is not None:
            z = max(mean - CLIP, min(mean + CLIP, z))
        return round(max(-_LARGEST, min(_LARGEST, z * STEP)))

    def follow(self, value: float, stamp: int) -> None:
        """Give a value to both tests, and note when a change that they signal began."""
        steps = self.steps(value)
        self.age += 1
        if self.age > REMEMBERED:
            self.changed = _NEVER
        self.sums.update(steps / STEP)  # type: ignore[no-untyped-call]  # River's
        self._keep(steps, stamp)
        self.window.update(steps / STEP)  # type: ignore[no-untyped-call]  # River's
        if self.sums.drift_detected or self.window.drift_detected:
            self.changed, self.age = self.beginning(), 0

    def since(self) -> int:
        """When the change began that is signalled, or half way to being so."""
        is_near = self.sums.mean() is not None and max(self.sums.sums()) >= THRESHOLD / 2.0
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
        return self.stamps[place]

    def _keep(self, steps: int, stamp: int) -> None:
        """Keep what a fresh ADWIN must be given to be like this one."""
        if self.window.drift_detected:  # River's begins anew with the next value
            del self.values[:], self.stamps[:]
        elif len(self.values) == 2 * SPAN:
            del self.values[:SPAN], self.stamps[:SPAN]
            self.window = _adwin(self.values)
        self.values.append(steps)
        self.stamps.append(stamp)

    def to_numbers(self) -> list[list[float]]:
        """Scale, change and its age, the sums, values, steps of stamps, values of the warm-up."""
        first = [self.scale, self.changed, self.age]
        steps: list[float] = [stamp - before for before, stamp in pairwise([0, *self.stamps])]
        return [first, self.sums.to_numbers(), [*self.values], steps, [*self.young]]

    @classmethod
    def from_numbers(cls, numbers: list[list[float]]) -> Self:
        """A follower as it was."""
        follower = cls()
        first, sums, values, steps, young = numbers
        follower.scale = first[0]
        follower.changed, follower.age = map(int, first[1:])
        follower.sums = _PageHinkley.from_numbers(sums)
        follower.values = array("h", map(int, values))
        follower.stamps = array("i", accumulate(map(int, steps)))
        follower.window = _adwin(follower.values)
        follower.young = list(young)
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


def _adwin(values: "array[int] | tuple[()]" = ()) -> ADWIN:
    """River's test, looking at each value, having seen ``values``."""
    adwin = ADWIN(  # type: ignore[no-untyped-call]  # River's
        SIGNIFICANCE, clock=1, min_window_length=7, grace_period=WARM_UP
    )
    for steps in values:
        adwin.update(steps / STEP)  # type: ignore[no-untyped-call]  # River's
    return adwin
