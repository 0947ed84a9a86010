"""A made-up recording of many people over some days: duplicates, revisions, late and bad data."""

import datetime as dt
import random
from collections.abc import Iterator

import msgspec

from connectors.pacing import TickPace, Unplaced, paced
from connectors.recordings import RecordingMessage
from streams.events import (
    SCHEMA_OF_TYPE,
    TOPIC_OF_SCHEMA,
    ActivitySummary,
    CareContext,
    CareContextEffect,
    CareContextKind,
    DeviceStatus,
    HeartRate,
    HeartRateVariability,
    InteractionState,
    MoodCheckIn,
    PhoneInteraction,
    Record,
    SleepEpisode,
    SleepLevel,
    SleepStage,
    Source,
    Steps,
    SubjectStatus,
    encode_envelope,
)
from streams.partitioning import partition_of
from tests.logs import HOUR_S, START_S, subject

DAY_S = 24 * HOUR_S
LATENESS_H = 12
# A day settles when its date has ended at UTC-12, and the lateness is over.
SETTLING_S = (36 + LATENESS_H + 2) * HOUR_S

_ZONES = ("Europe/Rome", "Asia/Kolkata", "America/New_York", "Pacific/Auckland")
_BY_MINUTE = 0.25
_REVISED = 0.3
_TWICE = 0.05
_BAD = 0.01


class Plan(msgspec.Struct, frozen=True):
    """How much is made up: ``people`` over ``days``, in ``partitions``, from a ``seed``."""

    seed: int
    people: int
    days: int
    partitions: int


def recording(plan: Plan) -> list[RecordingMessage]:
    """The recording, with ticks that settle everything."""
    messages = [
        message
        for number in range(plan.people)
        for message in _Person(plan, f"s{number:03d}").messages()
        if message.time_received < START_S + plan.days * DAY_S
    ]
    messages.sort(key=lambda message: message.time_received)
    pace = TickPace(partitions=plan.partitions, every_s=HOUR_S, settling_s=SETTLING_S)
    return list(paced(messages, pace))


