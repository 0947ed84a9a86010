"""Goal: what is kept of a subject's dates is small, whole and the same whatever happens meanwhile.
Method: digests packed and unpacked; logs of weeks read in any order, revised late, cut by restarts
and by a withdrawal."""

import datetime as dt
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.histories import history_of
from streams.config import PipelineConfig
from streams.events import (
    FeatureRow,
    HeartRate,
    InteractionState,
    Output,
    PhoneInteraction,
    SleepEpisode,
    Steps,
    SubjectStatus,
    WindowKind,
)
from streams.history import (
    EPOCHS,
    HISTORY_DAYS,
    HOURS,
    DayDigest,
    History,
    HistoryState,
    NightDigest,
    epoch_bits,
    epoch_bytes,
    hour_bytes,
    hours_of,
)
from streams.pipeline import PartitionPipeline
from streams.state_log import pack, unpack
from streams.timeline import bits_of
from tests.logs import HOUR_S, START_S, LogWriter, in_turns, pipeline_of, run, settled, subject
from tests.streams.test_checkpoint import MemoryLog, Owner

CONFIG = PipelineConfig(partitions=1, lateness_s=30 * HOUR_S)
KIB = 1_024
DAY_S = 24 * HOUR_S
DAYS = 12
LONG = ("sleep_duration_sd_min", "sleep_regularity_index", "activity_l5_steps_per_h")

maybe = st.none() | st.integers(-100_000, 100_000)
hours = st.lists(st.none() | st.integers(0, 65_534), min_size=HOURS, max_size=HOURS)
nights = st.builds(NightDigest, maybe, maybe, maybe, maybe)
days = st.builds(
    DayDigest,
    hours.map(lambda some: hour_bytes(np.array(some, dtype=np.float64))),
    st.just(b""),
    hours.map(lambda some: hour_bytes(np.array(some, dtype=np.float64))),
    st.none() | st.tuples(st.integers(-360, 840), st.integers(-360, 840)),
    maybe,
    st.dictionaries(st.sampled_from(["phq_9", "vas_mood"]), st.floats(0, 100)),
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.dictionaries(st.integers(0, 80), st.tuples(nights, days), min_size=1, max_size=50))
def test_the_last_30_dates_are_kept_as_they_were(
    digests: dict[int, tuple[NightDigest, DayDigest]],
) -> None:
    history = History()
    for date in sorted(digests):
        for digest in digests[date]:
            history.add(date, digest)
    history = History.from_state(history.to_state())
    kept = {date: both for date, both in digests.items() if date > max(digests) - HISTORY_DAYS}
    assert history.nights() == {date: night for date, (night, _) in kept.items()}
    assert history.days() == {date: day for date, (_, day) in kept.items()}
    assert list(history.nights()) == sorted(kept)


def test_an_hour_not_known_is_told_apart_from_0_and_large_ones_are_cut() -> None:
    values = np.array([0.0, np.nan, 0.4, 0.6, 1e6] + [7.0] * 19)
    kept = hours_of([hour_bytes(values)])[0]
    assert kept[:5].tolist()[:1] == [0.0]
    assert np.isnan(kept[1])
    assert kept[2:5].tolist() == [0.0, 1.0, 65_534.0]
    assert hour_bytes(np.full(HOURS, np.nan)) == b""
    assert np.isnan(hours_of([b""])).all()
    epochs = np.arange(EPOCHS) % 3 == 0
    assert epoch_bits(epoch_bytes(epochs)) == bits_of(epochs)


def test_30_dates_with_everything_in_use_take_less_than_4_kib() -> None:
    history = history_of(1)
    assert len(history.nights()) == len(history.days()) == HISTORY_DAYS
    assert 2 * KIB < len(msgspec.msgpack.encode(history.to_state())) < 4 * KIB


def test_a_damaged_history_is_refused() -> None:
    with pytest.raises(ValueError, match="history"):
        History.from_state(HistoryState(b"rubbish", b""))


