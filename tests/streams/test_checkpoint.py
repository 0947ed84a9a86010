"""Goal: a checkpoint is the state at one instant, however it is spread, and nothing is lost in a
crash. Method: generated logs, checkpoints and crashes at random places, a state log in memory.
"""

import random
from collections.abc import Callable, Sequence

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.cohort import load_cohort
from streams.checkpoint import UserHead
from streams.config import PipelineConfig
from streams.errors import StateUnknown
from streams.events import Alert, FeatureRow, HeartRate, Output
from streams.listed import Columns, _from_columns
from streams.pipeline import PartitionPipeline
from streams.recovery import recover
from streams.rows import Shown
from streams.state_log import (
    STATE_VERSION,
    StateLog,
    StateRecord,
    fence_key,
    pack,
    unpack,
)
from streams.subject_parts import SubjectDay
from tests.logs import (
    HOUR_S,
    START_S,
    Logs,
    LogWriter,
    Message,
    in_turns,
    pipeline_of,
    run,
    settled,
    subject,
)
from tests.test_determinism import CONFIG, generated_logs


class MemoryLog:
    """The state topic of one partition, as the broker would keep it, compacted now and then."""

    def __init__(self) -> None:
        self.records: list[tuple[int, str, bytes | None]] = []
        self._end = 0

    def append(self, records: Sequence[StateRecord]) -> None:
        for record in records:
            self.records.append((self._end, record.key, record.value))
            self._end += 1

    def fence(self) -> int:
        self.append([StateRecord(fence_key(str(self._end)), b"")])
        return self._end - 1

    def compact(self) -> None:
        """Keep the last record of each key, and no tombstones."""
        last = {key: offset for offset, key, _ in self.records}
        self.records = [
            (offset, key, value)
            for offset, key, value in self.records
            if last[key] == offset and value is not None
        ]


class Owner:
    """A worker of one partition: fences, restores, processes, checkpoints bit by bit."""

    def __init__(self, state: MemoryLog, logs: Logs, config: PipelineConfig) -> None:
        self._state = state
        self._logs = logs
        epoch = state.fence()
        self.pipeline = PartitionPipeline(
            0, config, partition_of=lambda _: 0, cohort=load_cohort(), epoch=epoch
        )
        log = StateLog()
        for offset, key, value in state.records:
            if offset <= epoch:
                log.read(offset, key, value)
        assert all(restored.fault is None for restored in recover(self.pipeline, log))
        self._places = {topic: self.pipeline.safe_offset(topic) or 0 for topic in logs}
        self._is_running = False

    @property
    def is_done(self) -> bool:
        return all(self._places[topic] >= len(log) for topic, log in self._logs.items())

    def process(self, chance: random.Random) -> list[Output]:
        ready = [topic for topic, log in self._logs.items() if self._places[topic] < len(log)]
        topic = chance.choice(ready)
        size = chance.randint(1, 40)
        batch = self._logs[topic][self._places[topic] : self._places[topic] + size]
        self._places[topic] += len(batch)
        return self.pipeline.process(topic, batch)

    def checkpoint_a_bit(self, chance: random.Random) -> None:
        checkpoints = self.pipeline.checkpoints
        if not self._is_running:
            checkpoints.begin(self.pipeline.head(), rewrite=chance.randint(0, 2))
            self._is_running = True
        self._state.append(checkpoints.take(chance.randint(0, 2)))
        if checkpoints.is_complete and chance.random() < 0.7:
            self._state.append([*checkpoints.take(0), checkpoints.seal()])
            self._state.append(checkpoints.committed())
            self._is_running = False


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
@given(seed=st.integers(0, 2**32 - 1))
def test_crashes_anywhere_and_owners_that_wake_up_again_change_no_settled_result(
    seed: int,
) -> None:
    chance = random.Random(seed)
    logs = generated_logs(seed, chance.randint(12, 60), 0.9, 0)
    state = MemoryLog()
    frozen: list[Owner] = []
    outputs: list[Output] = []
    owner = Owner(state, logs, CONFIG)
    while not owner.is_done:
        outputs += owner.process(chance)
        if chance.random() < 0.3:
            owner.checkpoint_a_bit(chance)
        if chance.random() < 0.03:
            frozen.append(owner)
            owner = Owner(state, logs, CONFIG)
        if frozen and chance.random() < 0.05:
            zombie = chance.choice(frozen)
            if not zombie.is_done:
                zombie.process(chance)
            zombie.checkpoint_a_bit(chance)
        if owner.pipeline.checkpoints.foreign_count == 0 and chance.random() < 0.05:
            state.compact()
    assert settled(outputs) == settled(run(logs, CONFIG, None))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
