"""The state of owned partitions: restored when they come, checkpointed while they stay.

Order is everything here. A checkpoint begins after the outputs of all that it holds are safe; its
records are safe before the record that seals it is written; and only then, and only if nobody else
had become the owner by then, may sources be acknowledged, and replaced records be taken back.
"""

import asyncio
import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from connectors.state import StateTopic
from streams.config import CheckpointPolicy
from streams.errors import StateUnknown, WakelineError
from streams.pipeline import PartitionPipeline
from streams.recovery import recover
from streams.state_log import StateLog, StateRecord, fence_key, is_fence

log = structlog.get_logger(__name__)

SUBJECTS_AT_ONCE = 8
"""Subjects that are written, or restored, before other tasks run."""

COST_FACTOR = 15.0
"""The next checkpoint begins no sooner than so many times what writing the last one took.

Of each partition that a process keeps: with four of them, the others' checkpoints come between.
Sending what is written is not measured and takes half as much again, so all of it is a tenth.
"""

TELL_EVERY_S = 5.0
"""How often a long restore says how far it is (s)."""

NewPipeline = Callable[[int, int], PartitionPipeline]
"""Makes the pipeline of a partition number as it is at the start of the logs, for an epoch."""

Clock = Callable[[], float]


class Superseded(WakelineError):
    """Raised when another worker has become the owner of a partition: nothing here counts."""


class Keeping:
    """The checkpoints of one owned partition number.

    Parameters
    ----------
    topic
        Where records go.
    pipeline
        Whose state it is.
    policy
        How often.
    clock
        Seconds of any steady clock.
    """

    def __init__(
        self,
        topic: StateTopic,
        pipeline: PartitionPipeline,
        policy: CheckpointPolicy,
        clock: Clock = time.monotonic,
    ) -> None:
        self._topic = topic
        self._pipeline = pipeline
        self._policy = policy
        self._clock = clock
        self._begun = self._sealed_at = clock()
        self._messages = 0
        self._is_running = False
        # Where the next record goes, as long as nobody else writes.
        self._next_offset = pipeline.checkpoints.epoch + 1
        # Up to where the log is known to hold no other owner's fence.
        self._checked_offset = self._next_offset
        self._cost_s = 0.0
        self._foreign_a_s = pipeline.checkpoints.foreign_count / (policy.compaction_lag_s / 2.0)
        self.written_bytes = 0

    def count(self, messages: int) -> None:
        """Take note of messages that have become part of the state."""
        self._messages += messages

    @property
    def has_changed(self) -> bool:
        """Whether anything has become part of the state since the last checkpoint began."""
        return self._messages > 0

    @property
    def age_s(self) -> float:
        """How old the last sealed checkpoint is (s); counted from the restore before the first."""
        return self._clock() - self._sealed_at

    def is_due(self, partitions: int) -> bool:
        """Whether a checkpoint should begin now, and never so soon that they cost a tenth.

        ``partitions``: how many one process keeps, for their checkpoints share its time.
        """
        age_s = self._clock() - self._begun
        if self._is_running or age_s < COST_FACTOR * self._cost_s * partitions:
            return False
        return age_s >= self._policy.interval_s or self._messages >= self._policy.messages

    def begin(self) -> None:
        """Begin a checkpoint of the state as it is; all outputs of it must be safe."""
        age_s, self._begun = self._clock() - self._begun, self._clock()
        self._messages = 0
        self._is_running = True
        rewrite = math.ceil(self._foreign_a_s * age_s)
        self._pipeline.checkpoints.begin(self._pipeline.head(), rewrite)

    async def finish(self) -> None:
        """Write the checkpoint that has begun, bit by bit, and seal it.

        Raises
        ------
        BrokerUnavailable
            If the broker does not take it.
        Superseded
            If another worker's fence lies before the seal, so that the checkpoint is not valid.
        """
        checkpoints = self._pipeline.checkpoints
        taken, taking_s = 0, 0.0
        while not checkpoints.is_complete:
            before, started = checkpoints.written, self._clock()
            records = checkpoints.take(SUBJECTS_AT_ONCE)
            taken += checkpoints.written - before
            taking_s += self._clock() - started
            await self._write(records)
            await asyncio.sleep(0)
        await self._write(checkpoints.take(0))
        # What was written just before it changed cost as much.
        self._cost_s = taking_s * checkpoints.written / max(taken, 1)
        await self._seal(checkpoints.seal())
        self._sealed_at = self._clock()
        # From here on it is this checkpoint that any new owner finds, so whatever it replaced is
        # not needed again, however late that is said.
        await self._write(checkpoints.committed())
        self._is_running = False

    async def _seal(self, seal: StateRecord) -> None:
        partition, value = self._pipeline.partition, seal.value or b""
        offset = await self._topic.append(partition, seal.key, value)
        self.written_bytes += len(value)
        # Where it has the offset it must have if nobody else has written, nobody else is the owner.
        if offset != self._next_offset:
            async for entries in self._topic.read(partition, offset, since=self._checked_offset):
                if any(is_fence(key) for _, key, _ in entries):
                    raise Superseded(
                        f"another worker has taken over partition {partition}: what was done here "
                        "since is done again there"
                    )
        self._next_offset = self._checked_offset = offset + 1

    async def _write(self, records: list[StateRecord]) -> None:
        pairs = [(record.key, record.value) for record in records]
        self._next_offset += len(pairs)
        self.written_bytes += await self._topic.write(self._pipeline.partition, pairs)


