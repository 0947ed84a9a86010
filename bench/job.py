"""The one job that all contenders do, and the measuring of it.

Input: heart-rate envelopes of one record each, one a second and subject. For every message one
update of River's exponentially weighted mean; for every finished minute of a subject (its next
minute has begun) one result: the minute's mean and the subject's weighted mean, produced to a
topic. The arithmetic is this module's for everyone who does not bring windows of their own.
"""

import time
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct
from river.stats import EWMean

from streams.events import ENVELOPE_TYPES, HeartRate, encode_envelope

SCHEMA = "heart_rate/1"
MINUTE_S = 60
START_S = 1_735_689_600.0
"""Time of the first sample (s UTC)."""
FADING_FACTOR = 0.05

decode = msgspec.json.Decoder(ENVELOPE_TYPES[SCHEMA]).decode
"""Bytes -> validated envelope."""


class MinuteResult(Struct, frozen=True, rename="camel"):
    """A finished minute: ``start`` (s UTC), its mean, and what is usual after it (beats/min)."""

    user_id: str
    start: float
    heart_rate_mean_bpm: float
    heart_rate_usual_bpm: float


class Meter:
    """Takes the time from the end of the warm-up to the last message.

    The warm-up leaves joining the group, first fetches and caches out of the figure.
    """

    __slots__ = (
        "_mark",
        "_started",
        "count",
        "cpu_s",
        "elapsed_s",
        "messages",
        "on_done",
        "warm_up",
    )

    def __init__(
        self, messages: int, warm_up: int, *, on_done: Callable[[], None] = lambda: None
    ) -> None:
        self.on_done = on_done
        self.messages = messages
        self.warm_up = warm_up
        self.count = 0
        self.elapsed_s = 0.0
        self.cpu_s = 0.0
        self._mark = warm_up
        self._started = (0.0, 0.0)

    def tick(self) -> None:
        """Count one processed message."""
        self.count += 1
        if self.count == self._mark:
            self._take()

    @property
    def is_done(self) -> bool:
        """Whether the last message has been processed."""
        return self.count >= self.messages

    def _take(self) -> None:
        now = (time.perf_counter(), time.process_time())
        if self.count == self.messages:
            self.elapsed_s = now[0] - self._started[0]
            self.cpu_s = now[1] - self._started[1]
            self.on_done()
        else:
            self._started = now
            self._mark = self.messages


class _Subject:
    __slots__ = ("count", "minute", "total", "usual")

    def __init__(self, minute: int) -> None:
        self.minute = minute
        self.total = 0.0
        self.count = 0
        self.usual = EWMean(FADING_FACTOR)


class HeartRateJob:
    """State of the job in memory: a minute's sum and count, and a weighted mean, per subject."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._subjects: dict[str, _Subject] = {}

    def update(self, user_id: str, time_s: float, heart_rate_bpm: float) -> MinuteResult | None:
        """Take one sample; gives the minute that it finished, if it did."""
        minute = int(time_s // MINUTE_S)
        subject = self._subjects.get(user_id)
        if subject is None:
            subject = self._subjects[user_id] = _Subject(minute)
        subject.usual.update(heart_rate_bpm)
        result = None
        if minute != subject.minute:
            result = MinuteResult(
                user_id,
                float(subject.minute * MINUTE_S),
                subject.total / subject.count,
                subject.usual.get(),
            )
            subject.minute = minute
            subject.total = 0.0
            subject.count = 0
        subject.total += heart_rate_bpm
        subject.count += 1
        self._meter.tick()
        return result

    def update_bytes(self, value: bytes) -> MinuteResult | None:
        """Decode an envelope of one record and take it."""
        envelope = decode(value)
        record = envelope.records[0]
        return self.update(envelope.user_id, record.time, record.heart_rate)


def samples(messages: int, subjects: int) -> Iterator[tuple[str, float, float]]:
    """Give (user, time s, beats/min): all subjects once a second, deterministic."""
    for number in range(messages):
        index, subject = divmod(number, subjects)
        rate = 55.0 + (index * 7 + subject * 13 + index * subject % 17) % 600 / 10.0
        yield f"subject-{subject:04d}", START_S + index, rate


def encode_sample(user_id: str, time_s: float, heart_rate_bpm: float) -> bytes:
    """Encode a sample as an envelope of one record."""
    return encode_envelope(
        [HeartRate(time=time_s, heart_rate=heart_rate_bpm)],
        SCHEMA,
        project_id="bench",
        user_id=user_id,
        source_id="wrist-1",
        time_received=time_s + 2.0,
    )


def expected(messages: int, subjects: int) -> set[MinuteResult]:
    """Give the results that the job has, computed without any broker."""
    job = HeartRateJob(Meter(messages, 1))
    results = (job.update(*sample) for sample in samples(messages, subjects))
    return {result for result in results if result is not None}
