"""Which features are scored clinically: side of concern, physical floor, and words for them.

What strongly overlaps is scored once: the middle of sleep follows from its two ends, and a figure
that ``yields_to`` another is scored only where the other is absent.
"""

import math
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from detectors.config import Concern
from detectors.patterns import Domain
from streams.events import WindowKind


class Shape(StrEnum):
    """Scale on which a person's ordinary variation is about even to both sides."""

    LINEAR = "linear"
    ROOT = "root"
    LOG = "log"


class Display(StrEnum):
    """How a value is written for people."""

    DURATION = "duration"
    CLOCK = "clock"
    BPM = "bpm"
    MS = "ms"
    PERCENT = "percent"
    COUNT = "count"
    TIMES = "times"
    STEPS = "steps"
    POINTS = "points"
    NUMBER = "number"


class FeatureSpec(Struct, frozen=True, kw_only=True):
    """A feature that is scored.

    ``floor`` is the smallest standard deviation taken for real, in ``unit``; ``name`` is what
    staff call it, and ``phrase`` goes before its value in a sentence, where it differs.
    ``channel`` is the channel whose coverage vouches for it, ``domain`` what it tells of in a
    pattern.
    """

    window: WindowKind
    feature: str
    concern: Concern
    unit: str
    floor: float
    shape: Shape = Shape.LINEAR
    display: Display = Display.NUMBER
    name: str
    phrase: str = ""
    channel: str | None = None
    domain: Domain = Domain.OTHER
    yields_to: str | None = None


LOG_MIN = 0.1
"""Smallest value whose logarithm is taken (in the feature's unit)."""

SPECS: tuple[FeatureSpec, ...] = (
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="sleep_duration_min",
        concern=Concern.BOTH,
        unit="min",
        floor=20.0,
        display=Display.DURATION,
        name="sleep duration",
        phrase="slept",
        channel="sleep",
        domain=Domain.SLEEP,
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="sleep_onset_min",
        concern=Concern.BOTH,
        unit="min",
        floor=15.0,
        display=Display.CLOCK,
        name="time of falling asleep",
        phrase="fell asleep at",
        channel="sleep",
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="sleep_offset_min",
        concern=Concern.BOTH,
        unit="min",
        floor=15.0,
        display=Display.CLOCK,
        name="time of waking up",
        phrase="woke up at",
        channel="sleep",
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="sleep_efficiency_percent",
        concern=Concern.DOWN,
        unit="%",
        floor=2.0,
        display=Display.PERCENT,
        name="share of time in bed asleep",
        channel="sleep",
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="awakening_count",
        concern=Concern.UP,
        unit="count",
        floor=1.0,
        shape=Shape.ROOT,
        display=Display.TIMES,
        name="awakenings",
        phrase="awake in the night",
        channel="sleep",
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="heart_rate_sleeping_bpm",
        concern=Concern.UP,
        unit="beats/min",
        floor=2.0,
        display=Display.BPM,
        name="heart rate asleep",
        channel="heart_rate",
        domain=Domain.HEART_RATE,
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="heart_rate_resting_bpm",
        concern=Concern.UP,
        unit="beats/min",
        floor=2.0,
        display=Display.BPM,
        name="resting heart rate at night",
        channel="heart_rate",
        domain=Domain.HEART_RATE,
        yields_to="heart_rate_sleeping_bpm",
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="rmssd_ms",
        concern=Concern.DOWN,
        unit="ms",
        floor=3.0,
        shape=Shape.LOG,
        display=Display.MS,
        name="heart rate variability asleep",
        channel="inter_beat_interval",
        domain=Domain.VARIABILITY,
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="screen_min",
        concern=Concern.UP,
        unit="min",
        floor=10.0,
        shape=Shape.ROOT,
        display=Display.DURATION,
        name="phone use at night",
        phrase="phone in use at night for",
        channel="phone",
    ),
    FeatureSpec(
        window=WindowKind.NIGHT,
        feature="unlock_count",
        concern=Concern.UP,
        unit="count",
        floor=2.0,
        shape=Shape.ROOT,
        display=Display.TIMES,
        name="phone unlocks at night",
        phrase="phone unlocked at night",
        channel="phone",
        yields_to="screen_min",
    ),
    FeatureSpec(
        window=WindowKind.DAY,
        feature="step_count",
        concern=Concern.BOTH,
        unit="count",
        floor=500.0,
        shape=Shape.ROOT,
        display=Display.STEPS,
        name="steps",
        phrase="walked",
        channel="steps",
        domain=Domain.ACTIVITY,
    ),
    FeatureSpec(
        window=WindowKind.DAY,
        feature="screen_min",
        concern=Concern.BOTH,
        unit="min",
        floor=20.0,
        shape=Shape.ROOT,
        display=Display.DURATION,
        name="phone use",
        phrase="phone in use for",
        channel="phone",
        domain=Domain.PHONE,
    ),
    FeatureSpec(
        window=WindowKind.DAY,
        feature="unlock_count",
        concern=Concern.BOTH,
        unit="count",
        floor=5.0,
        shape=Shape.ROOT,
        display=Display.TIMES,
        name="phone unlocks",
        phrase="phone unlocked",
        channel="phone",
        domain=Domain.PHONE,
    ),
    FeatureSpec(
        window=WindowKind.DAY,
        feature="first_use_min",
        concern=Concern.BOTH,
        unit="min",
        floor=20.0,
        display=Display.CLOCK,
        name="first phone use",
        phrase="phone first used at",
        channel="phone",
    ),
    FeatureSpec(
        window=WindowKind.DAY,
        feature="heart_rate_resting_bpm",
        concern=Concern.UP,
        unit="beats/min",
        floor=2.0,
        display=Display.BPM,
        name="resting heart rate",
        channel="heart_rate",
        domain=Domain.HEART_RATE,
    ),
    FeatureSpec(
        window=WindowKind.DAY,
        feature="rmssd_ms",
        concern=Concern.DOWN,
        unit="ms",
        floor=3.0,
        shape=Shape.LOG,
        display=Display.MS,
        name="heart rate variability",
        channel="inter_beat_interval",
        domain=Domain.VARIABILITY,
    ),
    FeatureSpec(
        window=WindowKind.HOUR,
        feature="heart_rate_resting_bpm",
        concern=Concern.UP,
        unit="beats/min",
        floor=3.0,
        display=Display.BPM,
        name="resting heart rate",
        channel="heart_rate",
    ),
)
"""The features that are scored, in the order in which they are told when equally unusual."""

