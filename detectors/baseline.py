"""Personal baseline: what is usual for this person, robust, with a floor and a warm-up.

Per feature two River means are kept: the centre, and the mean absolute deviation from it. Both
start from the cohort's prior as if it were so many observations of one's own, forget over six
weeks, and take in an unusual value only clipped, so that an episode does not become the usual.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Self

from msgspec import Struct

from detectors.base import CONTEXT, DAY, FEATURES_MAX, HOUR, State, detector, refuse_unknown
from detectors.cohort import Prior
from detectors.config import Concern
from detectors.features import Shape, from_shape, to_shape
from detectors.running import (
    PRIOR_SCALE_COUNT,
    SD_OF_DEVIATION,
    Running,
    centre_of,
    numbers_of,
    update,
)

HORIZON = 42
"""Observations over which the usual is forgotten: six weeks of days."""

HOURS_A_DAY = 12
"""Valid hours that a day usually has, which stretches the horizon of an hourly feature."""

CLIP_Z = 2.5
"""Deviations are learned up to here (in standard deviations), as in Huber's estimator."""

HOLD_Z = 3.0
"""Deviations beyond do not move the centre at all, unless they stay."""

HOLD_COUNT = 14
"""Days of values held back to one side, one after the other, after which they are the new usual."""

HOUR_COUNT = 7.0
"""Values of one hour of the day that the person's all-day usual is worth there."""

BAND_Z = 1.2816
"""Half-width of the usual band: eight of ten values lie in it."""

YOUNG_DAYS = 28
"""Valid days for which a relearned baseline counts as relearned."""

_SQRT2 = math.sqrt(2.0)


class Form(Struct, frozen=True):
    """How a feature varies: its shape, and its smallest standard deviation in its own unit."""

    shape: Shape = Shape.LINEAR
    floor: float = 1.0
    concern: Concern = Concern.BOTH
    prior: Prior | None = None


class Usual(Struct, frozen=True, gc=False):
    """A value beside what is usual: ``z`` signed, the band in the feature's unit, score 0..1."""

    score: float
    z: float
    low: float
    median: float
    high: float
    days: int
    is_relearned: bool


FormOf = Callable[[str], Form | None]
"""Feature -> its form; None: the feature is not for this baseline."""


def _any_form(feature: str) -> Form | None:
    return _FORM


_FORM = Form()


class _Level:
    """What is usual for one feature, on the scale of its shape."""

    __slots__ = (
        "centre",
        "days",
        "deviation",
        "held",
        "hours",
        "last_day",
        "relearned",
    )

    def __init__(self, form: Form) -> None:
        self.centre = Running()
        self.deviation = Running()
        self.held: Running | None = None
        # None until an hour is told: nights and days have none, and an empty dict takes its room.
        self.hours: dict[int, Running] | None = None
        self.days = 0
        self.last_day = -1
        self.relearned = -1
        self.start_deviation(form)
        self.start_centre(form)

    def start_centre(self, form: Form) -> None:
        """Begin with the cohort's centre: worth little where people differ much."""
        self.centre = centre_of(form.prior)

    def start_deviation(self, form: Form) -> None:
        scale = 2.0 * form.floor if form.prior is None else form.prior.scale
        self.deviation.update(scale / SD_OF_DEVIATION, w=PRIOR_SCALE_COUNT)

    def middle(self, hour: int | None) -> float:
        """The centre, at this hour where hours are told apart."""
        own = None if hour is None or self.hours is None else self.hours.get(hour)
        if own is None:
            return self.centre.get()
        return self.centre.get() + own.get() * (own.n / (own.n + HOUR_COUNT))

    def scale(self, form: Form) -> float:
        """Standard deviation within the person, never below the floor at their own centre."""
        middle = self.centre.get()
        floor = to_shape(form.shape, from_shape(form.shape, middle) + form.floor) - middle
        return max(self.deviation.get() * SD_OF_DEVIATION, floor)

    def doubt(self) -> float:
        """Factor by which a centre known from few values widens what is to be expected."""
        return math.sqrt(1.0 + 1.0 / self.centre.n)


