"""What a feature may read: the evidence of one subject through one window.

A window reads nothing timed at or after its end; open episodes are cut there. So whatever a topic
has sent ahead of the others cannot show in a row.
"""

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.cells import BEATS, COUNT, HEART, HOUR_MIN, INTERVALS, SQUARES, STEPS, SUM
from streams.events import Record, WindowKind
from streams.evidence import Evidence
from streams.history import NO_PAST, Past
from streams.listed import ListedReading
from streams.localtime import date_of_index
from streams.reading import Reading
from streams.timeline import bit_array, bits_of, run_starts

REST_LOOKBACK_MIN = 12
"""Minutes without steps after which a heart rate counts as resting (Bogu & Snyder 2021)."""

DAY_MIN = 1_440

LOOKBACK_DAYS = 2
"""How long before a window single records begin that it reads (days)."""

DATED_OF_NIGHT = frozenset({"sleep_summary/1"})
"""Types of dated records that nights read; days read all of them."""

Values = dict[str, float]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Bounds(Struct, frozen=True):
    """A window: minutes since the epoch, the date it is keyed by, the zone without devices."""

    kind: WindowKind
    start: int
    stop: int
    date: int
    zone: str


class HeartMinutes(Struct, frozen=True):
    """Heart rate per minute, arrays of the window's length; 0 beats/min where ``valid`` is not."""

    valid: Bools
    mean_bpm: Floats


class StepMinutes(Struct, frozen=True):
    """Steps per minute from ``REST_LOOKBACK_MIN`` before the window; ``known``: was it told."""

    known: Bools
    steps: NDArray[Any]


class BeatMinutes(Struct, frozen=True):
    """Differences of successive beats per minute: how many, and their squares summed (ms2)."""

    count: NDArray[Any]
    squares_ms2: NDArray[Any]


class BeatHours(Struct, frozen=True):
    """Intervals between beats of the whole hours (UTC) that lie within a window.

    How many, summed (ms) and their squares summed (ms2), each of shape (hours,); ``minutes``: the
    part of an array of the window's minutes that are these hours.
    """

    minutes: slice
    count: NDArray[Any]
    total_ms: NDArray[Any]
    squares_ms2: NDArray[Any]


