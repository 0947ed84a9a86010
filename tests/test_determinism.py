"""Goal: settled results follow from the logs alone. Method: generated logs with duplicates,
revisions, late data, registry changes and gaps in the ticks, read in many orders and batches.
"""

import datetime as dt
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.config import PipelineConfig
from streams.events import (
    INGEST_TOPICS,
    ActivitySummary,
    CallType,
    CareContext,
    CareContextEffect,
    CareContextKind,
    DeviceStatus,
    HeartRate,
    HeartRateVariability,
    InteractionState,
    InterBeatInterval,
    MessageType,
    MoodCheckIn,
    PhoneAppUsage,
    PhoneCall,
    PhoneInteraction,
    PhoneMessage,
    PhoneUsageSummary,
    Record,
    RestingHeartRate,
    SleepEpisode,
    SleepLevel,
    SleepStage,
    SleepSummary,
    Source,
    Steps,
    SubjectStatus,
)
from tests.logs import HOUR_S, START_S, Logs, LogWriter, run, settled, subject

CONFIG = PipelineConfig(partitions=1, lateness_s=10 * HOUR_S)
SOURCES = [Source(source_id="watch", priority=1), Source(source_id="ring", priority=2)]


def _date(time: float) -> dt.date:
    return dt.datetime.fromtimestamp(time, dt.UTC).date()


def _heart(chance: random.Random, time: float) -> list[Record]:
    kind = chance.randrange(4)
    if kind == 0:
        return [
            InterBeatInterval(time=time + i * 0.8, inter_beat_interval=chance.uniform(0.7, 0.9))
            for i in range(40)
        ]
    if kind == 1:
        return [RestingHeartRate(date=_date(time), resting_heart_rate=chance.randint(50, 70))]
    if kind == 2:
        return [HeartRateVariability(date=_date(time), rmssd=chance.uniform(20, 60))]
    return [HeartRate(time=time + i * 7, heart_rate=chance.randint(50, 99)) for i in range(30)]


def _sleep(chance: random.Random, time: float) -> list[Record]:
    kind = chance.randrange(3)
    record_id = chance.choice([None, "a", "b"])
    if kind == 0:
        return [SleepSummary(date=_date(time), asleep_duration=chance.randint(3, 9) * 3_600)]
    if kind == 1:
        levels = [SleepLevel.LIGHT, SleepLevel.AWAKE, SleepLevel.DEEP]
        return [
            SleepStage(time=time + i * 1_200, duration=1_200, level=level)
            for i, level in enumerate(levels)
        ]
    duration = chance.randint(1, 8) * 3_600
    start = time - duration
    return [SleepEpisode(time=start, duration=duration, record_id=record_id)]


def _phone(chance: random.Random, time: float) -> list[Record]:
    if chance.random() < 0.2:
        return [PhoneUsageSummary(time=time, duration=1_800, unlocks=chance.randint(0, 9))]
    if chance.random() < 0.3:
        return [_counted(chance, time)]
    states = list(InteractionState)
    return [
        PhoneInteraction(time=time + i * 90, interaction_state=chance.choice(states))
        for i in range(6)
    ]


def _counted(chance: random.Random, time: float) -> Record:
    """What is counted from a source's first on; a revision may move it to another day."""
    record_id = chance.choice([None, "a", "b"])
    kind = chance.randrange(3)
    if kind == 0:
        return PhoneCall(
            time=time, record_id=record_id, duration=60.0, type=CallType.OUTGOING, target="a1"
        )
    if kind == 1:
        return PhoneMessage(time=time, record_id=record_id, type=MessageType.INCOMING, target="a1")
    return PhoneAppUsage(time=time, record_id=record_id, duration=300.0, category="social")


def _activity(chance: random.Random, time: float) -> list[Record]:
    if chance.random() < 0.2:
        return [ActivitySummary(date=_date(time), steps=chance.randint(0, 9_000))]
    return [Steps(time=time, duration=600, steps=chance.choice([0, 0, 700]))]