class Custody:
    """Restores partitions from the state topic, and makes what keeps them.

    Parameters
    ----------
    topic
        The state topic.
    new_pipeline
        Makes a partition's pipeline.
    policy
        How often state is written.
    """

    def __init__(
        self, topic: StateTopic, new_pipeline: NewPipeline, policy: CheckpointPolicy
    ) -> None:
        self._topic = topic
        self._new_pipeline = new_pipeline
        self._policy = policy

    async def restore(self, partition: int) -> PartitionPipeline:
        """Become the owner of a partition number and bring its state back.

        Raises
        ------
        StateUnknown
            When the state is of another release, or its own record is damaged.
        BrokerUnavailable
            If the broker does not answer.
        """
        began = time.monotonic()
        epoch = await self._topic.fence(partition, fence_key)
        state = StateLog()
        read = 0
        with _garbage_left():
            async for entries in self._topic.read(partition, epoch):
                for entry in entries:
                    state.read(*entry)
                read += len(entries)
            pipeline = self._new_pipeline(partition, epoch)
            subjects = await self._recover(pipeline, state)
        log.info(
            "state restored",
            partition=partition,
            subjects=subjects,
            records=read,
            seconds=round(time.monotonic() - began, 1),
        )
        return pipeline

    def keeping(self, pipeline: PartitionPipeline) -> Keeping:
        """What checkpoints a partition from now on."""
        return Keeping(self._topic, pipeline, self._policy)

    async def _recover(self, pipeline: PartitionPipeline, state: StateLog) -> int:
        told = time.monotonic()
        subjects = 0
        try:
            for restored in recover(pipeline, state):
                subjects += 1
                if restored.fault is not None:
                    log.error(
                        "the state of a subject is damaged: it is quarantined",
                        partition=pipeline.partition,
                        fault=restored.fault,
                    )
                if subjects % SUBJECTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if time.monotonic() - told > TELL_EVERY_S:
                    told = time.monotonic()
                    log.info("restoring", partition=pipeline.partition, subjects=subjects)
        except ValueError as error:
            raise StateUnknown(
                f"the state of partition {pipeline.partition} cannot be read: {error}"
            ) from error
        return subjects


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Do not look for cyclic garbage meanwhile.

    All that is restored is kept; to look through it again and again takes a sixth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
