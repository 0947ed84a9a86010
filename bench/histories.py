"""What months leave behind, for every subject of a checkpoint: a history of dates, and models.

A recording of months would take hours to read and leave nothing else behind.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
import numpy as np

from bench.recording import START_S, date_of
from detectors.cohort import Cohort, load_cohort
from detectors.config import DetectionConfig
from detectors.features import SPECS, FeatureSpec, from_shape
from detectors.models import SubjectModels
from detectors.terms import DATED_WINDOWS
from streams.checkpoint import UserHead
from streams.config import DAY_S, HOUR_S
from streams.detection_state import DetectionState
from streams.events import FeatureRow, SubjectStatus, WindowKind
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
MODELS = "0-detection"
"""Part that holds the models of a first enrolment."""
TAUGHT_DAYS = 98
"""Days that models learned: as many as the longest of their memories."""

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


def models_of(seed: int) -> SubjectModels:
    """Give models that learned every scored feature up to the day before the recordings begin."""
    cohort = load_cohort()
    models = SubjectModels(DetectionConfig(), cohort)
    for row in settled_rows(seed, cohort, range(-TAUGHT_DAYS, 0)):
        models.learn(row)
    return models


def settled_rows(seed: int, cohort: Cohort, days: range) -> Iterator[FeatureRow]:
    """Give rows of a person who is as the cohort's: each day's hours, night and day.

    ``days`` are counted from the beginning of the recordings.
    """
    chance = np.random.default_rng(seed)
    for number in days:
        start_s = START_S + number * DAY_S
        for hour in range(24):
            begins_s = start_s + hour * HOUR_S
            values = _values(chance, cohort, WindowKind.HOUR)
            yield _row(WindowKind.HOUR, begins_s, begins_s + HOUR_S, values)
        for kind in DATED_WINDOWS:
            yield _row(kind, start_s, start_s + DAY_S, _values(chance, cohort, kind))


def _row(kind: WindowKind, start_s: float, end_s: float, values: dict[str, float]) -> FeatureRow:
    return FeatureRow(
        user_id="subject",
        project_id="bench",
        care_team="team-1",
        status=SubjectStatus.ENROLLED,
        window=kind,
        start=start_s,
        end=end_s,
        local_date=date_of(start_s),
        utc_offset=0,
        values=values,
        coverage={},
        settled=True,
    )


def _values(chance: np.random.Generator, cohort: Cohort, kind: WindowKind) -> dict[str, float]:
    specs = [spec for spec in SPECS if spec.window is kind]
    return {spec.feature: _value(chance, cohort, spec) for spec in specs}


def _value(chance: np.random.Generator, cohort: Cohort, spec: FeatureSpec) -> float:
    prior = cohort.prior(spec.window, spec.feature)
    if prior is None:
        value = abs(float(chance.normal(10.0 * spec.floor, 2.0 * spec.floor)))
    else:
        value = from_shape(spec.shape, float(chance.normal(prior.centre, prior.scale)))
    # Times and numbers are whole ones, what is measured is not.
    return float(round(value)) if spec.unit in {"min", "count"} else value


def with_histories(records: Sequence[StateRecord]) -> list[StateRecord]:
    """Give a checkpoint's records, each first enrolment with a history and models of its own."""
    histories = [pack(msgspec.msgpack.encode(history_of(s).to_state())) for s in range(VARIANTS)]
    models = [models_of(seed).to_state() for seed in range(VARIANTS)]
    numbers: dict[str, int] = {}
    filled: list[StateRecord] = []
    for record in records:
        user_id, _, rest = record.key.partition("/")
        part = rest.partition("/")[0]
        variant = numbers.setdefault(user_id, len(numbers)) % VARIANTS
        content = unpack(record.value or b"")
        if part == PART:
            continue
        if part == MODELS:
            detection = msgspec.msgpack.decode(content, type=DetectionState)
            detection.models = models[variant]
            filled.append(StateRecord(record.key, pack(msgspec.msgpack.encode(detection))))
        elif part == HEAD:
            _, epoch, number = rest.split("/")
            stamp = int(epoch), int(number)
            head = msgspec.msgpack.decode(content, type=UserHead)
            head.parts[PART] = stamp
            filled.append(StateRecord(record_key(user_id, PART, stamp), histories[variant]))
            filled.append(StateRecord(record.key, pack(msgspec.msgpack.encode(head))))
        else:
            filled.append(record)
    return filled
