"""A history of 30 dates for every subject of a checkpoint, as if all had been there for a month.

A recording of a month would take an hour to read and leave nothing else behind.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
import numpy as np

from bench.recording import START_S
from streams.checkpoint import UserHead
from streams.config import DAY_S
from streams.history import (
    EPOCHS,
    HISTORY_DAYS,
    DayDigest,
    History,
    NightDigest,
    epoch_bytes,
    hour_bytes,
)
from streams.state_log import HEAD, StateRecord, pack, record_key, unpack

VARIANTS = 8
PART = "0-history"
"""Part that holds the history of a first enrolment."""

Dates = Iterator[tuple[NightDigest, DayDigest]]


def lived(seed: int) -> Dates:
    """Give dates as people live them: nights of broken sleep, days without two hours alike."""
    chance = np.random.default_rng(seed)
    profile = np.array([5] * 7 + [600] * 15 + [150] * 2)
    while True:
        asleep, known = np.zeros(EPOCHS, dtype=bool), np.ones(EPOCHS, dtype=bool)
        onset = int(chance.normal(12, 8))
        asleep[max(onset, 0) : onset + int(chance.normal(96, 10))] = True
        asleep[chance.integers(0, 100, 12)] = False
        gap = chance.integers(120, 270)
        known[gap : gap + 12] = False
        steps = np.where(profile > 5, chance.gamma(1.2, profile), 0.0)
        heart = chance.normal(560.0 + profile / 4.0, 60.0)
        screen = np.clip(np.where(profile > 5, chance.gamma(1.0, profile), 0.0), 0.0, 3_600.0)
        times = int(chance.integers(-9_000, 9_000)), int(chance.integers(20_000, 32_000))
        rmssd_cms = 4_000 + onset
        night = NightDigest(
            *times, 25_000 + onset, rmssd_cms, epoch_bytes(asleep), epoch_bytes(known)
        )
        day = DayDigest(
            hour_bytes(steps),
            hour_bytes(heart),
            hour_bytes(screen),
            (times[0] // 60, times[1] // 60),
            rmssd_cms,
            {"phq_9": 8.0},
        )
        yield night, day


def history_of(seed: int) -> History:
    """Give a history that ends with the day before the recordings begin."""
    history = History()
    last = int(START_S // DAY_S) - 1
    dates = range(last - HISTORY_DAYS + 1, last + 1)
    for date, digests in zip(dates, islice(lived(seed), HISTORY_DAYS), strict=True):
        for digest in digests:
            history.add(date, digest)
    return history


def with_histories(records: Sequence[StateRecord]) -> list[StateRecord]:
    """Give a checkpoint's records, each first enrolment with a history of its own bytes."""
    packed = [pack(msgspec.msgpack.encode(history_of(seed).to_state())) for seed in range(VARIANTS)]
    filled: list[StateRecord] = []
    count = 0
    for record in records:
        user_id, _, rest = record.key.partition("/")
        if rest.startswith(f"{PART}/"):
            continue
        if not rest.startswith(f"{HEAD}/"):
            filled.append(record)
            continue
        head = msgspec.msgpack.decode(unpack(record.value or b""), type=UserHead)
        _, epoch, number = rest.split("/")
        stamp = int(epoch), int(number)
        head.parts[PART] = stamp
        filled.append(StateRecord(record_key(user_id, PART, stamp), packed[count % VARIANTS]))
        filled.append(StateRecord(record.key, pack(msgspec.msgpack.encode(head))))
        count += 1
    return filled