class Window:
    """The evidence of one subject between ``start`` and ``stop`` (minutes since the epoch).

    ``past``: what is kept of the dates before the window's, of its own kind. ``beside``: a window
    of the same evidence as it is now, whose reading this one shares.
    """

    def __init__(
        self,
        bounds: Bounds,
        evidence: Evidence,
        past: Past = NO_PAST,
        *,
        beside: "Window | None" = None,
    ) -> None:
        self.bounds = bounds
        self.start = bounds.start
        self.stop = bounds.stop
        self.start_s = bounds.start * 60.0
        self.stop_s = bounds.stop * 60.0
        self.length = bounds.stop - bounds.start
        self.evidence = evidence
        self.past = past
        self.found: dict[str, Any] = {}
        self.grid: Reading = evidence.grid.reading() if beside is None else beside.grid
        self.listed: ListedReading = evidence.listed.reading() if beside is None else beside.listed

    @cached_property
    def heart(self) -> HeartMinutes | None:
        """Heart rate of the window's minutes, None when there is none."""
        arrays = self.grid.channel(self.start, self.stop, HEART, (COUNT, SUM))
        if arrays is None:
            return None
        count, total = arrays
        valid = count > 0
        if not valid.any():
            return None
        mean = np.zeros(self.length)
        np.divide(total, count * 10.0, out=mean, where=valid)
        return HeartMinutes(valid, mean)

    @cached_property
    def steps(self) -> StepMinutes | None:
        """Steps of the window's minutes and the ``REST_LOOKBACK_MIN`` before, None without any."""
        arrays = self.grid.channel(self.start - REST_LOOKBACK_MIN, self.stop, STEPS, (0, 1))
        return None if arrays is None else StepMinutes(arrays[0] > 0, arrays[1])

    @cached_property
    def beats(self) -> BeatMinutes | None:
        """Differences of successive beats of the window's minutes, None when there are none."""
        arrays = self.grid.channel(self.start, self.stop, BEATS, (COUNT, SUM))
        return None if arrays is None else BeatMinutes(arrays[0], arrays[1])

    @property
    def beat_hours(self) -> BeatHours | None:
        """Intervals between beats by the hour, None when there are none."""
        first, last = -(-self.start // HOUR_MIN), self.stop // HOUR_MIN
        arrays = self.grid.hours(first, last, INTERVALS, (COUNT, SUM, SQUARES))
        if arrays is None:
            return None
        minutes = slice(first * HOUR_MIN - self.start, last * HOUR_MIN - self.start)
        return BeatHours(minutes, *(values[:, 0] for values in arrays))

    @cached_property
    def _quiet(self) -> Bools:
        """Minutes known to be without steps, from ``REST_LOOKBACK_MIN`` before the window on."""
        if self.steps is None:
            return np.zeros(REST_LOOKBACK_MIN + self.length, dtype=bool)
        quiet: Bools = self.steps.known & (self.steps.steps == 0)
        return quiet

    @property
    def without_steps(self) -> Bools:
        """Minutes of the window known to be without steps."""
        return self._quiet[REST_LOOKBACK_MIN:]

    @cached_property
    def still(self) -> Bools:
        """Minutes without steps, in themselves and the ``REST_LOOKBACK_MIN`` before; known ones."""
        still = run_starts(bits_of(self._quiet), REST_LOOKBACK_MIN + 1)
        return bit_array(still, self.length)

    def records(self, schema: str) -> list[tuple[tuple[int, str], Record]]:
        """Single records of a type that begin at most ``LOOKBACK_DAYS`` before the window."""
        last_day = self.stop // 1_440
        return list(self.listed.read(schema, self.first_listed_day, last_day))

    @property
    def first_listed_day(self) -> int:
        """The first day of which single records are read (since the epoch)."""
        return self.start // 1_440 - LOOKBACK_DAYS

    def dated(self, schema: str) -> Record | None:
        """The dated record of the window's date from the source that goes first, None if none."""
        assert self.bounds.kind is WindowKind.DAY or schema in DATED_OF_NIGHT, (
            "nights follow others"
        )
        name = f"dated {schema}"
        if name not in self.found:
            self.found[name] = self._dated(schema)
        return cast("Record | None", self.found[name])

    def _dated(self, schema: str) -> Record | None:
        date = self.bounds.date
        for _, record in self.listed.read(schema, date, date):
            if getattr(record, "date", None) == date_of_index(date):
                return record
        return None

    def alive_bits(self, source: tuple[int, str]) -> int:
        """Minutes in which a source is known to have lived, from its signs of life."""
        device = self.evidence.devices.get(source)
        return device.alive.between(self.start, self.stop) if device is not None else 0

    def alive(self, source: tuple[int, str]) -> Bools:
        """The same as an array."""
        return bit_array(self.alive_bits(source), self.length)

    @cached_property
    def local_clock(self) -> NDArray[np.int64]:
        """Local clock of each minute, counted from the midnight that begins the window's date."""
        offsets, zone = self.evidence.offsets, self.bounds.zone
        minutes = np.arange(self.start, self.stop, dtype=np.int64) - self.bounds.date * 1_440
        constant = offsets.is_constant(self.start, self.stop, zone)
        if constant is not None:
            return minutes + constant
        return minutes + offsets.between(self.start, self.stop, zone)

    def local_minutes(self, time_s: float) -> float:
        """Local clock at ``time_s`` as minutes from the midnight that begins the window's date."""
        offset = self.evidence.offsets.at(int(time_s // 60), self.bounds.zone)
        return (time_s - self.bounds.date * 86_400.0) / 60.0 + offset

    def span_between(self, start_s: float, stop_s: float) -> slice:
        """The minutes that lie wholly between two instants (s UTC), as a part of an array."""
        first = max(int(-(-start_s // 60.0)) - self.start, 0)
        return slice(first, max(int(stop_s // 60.0) - self.start, first))

    def mask_between(self, start_s: float, stop_s: float) -> Bools:
        """Minutes that lie wholly between two instants (s UTC)."""
        inside = np.zeros(self.length, dtype=bool)
        inside[self.span_between(start_s, stop_s)] = True
        return inside


def runs_of(mask: Bools) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where runs of true values begin and end, the ends not being of them."""
    framed = np.zeros(mask.size + 2, dtype=bool)
    framed[1:-1] = mask
    edges = np.flatnonzero(framed[1:] != framed[:-1])
    return edges[::2], edges[1::2]


def mean_of(values: Floats) -> float:
    """Mean of some values, without what `numpy.mean` asks before it divides."""
    return float(values.sum() / values.size)


FeatureFunction = Callable[[Window], Values]
T = TypeVar("T")


def once_per_window(function: Callable[[Window], T]) -> Callable[[Window], T]:
    """Compute a function of a window once, for several features ask for the same thing."""
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def remembered(window: Window) -> T:
        if name not in window.found:
            window.found[name] = function(window)
        return cast("T", window.found[name])

    return remembered


@once_per_window
def local_hours(window: Window) -> NDArray[np.int64]:
    """Hour of the local clock of each minute (0 to 23)."""
    hours: NDArray[np.int64] = window.local_clock % DAY_MIN // 60
    return hours


UNITS = {
    "bpm": "beats per minute",
    "count": "number",
    "h": "hours",
    "index": "number on a scale of its own",
    "min": "minutes; of a clock time, from the midnight that begins the row's date",
    "min_per_h": "minutes per hour",
    "ms": "milliseconds",
    "nats": "nats, the natural unit of entropy",
    "percent": "percent",
    "ratio": "number without a unit",
    "score": "points of an instrument",
    "score_per_week": "points of an instrument per week",
    "steps_per_h": "steps per hour",
    "steps_per_min": "steps per minute",
}
"""With what names of values end, and what it stands for."""


class Figure(Struct, frozen=True, kw_only=True):
    """What a feature says of one value that it gives.

    ``name`` has its unit last (`UNITS`) and may hold a placeholder in angle brackets, such as
    ``<instrument>_score``. ``meaning``: what it is, with its formula where it has one.
    ``minimum``: the least data with which it is told. ``source``: paper or standard with its year,
    and the name in RAPIDS where it has one.
    """

    name: str
    meaning: str
    minimum: str
    source: str


class Feature(Struct, frozen=True):
    """What tells values of some kinds of window: its module, its function, and what it gives.

    Without a function the values are told from more than a window shows.
    """

    module: str
    function: FeatureFunction | None
    windows: frozenset[WindowKind]
    gives: tuple[Figure, ...]


FEATURES: list[Feature] = []
"""Every declared feature, in the order of their modules' names."""


def feature(
    *windows: WindowKind, gives: tuple[Figure, ...]
) -> Callable[[FeatureFunction], FeatureFunction]:
    """Declare a function of a window as a feature of the given kinds of window."""

    def register(function: FeatureFunction) -> FeatureFunction:
        FEATURES.append(Feature(function.__module__, function, frozenset(windows), gives))
        return function

    return register


def told_elsewhere(module: str, *windows: WindowKind, gives: tuple[Figure, ...]) -> None:
    """Declare values of rows that no function of a window gives, such as those of minutes."""
    FEATURES.append(Feature(module, None, frozenset(windows), gives))
