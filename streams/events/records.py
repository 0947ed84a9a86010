"""Record types that gateways publish about a person: one frozen struct each.

Field names follow the schemas of RADAR-base (camelCase on the wire, snake_case here); every
number carries its unit and range. Adding an event type is one struct with ``@ingest``.
"""

import datetime as dt
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from streams.events import ranges as r


class Record(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What all records share: the vendor's id, by which a later record revises an earlier one."""

    record_id: r.RecordId | None = None


class Timed(Record, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A record at an instant of the device's clock."""

    time: r.EpochSeconds


class Interval(Timed, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A record of the time from ``time`` to ``time + duration``."""

    duration: r.DurationSeconds


class Dated(Record, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A vendor's daily figure, dated by the subject's local date."""

    date: dt.date


RECORD_TYPES: dict[str, type[Record]] = {}
"""Schema (such as ``heart_rate/1``) -> record type, in order of declaration."""

TOPIC_OF_SCHEMA: dict[str, str] = {}
"""Schema -> ingest topic."""

SCHEMA_OF_TYPE: dict[type[Record], str] = {}
"""Record type -> schema."""

R = TypeVar("R", bound=Record)


def ingest(topic: str, schema: str) -> Callable[[type[R]], type[R]]:
    """Declare a record type: the topic it arrives on, and its name with the major version."""

    def register(cls: type[R]) -> type[R]:
        RECORD_TYPES[schema] = cls
        TOPIC_OF_SCHEMA[schema] = topic
        SCHEMA_OF_TYPE[cls] = schema
        return cls

    return register


@ingest("heart-rate", "heart_rate/1")
class HeartRate(Timed, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A heart rate sample. ``time_interval`` is what the sample stands for (s)."""

    heart_rate: r.HeartRateBpm
    time_interval: r.DurationSeconds | None = None


@ingest("heart-rate", "inter_beat_interval/1")
class InterBeatInterval(Timed, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The interval (s) that ended with the beat at ``time``; of one second no more than 6 count."""

    inter_beat_interval: r.InterBeatIntervalSeconds


@ingest("heart-rate", "resting_heart_rate/1")
class RestingHeartRate(Dated, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The vendor's resting heart rate of a date."""

    resting_heart_rate: r.HeartRateBpm


@ingest("heart-rate", "heart_rate_variability/1")
class HeartRateVariability(Record, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Variability over ``time`` and ``duration``, or of a ``date``: RMSSD, SDNN or both.

    The two statistics are different quantities and are never mixed.
    """

    time: r.EpochSeconds | None = None
    duration: r.DurationSeconds | None = None
    date: dt.date | None = None
    rmssd: r.VariabilityMs | None = None
    sdnn: r.VariabilityMs | None = None
    coverage: r.Fraction | None = None

    def __post_init__(self) -> None:
        """Refuse a record without a value, or without exactly one way of saying when."""
        if self.rmssd is None and self.sdnn is None:
            raise ValueError("rmssd or sdnn is needed")
        if self.date is None and (self.time is None or self.duration is None):
            raise ValueError("date, or time and duration, is needed")
        if self.date is not None and self.time is not None:
            raise ValueError("date and time exclude each other")


class SleepLevel(StrEnum):
    """Level of sleep; RESTLESS counts as awake, as in RAPIDS."""

    DEEP = "DEEP"
    LIGHT = "LIGHT"
    REM = "REM"
    AWAKE = "AWAKE"
    ASLEEP = "ASLEEP"
    RESTLESS = "RESTLESS"
    UNKNOWN = "UNKNOWN"


@ingest("sleep", "sleep_stage/1")
class SleepStage(Interval, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One stretch of a level of sleep."""

    level: SleepLevel


@ingest("sleep", "sleep_episode/1")
class SleepEpisode(Interval, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One sleep, from going to bed or falling asleep (``time``) to its end."""

    asleep_duration: r.DurationSeconds | None = None
    awake_duration: r.DurationSeconds | None = None
    awakenings: r.Count | None = None
    is_main_sleep: bool | None = None


@ingest("sleep", "sleep_summary/1")
class SleepSummary(Dated, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A vendor's daily sleep figures, without times, dated by the morning."""

    asleep_duration: r.DaySeconds | None = None
    awake_duration: r.DaySeconds | None = None
    in_bed_duration: r.DaySeconds | None = None
    deep_duration: r.DaySeconds | None = None
    light_duration: r.DaySeconds | None = None
    rem_duration: r.DaySeconds | None = None


class InteractionState(StrEnum):
    """What a phone's screen and lock did."""

    SCREEN_ON = "SCREEN_ON"
    UNLOCKED = "UNLOCKED"
    LOCKED = "LOCKED"
    STANDBY = "STANDBY"
    SHUTDOWN = "SHUTDOWN"
    BOOTED = "BOOTED"
    OTHER = "OTHER"


@ingest("phone-usage", "phone_interaction/1")
class PhoneInteraction(Timed, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A change of the phone's screen or lock; STANDBY is the screen going off."""

    interaction_state: InteractionState


@ingest("phone-usage", "phone_app_usage/1")
class PhoneAppUsage(Interval, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Use of one category of apps."""

    category: r.Label


@ingest("phone-usage", "phone_usage_summary/1")
class PhoneUsageSummary(Interval, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Totals of a phone that gives no single events."""

    screen_wakes: r.Count | None = None
    unlocks: r.Count | None = None
    unlock_duration: r.DurationSeconds | None = None


class CallType(StrEnum):
    """Direction of a call."""

    INCOMING = "INCOMING"
    OUTGOING = "OUTGOING"
    MISSED = "MISSED"
    VOICEMAIL = "VOICEMAIL"
    UNKNOWN = "UNKNOWN"


class MessageType(StrEnum):
    """Direction of a message."""

    INCOMING = "INCOMING"
    OUTGOING = "OUTGOING"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


@ingest("phone-usage", "phone_call/1")
class PhoneCall(Interval, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A call; ``target`` is a keyed hash of the other side."""

    type: CallType
    target: r.Hash | None = None


@ingest("phone-usage", "phone_message/1")
class PhoneMessage(Timed, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A message, never its content; ``length`` in characters."""

    type: MessageType
    target: r.Hash | None = None
    length: r.Count | None = None


@ingest("activity", "steps/1")
class Steps(Interval, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Steps taken over an interval; they are spread over its minutes."""

    steps: r.StepCount


@ingest("activity", "activity_summary/1")
class ActivitySummary(Dated, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A vendor's daily activity figures."""

    steps: r.StepCount | None = None
    active_duration: r.DaySeconds | None = None
    sedentary_duration: r.DaySeconds | None = None


@ingest("check-in", "mood_check_in/1")
class MoodCheckIn(Timed, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Answers to a self-report instrument such as PHQ-9, GAD-7 or VAS-mood."""

    instrument: r.Label
    items: Annotated[dict[r.Label, r.ItemValue], Meta(max_length=200)]
    instrument_version: r.Label | None = None
    score: r.ScoreValue | None = None


@ingest("device-status", "device_status/1")
class DeviceStatus(Timed, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A sign of life; ``interval`` says how often this source sends one (s)."""

    on_wrist: bool | None = None
    battery_level: r.Fraction | None = None
    interval: r.DurationSeconds | None = None
