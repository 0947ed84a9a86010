"""The changes that can be planted: what each does to which signal, and for how many days."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct


class Signal(StrEnum):
    """What a record tells of a person, as far as changes touch it."""

    HEART_RATE = "heart_rate"
    VARIABILITY = "variability"
    SLEEP = "sleep"
    SLEEP_TIME = "sleep_time"
    STEPS = "steps"
    PHONE = "phone"


SIGNALS: dict[str, frozenset[Signal]] = {
    "heart_rate/1": frozenset({Signal.HEART_RATE}),
    "inter_beat_interval/1": frozenset({Signal.HEART_RATE, Signal.VARIABILITY}),
    "resting_heart_rate/1": frozenset({Signal.HEART_RATE}),
    "heart_rate_variability/1": frozenset({Signal.VARIABILITY}),
    "sleep_stage/1": frozenset({Signal.SLEEP, Signal.SLEEP_TIME}),
    "sleep_episode/1": frozenset({Signal.SLEEP, Signal.SLEEP_TIME}),
    "sleep_summary/1": frozenset({Signal.SLEEP}),
    "steps/1": frozenset({Signal.STEPS}),
    "activity_summary/1": frozenset({Signal.STEPS}),
    "phone_interaction/1": frozenset({Signal.PHONE}),
    "phone_app_usage/1": frozenset({Signal.PHONE}),
    "phone_usage_summary/1": frozenset({Signal.PHONE}),
    "phone_call/1": frozenset({Signal.PHONE}),
    "phone_message/1": frozenset({Signal.PHONE}),
}
"""Schema -> signals that its records carry; records of all other schemas are never changed."""


class Effect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By how much each signal changes; 0 leaves it as it is.

    ``heart_rate_bpm`` is added to every heart rate, ``rmssd_percent`` changes RMSSD. ``sleep_min``
    is cut from the time asleep at the end of the main sleep, ``sleep_shift_min`` moves the main
    sleep (later where positive). ``steps_percent`` changes steps and active time,
    ``phone_percent`` screen time, unlocks and, where negative, calls and messages.
    """

    heart_rate_bpm: Annotated[float, Meta(ge=-40.0, le=40.0)] = 0.0
    rmssd_percent: Annotated[float, Meta(ge=-90.0, le=200.0)] = 0.0
    sleep_min: Annotated[float, Meta(ge=-600.0, le=0.0)] = 0.0
    sleep_shift_min: Annotated[float, Meta(ge=-360.0, le=360.0)] = 0.0
    steps_percent: Annotated[float, Meta(ge=-100.0, le=300.0)] = 0.0
    phone_percent: Annotated[float, Meta(ge=-100.0, le=100.0)] = 0.0

    @property
    def signals(self) -> frozenset[Signal]:
        """What this changes."""
        sizes = {
            Signal.HEART_RATE: self.heart_rate_bpm,
            Signal.VARIABILITY: self.rmssd_percent,
            Signal.SLEEP: self.sleep_min,
            Signal.SLEEP_TIME: self.sleep_shift_min,
            Signal.STEPS: self.steps_percent,
            Signal.PHONE: self.phone_percent,
        }
        return frozenset(signal for signal, size in sizes.items() if size)


class Change(Struct, frozen=True, kw_only=True):
    """A change as it is planted: its effect, on so many local dates in a row."""

    days: int
    effect: Effect


CHANGES: dict[str, Change] = {
    "compound": Change(
        days=5,
        effect=Effect(
            heart_rate_bpm=3.0, rmssd_percent=-15.0, sleep_min=-60.0, steps_percent=-30.0
        ),
    ),
    "resting_heart_rate": Change(days=5, effect=Effect(heart_rate_bpm=4.0)),
    "short_sleep": Change(days=4, effect=Effect(sleep_min=-120.0)),
    "later_sleep": Change(days=5, effect=Effect(sleep_shift_min=120.0)),
    "low_variability": Change(days=5, effect=Effect(rmssd_percent=-20.0)),
    "withdrawal": Change(days=7, effect=Effect(steps_percent=-50.0, phone_percent=-50.0)),
    "short_nights_active": Change(
        days=4, effect=Effect(sleep_min=-90.0, steps_percent=60.0, phone_percent=40.0)
    ),
}
"""Changes by name, as the label files call them."""


def sized(effect: Effect, sizes: dict[str, float]) -> Effect:
    """The effect with some of its sizes replaced.

    Raises
    ------
    ValueError
        If a size is not one of an effect, or outside of what can be planted.
    """
    return msgspec.convert(msgspec.structs.asdict(effect) | sizes, Effect)