class _Person:
    """Everything that the gateways send of one person."""

    def __init__(self, plan: Plan, user_id: str) -> None:
        self._chance = random.Random(f"{plan.seed} {user_id}")
        self._user_id = user_id
        self._days = plan.days
        self._partition = partition_of(user_id, plan.partitions)
        self._zone = self._chance.choice(_ZONES)
        # The usual time between two uploads, and how fast the heart beats.
        self._sync_s = self._chance.choice([2.0, 3.0, 6.0]) * HOUR_S
        self._bpm = self._chance.randint(50, 90)
        # Of the others a vendor sends daily figures alone: rows of hours are what takes time.
        self._is_by_minute = self._chance.random() < _BY_MINUTE

    def messages(self) -> Iterator[Unplaced]:
        """All of it, in no order."""
        yield from self._registrations()
        if self._is_by_minute:
            yield from self._uploads()
        for day in range(self._days):
            yield from self._daily(START_S + day * DAY_S)

    def _uploads(self) -> Iterator[Unplaced]:
        stop_s = START_S + self._days * DAY_S
        if self._chance.random() < 0.1:  # the device falls silent
            stop_s -= self._chance.uniform(1.0, 2.5) * DAY_S
        now = START_S + self._chance.uniform(0.0, self._sync_s)
        while now < stop_s:
            since, now = now, now + self._sync_s * self._chance.uniform(0.5, 1.5)
            received = now + self._delay_s()
            for records in self._measured(since, now):
                yield from self._sent(records, received)

    def _registrations(self) -> Iterator[Unplaced]:
        chance = self._chance
        begun = START_S + (chance.uniform(0.0, DAY_S) if chance.random() < 0.1 else 0.0)
        yield self._subject(SubjectStatus.ENROLLED, begun)
        if chance.random() < 0.15:
            status = chance.choice([SubjectStatus.PAUSED, SubjectStatus.WITHDRAWN])
            until = begun + chance.uniform(0.5, 1.5) * DAY_S
            yield self._subject(status, until)
            if chance.random() < 0.6:
                yield self._subject(SubjectStatus.ENROLLED, until + 0.5 * DAY_S)
        if chance.random() < 0.1:
            self._zone = chance.choice(_ZONES)
            yield self._subject(SubjectStatus.ENROLLED, begun + 1.2 * DAY_S)

    def _subject(self, status: SubjectStatus, received: float) -> Unplaced:
        model = f"model-{self._partition % 2}"
        sources = [Source(source_id="watch", priority=1, model=model), Source(source_id="phone")]
        person = subject(self._user_id, status=status, time_zone=self._zone, sources=sources)
        return self._envelope([person], received)

    def _delay_s(self) -> float:
        """How long an upload takes; now and then longer than the lateness."""
        return self._chance.choices(
            [60.0, 1_800.0, 6 * HOUR_S, 20 * HOUR_S], weights=[80, 12, 6, 2]
        )[0]

    def _measured(self, since: float, now: float) -> Iterator[list[Record]]:
        chance, hour = self._chance, (since % DAY_S) / HOUR_S
        bpm = self._bpm + (0 if 5 < hour < 22 else -12) + (70 if chance.random() < 0.01 else 0)
        yield [
            HeartRate(time=time, heart_rate=bpm + chance.randint(-6, 6))
            for time in _grid(since, now, 400.0)
        ]
        yield [
            Steps(time=time, duration=600, steps=chance.choice([0, 0, 0, 40, 700]))
            for time in _grid(since, now, 600.0)
        ]
        states = list(InteractionState)
        yield [
            PhoneInteraction(time=time, interaction_state=chance.choice(states))
            for time in _grid(since, now, 1_800.0)
        ]
        yield [
            DeviceStatus(time=time, on_wrist=chance.random() < 0.9, interval=3_600)
            for time in _grid(since, now, HOUR_S)
        ]

    def _daily(self, midnight: float) -> Iterator[Unplaced]:
        chance = self._chance
        bed = midnight + chance.uniform(-2.0, 2.0) * HOUR_S
        up = bed + chance.uniform(5.0, 9.0) * HOUR_S
        yield from self._sent(_night(chance, bed, up), up + self._delay_s())
        if chance.random() < _REVISED:  # the vendor looks at the night again
            revised = _night(chance, bed, up + chance.uniform(-1.0, 1.0) * HOUR_S)
            yield from self._sent(revised, up + chance.uniform(2.0, 16.0) * HOUR_S)
        date = dt.datetime.fromtimestamp(up, dt.UTC).date()
        variability = HeartRateVariability(date=date, rmssd=round(chance.uniform(20, 60), 1))
        yield from self._sent([variability], up + self._delay_s())
        summary = ActivitySummary(date=date, steps=chance.randint(0, 12_000))
        yield from self._sent([summary], up + self._delay_s())
        if chance.random() < 0.3:
            item = chance.choice([0, 0, 0, 1])
            answers = MoodCheckIn(time=up, instrument="PHQ-9", items={"9": item}, score=item)
            yield from self._sent([answers], up + self._delay_s())
        if chance.random() < 0.05:
            context = CareContext(
                user_id=self._user_id,
                from_=up,
                until=up + 10 * HOUR_S,
                kind=CareContextKind.ILLNESS,
                effect=chance.choice(list(CareContextEffect)),
                by="nurse",
            )
            yield self._envelope([context], up)

    def _sent(self, records: list[Record], received: float) -> Iterator[Unplaced]:
        """Envelopes of records, kind by kind; some twice, some broken."""
        for kind in dict.fromkeys(type(record) for record in records):
            own = [record for record in records if type(record) is kind]
            message = self._envelope(own, received)
            if self._chance.random() < _BAD:
                message = msgspec.structs.replace(message, value=(message.value or b"")[:-9])
            yield message
            if self._chance.random() < _TWICE:
                again = received + self._chance.choice([0.0, HOUR_S, 8 * HOUR_S])
                yield msgspec.structs.replace(message, time_received=again)

    def _envelope(self, records: list[Record], received: float) -> Unplaced:
        schema = SCHEMA_OF_TYPE[type(records[0])]
        value = encode_envelope(
            records,
            schema,
            project_id="chaos",
            user_id=self._user_id,
            source_id="phone" if TOPIC_OF_SCHEMA[schema] == "phone-usage" else "watch",
            time_received=received,
        )
        key = self._user_id.encode()
        return Unplaced(TOPIC_OF_SCHEMA[schema], self._partition, received, key, value)


def _grid(since: float, now: float, step_s: float) -> list[float]:
    """Whole multiples of a step in a stretch of time, one at least."""
    first = since // step_s * step_s
    return [first + n * step_s for n in range(max(1, int((now - since) // step_s)))]


def _night(chance: random.Random, bed: float, up: float) -> list[Record]:
    levels = [SleepLevel.LIGHT, SleepLevel.DEEP, SleepLevel.REM, SleepLevel.AWAKE]
    step_s = float(int((up - bed) / 8))
    stages = [
        SleepStage(time=bed + n * step_s, duration=step_s, level=chance.choice(levels))
        for n in range(8)
    ]
    episode = SleepEpisode(
        time=bed, duration=float(int(up - bed)), is_main_sleep=True, record_id=f"n{int(bed)}"
    )
    return [episode, *stages]
