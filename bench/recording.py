"""Recordings made by arithmetic: the same on every run and machine, and never whole in memory.

``dense`` is heart rate at 1 Hz with steps, for speed. ``everything`` uses every channel round the
clock, for memory.
"""

import datetime as dt
import zlib
from collections import defaultdict
from collections.abc import Iterator

from connectors.recordings import RecordingMessage
from streams.config import HOUR_S
from streams.events import (
    INGEST_TOPICS,
    RECORD_TYPES,
    TICK_KEY,
    TOPIC_OF_SCHEMA,
    Consent,
    HeartRate,
    Purpose,
    Record,
    Source,
    Steps,
    Subject,
    encode_envelope,
    encode_tick,
)

START_S = 1_735_689_600.0
"""First instant of every recording: 2025-01-01 00:00 UTC."""
MINUTE_S = 60
WRIST = "wrist-1"
PHONE = "phone-1"
NO_TIMESTAMP = -1
PHONE_TOPICS = frozenset({"phone-usage", "check-in"})


class Log:
    """Numbers messages per topic and partition, as a broker would."""

    def __init__(self) -> None:
        self._ends: defaultdict[tuple[str, int], int] = defaultdict(int)

    def append(self, topic: str, partition: int, *, key: bytes, value: bytes) -> RecordingMessage:
        """Give the message with its offset."""
        offset = self._ends[topic, partition]
        self._ends[topic, partition] = offset + 1
        return RecordingMessage(topic, partition, offset, NO_TIMESTAMP, key, value)

    def tick(self, topic: str, time_s: float, *, partitions: int) -> Iterator[RecordingMessage]:
        """Give a tick for every partition of a topic."""
        value = encode_tick(time_s, partitions)
        for partition in range(partitions):
            yield self.append(topic, partition, key=TICK_KEY, value=value)


def user_of(index: int) -> str:
    """Name a subject; all names are of one length."""
    return f"subject-{index:05d}"


def encode(user_id: str, schema: str, records: list[Record], *, received_s: float) -> bytes:
    """Encode an envelope from the wrist or the phone, whichever sends this schema."""
    return encode_envelope(
        records,
        schema,
        project_id="bench",
        user_id=user_id,
        source_id=PHONE if TOPIC_OF_SCHEMA[schema] in PHONE_TOPICS else WRIST,
        time_received=received_s,
        utc_offset=0,
    )


def enrolment(user_id: str) -> bytes:
    """Encode the registry's record of a subject who consents to everything."""
    consent = Consent(purposes=[Purpose.CARE], from_=0.0, version="1")
    subject = Subject(
        user_id=user_id,
        project_id="bench",
        care_team="team-1",
        time_zone="Etc/UTC",
        sources=[Source(source_id=WRIST), Source(source_id=PHONE)],
        consent={schema.partition("/")[0]: consent for schema in RECORD_TYPES},
    )
    return encode(user_id, "subject/1", [subject], received_s=START_S)


def ticks(log: Log, time_s: float, *, partitions: int) -> Iterator[RecordingMessage]:
    """Give ticks for every topic but ``subjects``, which has to be ahead of the events."""
    for topic in INGEST_TOPICS:
        if topic != "subjects":
            yield from log.tick(topic, time_s, partitions=partitions)


def is_asleep(time_s: float) -> bool:
    """Whether everybody sleeps at this time: from 23 to 7 o'clock."""
    return not 7 <= time_s % (24 * HOUR_S) / HOUR_S < 23


def scatter(time_s: float, variant: int) -> float:
    """Give a number from 0 to 1 that no compression can foresee, the same on every run.

    Most are near the middle: it is the mean of two even ones.
    """
    mixed = zlib.crc32(int(time_s * 1_000.0).to_bytes(8, "little"), variant)
    return ((mixed & 0xFFF) + (mixed >> 12 & 0xFFF)) / 8_190.0


def heart_rate_bpm(time_s: float, variant: int) -> float:
    """Give a plausible rate with a daily rhythm, to a tenth."""
    level = 50.0 if is_asleep(time_s) else 66.0
    return round(level + 24.0 * scatter(time_s, variant), 1)


def date_of(time_s: float) -> dt.date:
    """Give the date at a time (UTC)."""
    return dt.datetime.fromtimestamp(time_s, dt.UTC).date()


def step_records(start_s: float, minutes: int, variant: int) -> list[Record]:
    """Give one record of steps a minute; nobody walks in their sleep, nor most of the day."""
    times = (start_s + minute * MINUTE_S for minute in range(minutes))
    return [Steps(time=t, duration=MINUTE_S, steps=_steps(t, variant)) for t in times]


def _steps(time_s: float, variant: int) -> int:
    share = 0.0 if is_asleep(time_s) else scatter(time_s + 0.5, variant)
    return int(max(share - 0.6, 0.0) * 250.0)


def dense(subjects: int, hours: int, *, settle_h: int) -> Iterator[RecordingMessage]:
    """Give one partition of heart rate at 1 Hz in envelopes of 60 records, with steps.

    Ticks every minute; after the last event ticks every hour for ``settle_h`` hours.
    """
    log = Log()
    users = [user_of(index) for index in range(subjects)]
    for user_id in users:
        yield log.append("subjects", 0, key=user_id.encode(), value=enrolment(user_id))
    for minute in range(hours * 60):
        start_s = START_S + minute * MINUTE_S
        end_s = start_s + MINUTE_S
        yield from log.tick("subjects", end_s, partitions=1)
        for variant, user_id in enumerate(users):
            for schema, records in _dense_minute(start_s, variant):
                value = encode(user_id, schema, records, received_s=end_s)
                yield log.append(TOPIC_OF_SCHEMA[schema], 0, key=user_id.encode(), value=value)
        yield from ticks(log, end_s, partitions=1)
    for hour in range(settle_h):
        time_s = START_S + (hours + hour + 1) * HOUR_S
        yield from log.tick("subjects", time_s, partitions=1)
        yield from ticks(log, time_s, partitions=1)


def _dense_minute(start_s: float, variant: int) -> Iterator[tuple[str, list[Record]]]:
    times = (start_s + second for second in range(MINUTE_S))
    yield "heart_rate/1", [HeartRate(time=t, heart_rate=heart_rate_bpm(t, variant)) for t in times]
    if (start_s + MINUTE_S) % HOUR_S == 0:
        yield "steps/1", step_records(start_s + MINUTE_S - HOUR_S, 60, variant)
