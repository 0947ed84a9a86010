"""A recording that uses every channel of every subject round the clock, an hour at a time.

Cells are per minute: heart rate four times a minute and two beats a minute leave in them as much
that cannot be compressed as 1 Hz and every beat do.
"""

import itertools
from collections.abc import Callable, Iterator

from bench.recording import (
    MINUTE_S,
    START_S,
    Log,
    date_of,
    encode,
    enrolment,
    heart_rate_bpm,
    is_asleep,
    scatter,
    step_records,
    ticks,
    user_of,
)
from connectors.recordings import RecordingMessage
from streams.config import DAY_S, HOUR_S
from streams.events import (
    TOPIC_OF_SCHEMA,
    ActivitySummary,
    CallType,
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
    Record,
    RestingHeartRate,
    SleepEpisode,
    SleepLevel,
    SleepStage,
    SleepSummary,
)

VARIANTS = 8
"""Different lives; subjects of one variant send equal records, each as bytes of its own."""
STAGES_PER_NIGHT = 32
HOURLY_H = 12
THREE_HOURLY_H = 42
NIGHT_S = 8 * HOUR_S

Batch = tuple[str, list[Record]]


def often_at_last(hours_left: int) -> int:
    """Every hour in the last hours and seldom before.

    That makes a run several times shorter and leaves the same in the grid.
    """
    if hours_left <= HOURLY_H:
        return 1
    return 3 if hours_left <= THREE_HOURLY_H else 6


def hourly(_hours_left: int) -> int:
    """Every hour, as often as rows of hours are said while data come in at once."""
    return 1


def hours(
    subjects: int,
    count: int,
    *,
    partitions: int,
    partition_of: Callable[[str], int],
    ticks_every_h: Callable[[int], int] = often_at_last,
) -> Iterator[Iterator[RecordingMessage]]:
    """Give the messages hour by hour; what is received with an hour lies before its tick.

    ``ticks_every_h``: hours that are left -> hours between two ticks.
    """
    log = Log()
    users = [(user_of(index), partition_of(user_of(index))) for index in range(subjects)]
    for hour in range(count):
        start_s = START_S + hour * HOUR_S
        if hour == 0:
            yield itertools.chain(_enrolments(log, users), _tick(log, start_s, partitions))
        yield _hour(log, users, start_s)
        if (hour + 1) % ticks_every_h(count - hour) == 0:
            yield _tick(log, start_s + HOUR_S + MINUTE_S, partitions)


def _enrolments(log: Log, users: list[tuple[str, int]]) -> Iterator[RecordingMessage]:
    for user_id, partition in users:
        yield log.append("subjects", partition, key=user_id.encode(), value=enrolment(user_id))


def _tick(log: Log, now_s: float, partitions: int) -> Iterator[RecordingMessage]:
    yield from ticks(log, now_s, partitions=partitions)
    # A moment ahead, so that what follows can be judged at once and is not held.
    yield from log.tick("subjects", now_s + 1.0, partitions=partitions)


def _hour(log: Log, users: list[tuple[str, int]], start_s: float) -> Iterator[RecordingMessage]:
    now_s = start_s + HOUR_S + MINUTE_S
    pattern = user_of(99_999)
    for number in range(VARIANTS):
        for schema, records in _batches(start_s, number):
            bytes_ = encode(pattern, schema, records, received_s=now_s)
            for user_id, partition in users[number::VARIANTS]:
                key = user_id.encode()
                value = bytes_.replace(pattern.encode(), key)
                yield log.append(TOPIC_OF_SCHEMA[schema], partition, key=key, value=value)


def _batches(start_s: float, variant: int) -> Iterator[Batch]:
    minutes = [start_s + minute * MINUTE_S for minute in range(60)]
    yield (
        "heart_rate/1",
        [
            HeartRate(time=t + second, heart_rate=heart_rate_bpm(t + second, variant))
            for t in minutes
            for second in (0.0, 15.0, 30.0, 45.0)
        ],
    )
    yield "inter_beat_interval/1", _beats(minutes, variant)
    yield "steps/1", step_records(start_s, 60, variant)
    yield (
        "device_status/1",
        [
            DeviceStatus(time=t, on_wrist=True, battery_level=0.8, interval=15.0 * MINUTE_S)
            for t in minutes[::15]
        ],
    )
    if not is_asleep(start_s):
        yield from _phone(start_s)
    hour_of_day = int(start_s % DAY_S) // HOUR_S
    if hour_of_day == 7:
        yield from _morning(start_s, variant)
    if hour_of_day == 22:
        yield from _evening(start_s)


def _beats(minutes: list[float], variant: int) -> list[Record]:
    beats: list[Record] = []
    for t in minutes:
        interval_s = 60.0 / heart_rate_bpm(t, variant)
        difference_s = 0.1 * scatter(t + 1.0, variant) - 0.05
        beats += [
            InterBeatInterval(time=t + 1.0, inter_beat_interval=interval_s),
            InterBeatInterval(time=t + 2.0, inter_beat_interval=interval_s + difference_s),
        ]
    return beats


def _phone(start_s: float) -> Iterator[Batch]:
    states = (
        InteractionState.SCREEN_ON,
        InteractionState.UNLOCKED,
        InteractionState.LOCKED,
        InteractionState.STANDBY,
    )
    yield (
        "phone_interaction/1",
        [
            PhoneInteraction(
                time=start_s + use * 10 * MINUTE_S + index * 30.0, interaction_state=state
            )
            for use in range(6)
            for index, state in enumerate(states)
        ],
    )
    yield "phone_app_usage/1", [PhoneAppUsage(time=start_s, duration=300.0, category="social")]
    yield (
        "phone_call/1",
        [PhoneCall(time=start_s + 60.0, duration=90.0, type=CallType.OUTGOING, target="a1b2")],
    )
    yield (
        "phone_message/1",
        [PhoneMessage(time=start_s + 900.0, type=MessageType.INCOMING, target="a1b2", length=40)],
    )


def _morning(start_s: float, variant: int) -> Iterator[Batch]:
    night_s = start_s - NIGHT_S
    stage_s = NIGHT_S / STAGES_PER_NIGHT
    levels = (SleepLevel.LIGHT, SleepLevel.DEEP, SleepLevel.REM, SleepLevel.AWAKE)
    yield (
        "sleep_stage/1",
        [
            SleepStage(time=night_s + number * stage_s, duration=stage_s, level=levels[number % 4])
            for number in range(STAGES_PER_NIGHT)
        ],
    )
    yield "sleep_episode/1", [SleepEpisode(time=night_s, duration=NIGHT_S, is_main_sleep=True)]
    date = date_of(start_s)
    yield "sleep_summary/1", [SleepSummary(date=date, asleep_duration=0.9 * NIGHT_S)]
    yield "resting_heart_rate/1", [RestingHeartRate(date=date, resting_heart_rate=55.0 + variant)]
    yield "heart_rate_variability/1", [HeartRateVariability(date=date, rmssd=42.0 + variant)]


def _evening(start_s: float) -> Iterator[Batch]:
    items = {str(item): item % 3 for item in range(1, 9)}
    yield "mood_check_in/1", [MoodCheckIn(time=start_s, instrument="PHQ-9", items=items, score=8.0)]
    yield "activity_summary/1", [ActivitySummary(date=date_of(start_s), steps=6_000)]