def write_day(writer: LogWriter, day: int, chance: random.Random) -> None:
    """A day's steps, heart rate, phone use and night, read at its end."""
    start = START_S + day * DAY_S
    received = start + DAY_S
    steps = [
        Steps(time=start + h * HOUR_S, duration=HOUR_S, steps=chance.randint(0, 900))
        for h in range(24)
    ]
    samples = [HeartRate(time=start + 120.0 * n, heart_rate=60 + n % 9) for n in range(720)]
    asleep_s = chance.randint(5, 9) * HOUR_S
    writer.send(*steps, received=received)
    writer.send(*samples, received=received)
    writer.send(
        SleepEpisode(time=start, duration=asleep_s, record_id=f"night-{day}"), received=received
    )
    for use in range(8, 22, 3):
        on = start + use * HOUR_S + chance.randint(0, 3_000)
        states = {on: InteractionState.UNLOCKED, on + 60.0: InteractionState.LOCKED}
        events = [PhoneInteraction(time=t, interaction_state=s) for t, s in states.items()]
        writer.send(*events, received=received, source_id="phone")


def weeks(seed: int, count: int = DAYS, ticks_h: int = 8) -> LogWriter:
    writer = LogWriter()
    chance = random.Random(seed)
    writer.send(subject(), received=START_S)
    writer.tick(START_S)
    for day in range(count):
        for hour in range(0, 24, ticks_h):
            writer.tick(START_S + day * DAY_S + hour * HOUR_S)
        write_day(writer, day, chance)
    return writer


def rows_of(outputs: list[Output], kind: WindowKind = WindowKind.NIGHT) -> list[FeatureRow]:
    return [o for o in outputs if isinstance(o, FeatureRow) and o.window is kind]


@pytest.mark.timeout(120)
def test_features_over_weeks_settle_the_same_in_every_order_of_reading_and_over_crashes() -> None:
    writer = weeks(1)
    writer.settle_everything(START_S + DAYS * DAY_S, CONFIG.lateness_s)
    expected = settled(run(writer.logs, CONFIG, None))
    assert all(any(name.encode() in line for line in expected) for name in LONG)
    assert settled(run(writer.logs, CONFIG, 3, 50)) == expected
    chance = random.Random(2)
    state = MemoryLog()
    outputs: list[Output] = []
    owner = Owner(state, writer.logs, CONFIG)
    while not owner.is_done:
        outputs += owner.process(chance)
        if chance.random() < 0.3:
            owner.checkpoint_a_bit(chance)
        if chance.random() < 0.05:
            owner = Owner(state, writer.logs, CONFIG)
    assert settled(outputs) == expected


def test_a_late_revision_of_a_night_changes_later_rows_that_are_not_settled() -> None:
    writer = weeks(1, ticks_h=24)
    config = msgspec.structs.replace(CONFIG, lateness_s=5 * DAY_S)
    end = START_S + DAYS * DAY_S
    writer.tick(end + 18 * HOUR_S)
    before = {row.local_date: row for row in rows_of(run(writer.logs, config, None))}
    revised = DAYS - 4
    episode = SleepEpisode(
        time=START_S + revised * DAY_S, duration=2 * HOUR_S, record_id=f"night-{revised}"
    )
    writer.send(episode, received=end + 19 * HOUR_S)
    writer.tick(end + 20 * HOUR_S)
    after = {row.local_date: row for row in rows_of(run(writer.logs, config, None))}
    last = max(before)
    name = "sleep_duration_sd_min"
    assert (last - _date(START_S + revised * DAY_S)).days >= 2
    assert not after[last].settled
    assert after[last].revision > before[last].revision
    assert after[last].values[name] != before[last].values[name]
    # And what is then shown is what will settle.
    writer.settle_everything(end + 20 * HOUR_S, config.lateness_s)
    final = [row for row in rows_of(run(writer.logs, config, None)) if row.settled]
    at_last = next(row for row in final if row.local_date == last)
    assert at_last.values == after[last].values


def _date(time: float) -> dt.date:
    return dt.datetime.fromtimestamp(time + HOUR_S, dt.UTC).date()