@given(seed=st.integers(0, 2**32 - 1))
def test_compaction_at_any_moment_takes_nothing_that_owners_in_a_row_still_need(seed: int) -> None:
    chance = random.Random(seed)
    logs = _many(users=6, hours=chance.randint(10, 20)).logs
    state = MemoryLog()
    outputs: list[Output] = []
    owner = Owner(state, logs, CONFIG)
    while not owner.is_done:
        outputs += owner.process(chance)
        if chance.random() < 0.5:
            owner.checkpoint_a_bit(chance)
        if chance.random() < 0.1:
            owner = Owner(state, logs, CONFIG)
        if chance.random() < 0.2:
            state.compact()
    assert settled(outputs) == settled(run(logs, CONFIG, None))


def _many(users: int, hours: int) -> LogWriter:
    writer = LogWriter()
    for number in range(users):
        writer.send(subject(f"u{number}"), received=START_S, user_id=f"u{number}")
    writer.tick(START_S)
    for hour in range(1, hours):
        now = START_S + hour * HOUR_S
        for number in range(users):
            beats = [HeartRate(time=now - 60 * k, heart_rate=60 + number + k) for k in range(30)]
            writer.send(*beats, received=now, user_id=f"u{number}")
        writer.tick(now)
    return writer


def _fed(logs: Logs) -> tuple[PartitionPipeline, list[tuple[str, list[Message]]]]:
    """A pipeline that has read half of the logs, and what is left."""
    pipeline = PartitionPipeline(0, CONFIG, partition_of=lambda _: 0, cohort=load_cohort(), epoch=7)
    turns = list(in_turns(logs))
    for topic, batch in turns[: len(turns) // 2]:
        pipeline.process(topic, batch)
    return pipeline, turns[len(turns) // 2 :]


def test_a_checkpoint_spread_over_further_events_holds_nothing_of_them() -> None:
    logs = _many(users=5, hours=40).logs
    at_once, _ = _fed(logs)
    at_once.checkpoints.begin(at_once.head())
    expected = [*at_once.checkpoints.take(100), at_once.checkpoints.seal()]
    spread, rest = _fed(logs)
    spread.checkpoints.begin(spread.head())
    records = []
    for place, (topic, batch) in enumerate(rest):
        spread.process(topic, batch)
        records += spread.checkpoints.take(limit=place % 50 == 49)
    assert spread.checkpoints.is_complete
    records.append(spread.checkpoints.seal())
    assert {record.key: record.value for record in records} == {
        record.key: record.value for record in expected
    }
    assert len(records) > 15


def test_only_what_changed_is_written_again_and_what_it_replaced_is_taken_back() -> None:
    writer = _many(users=3, hours=30)
    pipeline = pipeline_of(CONFIG)
    for topic, batch in in_turns(writer.logs):
        pipeline.process(topic, batch)
    checkpoints = pipeline.checkpoints
    checkpoints.begin(pipeline.head())
    first = {record.key for record in checkpoints.take(10)}
    assert checkpoints.committed() == []
    now = START_S + 29 * HOUR_S
    writer.send(HeartRate(time=now - 10, heart_rate=90), received=now + 1, user_id="u1")
    writer.tick(now + 1, ["subjects"])
    for topic in ("subjects", "heart-rate"):
        pipeline.process(topic, writer.logs[topic][-1:])
    checkpoints.begin(pipeline.head())
    second = {record.key for record in checkpoints.take(10)}
    today = int(now // 86_400)
    assert second == {"u1/head/0/2", f"u1/0-{today}/0/2"}
    replaced = {record.key for record in checkpoints.committed()}
    assert replaced == {"u1/head/0/1", f"u1/0-{today}/0/1", "~partition/0/1"}
    assert replaced - first == {"~partition/0/1"}


class Sealed:
    """The state of some subjects after a checkpoint, in a log."""

    def __init__(self, logs: Logs) -> None:
        self.state = MemoryLog()
        owner = Owner(self.state, logs, CONFIG)
        while not owner.is_done:
            owner.process(random.Random(1))
        checkpoints = owner.pipeline.checkpoints
        checkpoints.begin(owner.pipeline.head())
        self.state.append([*checkpoints.take(100), checkpoints.seal()])

    def change(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Damage the records whose key begins so."""
        assert any(name.startswith(key) for _, name, _ in self.state.records)
        self.state.records = [
            (offset, name, change(value) if name.startswith(key) and value else value)
            for offset, name, value in self.state.records
        ]

    def restore(self) -> tuple[PartitionPipeline, dict[str, str | None]]:
        log = StateLog()
        for record in self.state.records:
            log.read(*record)
        pipeline = pipeline_of(CONFIG)
        return pipeline, {user.user_id: user.fault for user in recover(pipeline, log)}


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:1] + b"rubbish",
        lambda value: value[:-20],
        lambda value: value[:1] + pack(b"\x93\x01\x02\x03")[1:],
        lambda _: b"",
    ],
)
@pytest.mark.parametrize("part", ["head", "0-"])
def test_a_damaged_record_quarantines_its_subject_alone(
    part: str, damage: Callable[[bytes], bytes]
) -> None:
    writer = _many(users=3, hours=30)
    sealed = Sealed(writer.logs)
    sealed.change(f"u1/{part}", damage)
    pipeline, faults = sealed.restore()
    assert faults.keys() == {"u0", "u1", "u2"}
    assert faults["u0"] is faults["u2"] is None
    assert faults["u1"] is not None
    assert set(pipeline.quarantined) == {"u1"}
    writer.settle_everything(START_S + 30 * HOUR_S, CONFIG.lateness_s)
    places = {topic: pipeline.safe_offset(topic) or 0 for topic in writer.logs}
    rest = [(topic, log[places[topic] :]) for topic, log in writer.logs.items()]
    outputs = [output for topic, log in rest for output in pipeline.process(topic, log)]
    settled_rows = [o for o in outputs if isinstance(o, FeatureRow) and o.settled]
    assert {row.user_id for row in settled_rows} == {"u0", "u2"}
    told = [o.user_id for o in outputs if isinstance(o, Alert) and o.rule == "not_watched"]
    # Whose head is damaged is not known to any team; the figures tell how many there are.
    assert told == ([] if part == "head" else ["u1"])


def test_what_the_registry_says_of_a_restored_subject_is_kept_once() -> None:
    """So are the terms of consent, which are the same for every type of record here."""
    pipeline, _ = Sealed(_many(users=1, hours=3).logs).restore()
    enrolment = pipeline._registry.at("u0", START_S + HOUR_S)
    assert enrolment is not None
    assert pipeline._people["u0", 0].current is enrolment.subject
    for terms in (enrolment.subject.consent, enrolment.consent):
        assert len({id(term) for term in terms.values()}) == 1


def test_a_state_that_lost_a_subject_wholly_is_refused() -> None:
    sealed = Sealed(_many(users=3, hours=3).logs)
    sealed.state.records = [r for r in sealed.state.records if not r[1].startswith("u1/")]
    with pytest.raises(ValueError, match="2 of 3 subjects"):
        sealed.restore()


def test_owners_that_follow_one_another_write_the_oldest_records_anew_first() -> None:
    logs = _many(users=6, hours=3).logs
    state = Sealed(logs).state
    first = {key for _, key, value in state.records if value}
    for _ in range(3):
        checkpoints = (owner := Owner(state, logs, CONFIG)).pipeline.checkpoints
        checkpoints.begin(owner.pipeline.head(), rewrite=2)
        state.append([*checkpoints.take(100), checkpoints.seal(), *checkpoints.committed()])
    state.compact()
    assert not {key for _, key, _ in state.records if key.startswith("u")} & first


def test_a_state_of_an_unknown_version_stops_with_one_clear_line() -> None:
    sealed = Sealed(_many(users=1, hours=3).logs)
    sealed.change("u0/head", lambda value: bytes([STATE_VERSION + 1]) + value[1:])
    with pytest.raises(StateUnknown, match=r"version 3.*knows versions 1 to 2"):
        sealed.restore()


def _of_version_1(content: bytes) -> bytes:
    """A record as version 1 wrote it: no names beforehand."""
    return b"\x01" + zstandard.ZstdCompressor().compress(content)


def _older_head(value: bytes) -> bytes:
    """No history was among the parts."""
    head = msgspec.msgpack.decode(unpack(value), type=UserHead)
    parts = {part: stamp for part, stamp in head.parts.items() if not part.endswith("history")}
    return _of_version_1(msgspec.msgpack.encode(msgspec.structs.replace(head, parts=parts)))


def _older_detection(value: bytes) -> bytes:
    """Only baselines were learned; devices and the policy ahead were not kept."""
    fields = msgspec.msgpack.decode(unpack(value))[:10]
    fields[0] = {"version": 1, "windows": fields[0]["windows"]}
    return _of_version_1(msgspec.msgpack.encode(fields))


def _older_day(value: bytes) -> bytes:
    """Records were kept whole; rows with no short numbers, nor what later dates read of them."""
    day = msgspec.msgpack.decode(unpack(value), type=SubjectDay)
    records = [
        (schema, priority, source, _from_columns(schema, kept) if type(kept) is Columns else kept)
        for schema, priority, source, kept in day.records
    ]
    shown = [msgspec.msgpack.decode(row, type=Shown) for row in day.rows]
    rows = [msgspec.to_builtins(row)[:5] for row in shown]
    return _of_version_1(msgspec.msgpack.encode([day.cells, records, rows]))


def test_subjects_of_the_version_before_go_on_beside_others_and_settle_the_same_rows() -> None:
    """In a rolling upgrade, some records are written by the release before."""
    hours = 30
    writer = _many(users=3, hours=hours)
    older, same = Sealed(writer.logs), Sealed(writer.logs)
    days = {key.rsplit("/", 2)[0] for _, key, _ in older.state.records if key.startswith("u1/0-1")}
    older.change("u1/head", _older_head)
    older.change("u1/0-detection", _older_detection)
    for day in days:
        older.change(f"{day}/", _older_day)
    writer.settle_everything(START_S + hours * HOUR_S, CONFIG.lateness_s)
    told = []
    for sealed in (older, same):
        pipeline, faults = sealed.restore()
        assert faults == {"u0": None, "u1": None, "u2": None}
        places = {topic: pipeline.safe_offset(topic) or 0 for topic in writer.logs}
        rest = [(topic, log[places[topic] :]) for topic, log in writer.logs.items()]
        outputs = [output for topic, log in rest for output in pipeline.process(topic, log)]
        assert not pipeline.quarantined
        rows = [o for o in outputs if isinstance(o, FeatureRow) and o.settled]
        told.append([msgspec.structs.replace(row, revision=0) for row in rows])
    assert {row.user_id for row in told[0]} == {"u0", "u1", "u2"}
    assert told[0] == told[1]
