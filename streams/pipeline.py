"""One partition number: order, holding, the gate, ticks and subjects. The whole path in one place.

Messages of each topic are taken in the order of their log. What cannot be judged yet, and what
lies behind it, waits in a queue of its topic; so does a topic whose clock runs too far ahead.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from detectors.cohort import Cohort
from detectors.limits import not_watched
from streams.checkpoint import Checkpoints, Look, PartitionHead, UserHead
from streams.clock import Clocks
from streams.config import PipelineConfig
from streams.decoding import Partial
from streams.errors import PartitionsChanged, fault_place
from streams.events import (
    ENVELOPE_SCHEMAS,
    INGEST_TOPICS,
    SCHEMA_OF_TYPE,
    TICK_KEY,
    TOPIC_OF_SCHEMA,
    AlertAction,
    CareContext,
    Envelope,
    MoodCheckIn,
    Operation,
    Output,
    Subject,
    Tick,
)
from streams.gate import (
    Bare,
    Fault,
    LogRecord,
    admit,
    envelope_of,
    failure_reason,
    fault_of,
    faults_told,
    letters_of,
    may_keep,
    read,
)
from streams.listed import record_start_s
from streams.people import People, Person
from streams.registry import Change, Enrolment, Registry

SUBJECTS_TOPIC = TOPIC_OF_SCHEMA[SCHEMA_OF_TYPE[Subject]]
_CARE_TOPICS = frozenset(TOPIC_OF_SCHEMA[SCHEMA_OF_TYPE[t]] for t in (CareContext, AlertAction))
_CHECK_IN = SCHEMA_OF_TYPE[MoodCheckIn]


COUNTS = (
    "record_count",
    "late_count",
    "absent_count",
    "not_enrolled_count",
    "no_consent_count",
    "dead_letter_count",
    "quarantined_count",
)
"""What is counted from the beginning of the logs: records, but for dead letters."""


class PartitionPipeline:
    """The pure pipeline of one partition number.

    Parameters
    ----------
    partition
        The partition number, of all ingest topics alike.
    config
        Configuration; settled results are a function of it.
    partition_of
        The partition number that a ``userId`` belongs to.
    cohort
        What the cohort lends: priors and thresholds.
    epoch
        Offset of the owner's fence; carried by every row, anomaly and alert.
    """

    def __init__(
        self,
        partition: int,
        config: PipelineConfig,
        *,
        partition_of: Callable[[str], int],
        cohort: Cohort,
        epoch: int = 0,
    ) -> None:
        self.partition = partition
        # Zeros are said too, or the first of a kind could not be seen as a rise.
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
        self._config = config
        self._partition_of = partition_of
        self._epoch = epoch
        self._clocks = Clocks(INGEST_TOPICS)
        self._registry = Registry()
        self._people = People(self._registry, config, cohort, partition=partition, epoch=epoch)
        self._queues: dict[str, deque[LogRecord]] = {topic: deque() for topic in INGEST_TOPICS}
        self._taken: dict[str, int] = {}
        self.quarantined: dict[str, str] = {}
        self._told: list[Output] = []
        self.checkpoints = Checkpoints(self._look, epoch)
        self._people.before_change = self.checkpoints.touch
        self._people.on_fault = self._fail

    @property
    def clock(self) -> float:
        """The minimum clock (s UTC); minus infinity before every topic has had a tick."""
        return self._clocks.minimum

    @property
    def blocked(self) -> frozenset[str]:
        """Topics to pause: something of theirs waits, or they run too far ahead."""
        return frozenset(
            topic
            for topic, queue in self._queues.items()
            if queue or self._clocks.leads(topic, self._config.skew_s)
        )

    def safe_offset(self, topic: str) -> int | None:
        """First offset of a topic that is not yet part of the state; None before any."""
        queue = self._queues[topic]
        if queue:
            return queue[0].offset
        taken = self._taken.get(topic)
        return None if taken is None else taken + 1

    def head(self) -> PartitionHead:
        """What is held beside the subjects; what waits in queues is to be read again."""
        offsets = {topic: self.safe_offset(topic) for topic in INGEST_TOPICS}
        known = {topic: offset for topic, offset in offsets.items() if offset is not None}
        return PartitionHead(self._clocks.to_state(), known, dict(self.counts))

    def restore_head(self, head: PartitionHead) -> None:
        """Take in, before anything else, what was held beside the subjects."""
        for topic, time in head.clocks.items():
            self._clocks.advance(topic, time)
        self._taken = {topic: offset - 1 for topic, offset in head.offsets.items()}
        self.counts.update(head.counts)

    def restore_registration(self, head: UserHead) -> None:
        """Take in what the registry held of a subject."""
        self._registry.restore(head.user_id, head.registry)
        if head.quarantined is not None:
            self.quarantined[head.user_id] = head.quarantined

    def restore_user(self, head: UserHead, parts: Mapping[str, bytes]) -> None:
        """Take in a registered subject as it was.

        Raises
        ------
        ValueError
            When a part is missing, or is not what it should be.
        """
        self._people.restore(head.user_id, head.people, parts)

    def process(self, topic: str, records: Sequence[LogRecord]) -> list[Output]:
        """Take messages of one topic in the order of their log; give what follows from them."""
        outputs: list[Output] = []
        queue = self._queues[topic]
        if queue:
            queue.extend(records)
        else:
            taken = self._take_run(topic, records, outputs)
            queue.extend(records[taken:])
        if any(self._queues.values()):
            self._drain(outputs)
        outputs += self._told
        self._told = []
        return outputs

    def quarantine(self, user_id: str, reason: str) -> None:
        """Take no more data of a subject whose state cannot be trusted, and tell its care team."""
        self._people.drop(user_id)
        self.quarantined[user_id] = reason
        enrolment = self._registry.at(user_id, math.inf)
        clock = self._clocks.minimum
        if enrolment is not None and clock > -math.inf:
            self._told.append(not_watched(enrolment.subject, clock, self._epoch))

    def _look(self, user_id: str) -> Look:
        registered, people = self._registry.to_state(user_id), self._people.look(user_id)
        return Look(registered, *people, quarantined=self.quarantined.get(user_id))

    def _fail(self, user_id: str, error: Exception) -> None:
        """Quarantine a subject on whom the code failed."""
        self.checkpoints.touch(user_id)
        self.quarantine(user_id, fault_place(error))

    def _drain(self, outputs: list[Output]) -> None:
        """Take what has waited, until nothing moves any more."""
        has_moved = True
        while has_moved:
            has_moved = False
            for topic, queue in self._queues.items():
                while queue and self._can_take(topic, queue[0], outputs):
                    queue.popleft()
                    has_moved = True

    def _take_run(self, topic: str, records: Sequence[LogRecord], outputs: list[Output]) -> int:
        for index, record in enumerate(records):
            if not self._can_take(topic, record, outputs):
                return index
        return len(records)

    def _can_take(self, topic: str, record: LogRecord, outputs: list[Output]) -> bool:
        """Take one message if it is its turn; False if it has to wait."""
        clocks = self._clocks
        if clocks.leads(topic, self._config.skew_s):
            return False
        if record.key == TICK_KEY:
            self._take_tick(topic, record, outputs)
        elif topic == SUBJECTS_TOPIC:
            self._take_registration(record, outputs)
        elif clocks[SUBJECTS_TOPIC] <= clocks[topic]:
            return False
        else:
            self._take_event(topic, record, outputs)
        self._taken[topic] = record.offset
        return True

    def _take_tick(self, topic: str, record: LogRecord, outputs: list[Output]) -> None:
        tick = read(record)
        if type(tick) is not Tick:
            fault = "not a tick under the key of ticks", None
            self._refuse(topic, Bare(record.offset), [fault], outputs)
            return
        if tick.partitions != self._config.partitions:
            raise PartitionsChanged(
                f"the log was written with {tick.partitions} partitions, and "
                f"{self._config.partitions} are configured: set the number of partitions to "
                f"{tick.partitions}, or publish the recording into new topics"
            )
        previous = self._clocks[topic]
        has_moved = self._clocks.advance(topic, tick.time)
        if topic == SUBJECTS_TOPIC and self._clocks[topic] > previous:
            for user_id in self._registry.pending:
                self.checkpoints.touch(user_id)
            for change in self._registry.tick():
                self._enrol(change, tick.time)
        if has_moved:
            self._advance(outputs)

    def _enrol(self, change: Change, tick: float) -> None:
        if change.user_id in self.quarantined:
            return  # with a new state, what is refused would be taken for silence
        try:
            self._people.enrol(change, tick)
        except Exception as error:  # whatever the fault is, it is this subject's alone
            self._fail(change.user_id, error)

    def _take_registration(self, record: LogRecord, outputs: list[Output]) -> None:
        message = read(record)
        reason, bad = fault_of(SUBJECTS_TOPIC, record, message)
        faults = faults_told(reason, bad)
        envelope = envelope_of(message) if reason is None else None
        if envelope is not None:
            answers = [self._register(subject, envelope) for subject in envelope.records]
            faults += [(fault, None) for fault in answers if fault is not None]
        self._refuse(SUBJECTS_TOPIC, record, faults, outputs)

    def _register(self, subject: Subject, envelope: Envelope) -> str | None:
        if subject.user_id != envelope.user_id:
            return "userId of the record is not the envelope's"
        if self._partition_of(subject.user_id) != self.partition:
            return "wrong partition for this userId"
        self.checkpoints.touch(subject.user_id)
        try:
            return self._registry.update(subject, self._clocks[SUBJECTS_TOPIC])
        except Exception as error:  # it may have ended the consent: nothing more is taken in
            self._fail(subject.user_id, error)
            return failure_reason(error)

    def _take_event(self, topic: str, record: LogRecord, outputs: list[Output]) -> None:
        message = read(record)
        if isinstance(message, Partial):
            self.counts["absent_count"] += message.absent_count
        reason, bad = fault_of(topic, record, message)
        envelope = envelope_of(message)
        user_id = envelope.user_id if envelope is not None else (record.key or b"").decode("latin1")
        enrolment = self._registry.at(user_id, self._clocks[topic])
        if enrolment is None and reason is None and self._partition_of(user_id) != self.partition:
            reason = "wrong partition for this userId"
        if reason is not None or bad:
            # Payload of people without consent is kept nowhere, the dead-letter topic included.
            kept = record if may_keep(topic, envelope, enrolment) else Bare(record.offset)
            self._refuse(topic, kept, faults_told(reason, bad), outputs)
        if reason is not None or envelope is None:
            return
        if user_id in self.quarantined:
            self.counts["quarantined_count"] += len(envelope.records)
            return
        if enrolment is None or enrolment.is_withdrawn:
            self.counts["not_enrolled_count"] += len(envelope.records)
            return
        try:
            self._take_envelope(topic, envelope, enrolment, outputs)
        except Exception as error:  # whatever the fault is, it is this subject's alone
            self._fail(user_id, error)
            record = Bare(record.offset) if bad else record
            self._refuse(topic, record, [(failure_reason(error), None)], outputs)

    def _take_envelope(
        self, topic: str, envelope: Envelope, enrolment: Enrolment, outputs: list[Output]
    ) -> None:
        person = envelope.user_id, enrolment.generation
        state = self._people[person]
        if topic in _CARE_TOPICS:
            state.detection.hear(envelope.records, self._clocks[topic])
            self._people.mark_dirty(person)
            return
        schema = ENVELOPE_SCHEMAS[type(envelope)]
        admitted = admit(envelope, schema, enrolment)
        self.counts["no_consent_count"] += len(envelope.records) - len(admitted.records)
        if not admitted.records:
            return
        clock = self._clocks[topic]
        if clock == -math.inf:
            # Before its topic has had a tick, only the gateway says when this was.
            clock = envelope.time_received
        if schema == _CHECK_IN:
            outputs += state.detection.check_in(admitted.records, enrolment.subject, clock)
        cutoff_s = self._cutoff(clock)
        on_time = admitted.records
        if admitted.first_s < cutoff_s:
            on_time = [entry for entry in on_time if record_start_s(entry) >= cutoff_s]
            late_count = len(admitted.records) - len(on_time)
            self.counts["late_count"] += late_count
            state.late_count += late_count
        state.evidence.add_received(envelope.time_received, cutoff_s)
        if not on_time:
            return
        if len(on_time) != len(envelope.records):
            envelope = msgspec.structs.replace(envelope, records=on_time)
        source = enrolment.source(envelope.source_id).priority, envelope.source_id
        self._add(person, schema, envelope, source=source, cutoff_s=cutoff_s)

    def _add(
        self,
        person: Person,
        schema: str,
        envelope: Envelope,
        *,
        source: tuple[int, str],
        cutoff_s: float,
    ) -> None:
        state = self._people[person]
        added = state.add(schema, envelope, source, cutoff_s)
        self.counts["record_count"] += len(envelope.records) - added.late_count
        self.counts["late_count"] += added.late_count
        state.late_count += added.late_count
        if added.changed_from_s is not None:
            start_s = added.changed_from_s
            self._people.wake(person, start_s + 60.0 + self._config.lateness_s)
            self._people.wake(person, (start_s // 3_600.0 + 1.0) * 3_600.0 + self._config.grace_s)
        if state.is_dirty:
            self._people.mark_dirty(person)

    def _cutoff(self, clock: float) -> float:
        """What begins before this instant (s UTC) is late when a topic's clock says ``clock``."""
        return math.floor((clock - self._config.lateness_s) / 60.0) * 60.0

    def _advance(self, outputs: list[Output]) -> None:
        """Bring everybody up to the minimum clock whom it concerns."""
        clock = self._clocks.minimum
        outputs += self._people.advance(clock)
        self._registry.forget_before(clock)
        figures = {name: float(count) for name, count in sorted(self.counts.items())}
        figures["quarantined_subjects"] = float(len(self.quarantined))
        outputs.append(
            Operation(
                name="clock",
                partition=self.partition,
                time=clock,
                values=figures,
                epoch=self._epoch,
            )
        )

    def _refuse(
        self, topic: str, record: LogRecord, faults: Sequence[Fault], outputs: list[Output]
    ) -> None:
        """Tell what is wrong with a message."""
        self.counts["dead_letter_count"] += len(faults)
        outputs += letters_of(topic, self.partition, record, faults)