_BY_KEY = {(spec.window, spec.feature): spec for spec in SPECS}
_SCORE_SUFFIX = "_score"


@lru_cache(maxsize=1_024)
def spec_of(window: WindowKind, feature: str) -> FeatureSpec | None:
    """How a feature is scored; None: not at all.

    A day's ``<instrument>_score`` of any self-report is scored to both sides, since instruments
    differ in which end is of concern.
    """
    spec = _BY_KEY.get((window, feature))
    if spec is None and window is WindowKind.DAY and feature.endswith(_SCORE_SUFFIX):
        name = instrument_name(feature.removesuffix(_SCORE_SUFFIX)) + " score"
        return FeatureSpec(
            window=window,
            feature=feature,
            concern=Concern.BOTH,
            unit="points",
            floor=2.0,
            display=Display.POINTS,
            name=name,
        )
    return spec


def instrument_name(slug: str) -> str:
    """Name of an instrument as people write it: ``phq_9`` is PHQ-9, ``vas_mood`` is VAS mood."""
    first, *rest = slug.split("_")
    joiner = "-" if rest and rest[0].isdigit() else " "
    return joiner.join((first.upper(), " ".join(rest))) if rest else first.upper()


def to_shape(shape: Shape, value: float) -> float:
    """Bring a value onto the scale on which variation is even to both sides."""
    if shape is Shape.ROOT:
        return math.sqrt(value) if value > 0.0 else 0.0
    if shape is Shape.LOG:
        return math.log(max(value, LOG_MIN))
    return value


def from_shape(shape: Shape, value: float) -> float:
    """Bring a value back from its shape's scale to its unit."""
    if shape is Shape.ROOT:
        return value * value if value > 0.0 else 0.0
    if shape is Shape.LOG:
        return math.exp(value)
    return value