def _fed(writer: LogWriter) -> PartitionPipeline:
    pipeline = pipeline_of(CONFIG)
    for topic, batch in in_turns(writer.logs):
        pipeline.process(topic, batch)
    return pipeline


def test_the_history_is_a_part_of_its_own_that_is_written_when_a_date_has_settled() -> None:
    writer = weeks(1, count=5)
    pipeline = _fed(writer)
    checkpoints = pipeline.checkpoints
    checkpoints.begin(pipeline.head())
    first = {record.key: record.value for record in checkpoints.take(10)}
    [packed] = [value for key, value in first.items() if key.startswith("u1/0-history/")]
    state = msgspec.msgpack.decode(unpack(packed or b""), type=HistoryState)
    assert History.from_state(state).days().keys() == {_index(1), _index(0)}
    now = START_S + 5 * DAY_S
    writer.send(HeartRate(time=now - 10.0, heart_rate=90), received=now + 1.0)
    writer.tick(now + 1.0, ["subjects"])
    for topic in ("subjects", "heart-rate"):
        pipeline.process(topic, writer.logs[topic][-1:])
    checkpoints.begin(pipeline.head())
    second = {record.key for record in checkpoints.take(10)}
    assert second
    assert not [key for key in second if "history" in key]


def _index(day: int) -> int:
    return (_date(START_S + day * DAY_S) - dt.date(1970, 1, 1)).days


def _as_version_1(key: str, value: bytes | None) -> bytes | None:
    """A record as the release before wrote it: no history, and rows without digests."""
    if not value:
        return value
    content = msgspec.msgpack.decode(unpack(value))
    if key.startswith("u1/head/"):
        content[3] = {part: stamp for part, stamp in content[3].items() if "history" not in part}
    elif key.startswith("u1/0-") and "detection" not in key:
        content[2] = [row[:5] for row in content[2]]
    return bytes([1]) + pack(msgspec.msgpack.encode(content))[1:]


def test_a_state_of_the_version_before_goes_on_with_an_empty_history() -> None:
    writer = weeks(1)
    state = MemoryLog()
    owner = Owner(state, writer.logs, CONFIG)
    while not owner.is_done:
        owner.process(random.Random(1))
    checkpoints = owner.pipeline.checkpoints
    checkpoints.begin(owner.pipeline.head())
    state.append([*checkpoints.take(100), checkpoints.seal()])
    state.records = [
        (offset, key, _as_version_1(key, value))
        for offset, key, value in state.records
        if "history" not in key
    ]
    writer.settle_everything(START_S + DAYS * DAY_S, CONFIG.lateness_s)
    again = Owner(state, writer.logs, CONFIG)
    outputs: list[Output] = []
    while not again.is_done:
        outputs += again.process(random.Random(1))
    rows = [row for row in rows_of(outputs) if row.settled]
    assert rows
    assert not [row for row in rows if LONG[0] in row.values]


def test_who_comes_back_after_a_withdrawal_begins_with_an_empty_history() -> None:
    writer = weeks(1)
    end = START_S + DAYS * DAY_S
    writer.tick(end + DAY_S)
    writer.send(subject(status=SubjectStatus.WITHDRAWN), received=end + DAY_S)
    writer.tick(end + DAY_S + HOUR_S)
    writer.send(subject(), received=end + DAY_S + HOUR_S)
    writer.tick(end + DAY_S + 2 * HOUR_S)
    chance = random.Random(9)
    for day in range(DAYS + 3, DAYS + 6):
        writer.tick(START_S + day * DAY_S)
        write_day(writer, day, chance)
    writer.settle_everything(START_S + (DAYS + 6) * DAY_S, CONFIG.lateness_s)
    rows = [row for row in rows_of(run(writer.logs, CONFIG, None)) if row.settled]
    told = [row.local_date for row in rows if LONG[0] in row.values]
    assert told
    assert max(told) <= _date(end + DAY_S)
    assert max(row.local_date for row in rows) > _date(end + 3 * DAY_S)