@detector
class Baseline:
    """Robust z of each feature against the person's own usual, as a score.

    ``score = erf(|z| / sqrt(2))`` to the side of concern, 0 to the other. ``x`` may carry ``HOUR``
    (hours of the day then differ in their centre) and ``DAY`` (rows of one day then count as one).

    >>> baseline = Baseline()
    >>> for bpm in (60.0, 62.0, 61.0, 60.0, 62.0, 61.0):
    ...     baseline.learn_one({"heart_rate_bpm": bpm})
    >>> round(baseline.score_one({"heart_rate_bpm": 61.0}), 2)
    0.0
    >>> round(baseline.score_one({"heart_rate_bpm": 75.0}), 2)
    1.0
    """

    name: ClassVar[str] = "baseline"
    version: ClassVar[str] = "1"

    __slots__ = ("_form_of", "_levels")

    def __init__(self, form_of: FormOf = _any_form) -> None:
        self._form_of = form_of
        self._levels: dict[str, _Level] = {}

    def score_one(self, x: Mapping[str, float]) -> float:
        """The highest score of the features in ``x``; 0 while nothing is known of them."""
        refuse_unknown(x)
        return max((usual.score for _, usual in self.look(x)), default=0.0)

    def look(self, x: Mapping[str, float]) -> Iterator[tuple[str, Usual]]:
        """Each known feature of ``x`` beside what is usual, in the order of ``x``."""
        hour = _hour(x)
        for feature, value in x.items():
            form = self._form_of(feature)
            level = self._levels.get(feature)
            if form is None or feature in CONTEXT:
                continue
            if level is None:
                if form.prior is None:
                    continue
                level = _Level(form)
            elif level.centre.n <= 0.0:
                continue
            yield feature, _compare(value, level, form, hour)

    def known_days(self) -> Mapping[str, int]:
        """Feature -> valid days learned, for features that were ever learned."""
        return {feature: level.days for feature, level in self._levels.items()}

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Take the features of ``x`` into what is usual for them."""
        refuse_unknown(x)
        hour = _hour(x)
        day = x.get(DAY)
        for feature, value in x.items():
            form = self._form_of(feature)
            if form is None or feature in CONTEXT:
                continue
            level = self._levels.get(feature)
            if level is None:
                if len(self._levels) >= FEATURES_MAX:
                    continue
                level = self._levels[feature] = _Level(form)
            _count_day(level, day)
            _learn(level, form, to_shape(form.shape, value), hour)

    def relearn(self, features: frozenset[str] | None = None) -> None:
        """Forget where the centre lies and warm up again; the person's own scale stays.

        For ``features``, such as those of a device that was changed for another model, or all.
        """
        for feature, level in self._levels.items():
            form = self._form_of(feature)
            if form is None or (features is not None and feature not in features):
                continue
            level.start_centre(form)
            level.held = None
            level.days = 0
            level.last_day = -1
            level.relearned = 0

    def to_state(self) -> State:
        """Numbers by feature: days, last day, relearned, then (n, mean) of each running mean."""
        return {feature: _numbers(level) for feature, level in sorted(self._levels.items())}

    @classmethod
    def from_state(cls, state: State, form_of: FormOf = _any_form) -> Self:
        """A baseline as it was; ``form_of`` is configuration, not state."""
        baseline = cls(form_of)
        for feature, numbers in state.items():
            form = form_of(feature)
            if form is not None:
                baseline._levels[feature] = _level(form, numbers)
        return baseline


def _hour(x: Mapping[str, float]) -> int | None:
    hour = x.get(HOUR)
    return None if hour is None else int(hour)


def _compare(value: float, level: _Level, form: Form, hour: int | None) -> Usual:
    middle, scale = level.middle(hour), level.scale(form)
    z = (to_shape(form.shape, value) - middle) / (scale * level.doubt())
    is_of_concern = form.concern is not (Concern.DOWN if z > 0.0 else Concern.UP)
    return Usual(
        math.erf(abs(z) / _SQRT2) if is_of_concern else 0.0,
        z,
        from_shape(form.shape, middle - BAND_Z * scale),
        from_shape(form.shape, middle),
        from_shape(form.shape, middle + BAND_Z * scale),
        level.days,
        0 <= level.relearned < YOUNG_DAYS,
    )


def _count_day(level: _Level, day: float | None) -> None:
    """Count a valid day once, however many hours of it are learned."""
    if day is not None:
        if int(day) == level.last_day:
            return
        level.last_day = int(day)
    level.days += 1
    if level.relearned >= 0:
        level.relearned = min(level.relearned + 1, YOUNG_DAYS)


def _learn(level: _Level, form: Form, value: float, hour: int | None) -> None:
    if level.centre.n <= 0.0:
        level.centre.update(value)
        return
    middle = level.middle(hour)
    doubt = level.doubt()
    reach = level.scale(form) * doubt
    residual = value - middle
    clipped = max(-CLIP_Z * reach, min(CLIP_Z * reach, residual))
    a_day = 1 if hour is None else HOURS_A_DAY
    if abs(residual) > HOLD_Z * reach and level.days > HOLD_COUNT:
        # Lone outliers widen the scale; a stretch of them counts once, or it would hide itself.
        if level.held is None:
            update(level.deviation, abs(clipped) / doubt, HORIZON * a_day)
        _hold(level, residual, HOLD_COUNT * a_day)
        return
    level.held = None
    update(level.centre, level.centre.get() + clipped, HORIZON * a_day)
    update(level.deviation, abs(clipped) / doubt, HORIZON * a_day)
    if hour is not None:
        if level.hours is None:
            level.hours = {}
        at_hour = level.hours.setdefault(hour, Running())
        update(at_hour, middle + clipped - level.centre.get(), HORIZON)


def _hold(level: _Level, residual: float, count: int) -> None:
    """Keep a far value aside; ``count`` of them in a row to one side are a new usual."""
    held = level.held
    if held is None or (held.get() > level.centre.get()) != (residual > 0.0):
        held = level.held = Running()
    held.update(level.centre.get() + residual)
    if held.n >= count:
        level.centre = held
        level.held = None


def _numbers(level: _Level) -> list[float]:
    held = level.held if level.held is not None else Running()
    numbers: list[float] = [level.days, level.last_day, level.relearned]
    for mean in (level.centre, level.deviation, held):
        numbers += numbers_of(mean)
    for hour, mean in sorted((level.hours or {}).items()):
        numbers += [hour, *numbers_of(mean)]
    return numbers


def _level(form: Form, numbers: list[float]) -> _Level:
    level = _Level(form)
    level.days, level.last_day, level.relearned = (int(number) for number in numbers[:3])
    level.centre, level.deviation, held = (
        Running(numbers[at], numbers[at + 1]) for at in (3, 5, 7)
    )
    level.held = held if held.n > 0.0 else None
    level.hours = {
        int(numbers[at]): Running(numbers[at + 1], numbers[at + 2])
        for at in range(9, len(numbers), 3)
    } or None
    return level