def _context(time: float) -> list[Record]:
    return [
        CareContext(
            user_id="u1",
            from_=time,
            until=time + 10 * HOUR_S,
            kind=CareContextKind.OTHER,
            effect=CareContextEffect.MUTE,
            by="nurse",
        )
    ]


def _event(chance: random.Random, topic: str, time: float) -> list[Record]:
    if topic == "heart-rate":
        return _heart(chance, time)
    if topic == "sleep":
        return _sleep(chance, time)
    if topic == "phone-usage":
        return _phone(chance, time)
    if topic == "activity":
        return _activity(chance, time)
    if topic == "check-in":
        item = chance.randint(0, 1)
        return [MoodCheckIn(time=time, instrument="PHQ-9", items={"9": item}, score=item)]
    return [DeviceStatus(time=time, on_wrist=chance.random() < 0.7, interval=3_600)]


def _registration(chance: random.Random) -> list[Record]:
    status = chance.choices(list(SubjectStatus), [6, 1, 2])[0]
    zone = chance.choice(["Europe/Rome", "Asia/Kolkata", "America/New_York"])
    return [subject(sources=SOURCES, status=status, time_zone=zone)]


def generated_logs(seed: int, hours: int, tick_chance: float, silent_hours: int) -> Logs:
    """Logs of one subject, with ticks that are missing at random and for a stretch of hours."""
    chance = random.Random(seed)
    writer = LogWriter()
    writer.send(subject(sources=SOURCES), received=START_S)
    writer.tick(START_S, chance.sample(INGEST_TOPICS, chance.randint(1, len(INGEST_TOPICS))))
    silence = range(chance.randint(0, hours), hours) if silent_hours else range(0)
    silence = silence[:silent_hours]
    for hour in range(1, hours):
        now = START_S + hour * HOUR_S
        for topic in INGEST_TOPICS:
            for _ in range(chance.choice([0, 0, 1, 2])):
                _put(writer, chance, topic, now)
            if hour not in silence and chance.random() < tick_chance:
                writer.tick(now, [topic])
    writer.settle_everything(START_S + hours * HOUR_S, CONFIG.lateness_s)
    return writer.logs


def _put(writer: LogWriter, chance: random.Random, topic: str, now: float) -> None:
    delay = chance.choice([60, 600, 4_000, 20_000, 40_000, 90_000])
    if topic == "subjects":
        if chance.random() < 0.05:
            writer.send(*_registration(chance), received=now)
    elif topic == "care-context":
        if chance.random() < 0.05:
            writer.send(*_context(now), received=now)
    elif topic != "alert-actions":
        records = _event(chance, topic, float(int(now - delay)))
        source = chance.choice(["watch", "watch", "ring", "unlisted"])
        sent = writer.sent[topic]
        sent.append((records, source))
        # The same again, at once or hours later, and perhaps with another offset.
        again = [chance.choice(sent[-4:])] if chance.random() < 0.4 else []
        for records, source in [sent[-1], *again]:
            offset = chance.choice([None, None, 3_600, 19_800, -14_400])
            writer.send(*records, received=now, source_id=source, utc_offset=offset)


@pytest.mark.timeout(500)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
@given(
    seed=st.integers(0, 2**32),
    hours=st.integers(12, 100),
    tick_chance=st.sampled_from([1.0, 0.8, 0.4]),
    silent_hours=st.sampled_from([0, 8]),
    order=st.lists(
        st.tuples(st.integers(0, 2**32), st.sampled_from([1, 3, 50])), min_size=3, max_size=3
    ),
)
def test_every_order_of_reading_settles_the_same(
    seed: int, hours: int, tick_chance: float, silent_hours: int, order: list[tuple[int, int]]
) -> None:
    logs = generated_logs(seed, hours, tick_chance, silent_hours)
    expected = settled(run(logs, CONFIG, None))
    assert expected
    for order_seed, batch_max in order:
        assert settled(run(logs, CONFIG, order_seed, batch_max)) == expected
