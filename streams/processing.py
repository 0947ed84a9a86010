"""The agent ``process``, the only stateful one: fetch, call the pure step, produce, checkpoint.

No arithmetic. Partitions come with the state of their last checkpoint, and reading goes on where
that ends; so the offsets that the group commits only tell others how far it has come.
"""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import cast

import faust
import structlog
from faust.types import TP

from connectors.outbox import Outbox
from connectors.outputs import output_message
from streams.agents import Event, Stream, first_of
from streams.custody import Custody, Keeping, Superseded
from streams.events import Operation, Output
from streams.metrics import PartitionFigures, ProcessFigures
from streams.pipeline import PartitionPipeline
from streams.transport import Batch, BatchConsumer, OffsetGap, Record

# Outputs are sent, and other tasks run, after so many messages at the latest.
SLICE_MESSAGES = 2_000

log = structlog.get_logger(__name__)


class Owned:
    """What this worker holds of one partition number, for as long as it owns it."""

    def __init__(self, pipeline: PartitionPipeline, keeping: Keeping, restore_s: float) -> None:
        self.pipeline = pipeline
        self.keeping = keeping
        self.restore_s = restore_s
        self._counts_before = Counter(pipeline.counts)
        self.paused: frozenset[str] = frozenset()
        self.checkpoint: asyncio.Task[None] | None = None
        self.next_offsets: dict[str, int] = {}
        self._waiting: dict[str, deque[tuple[int, Event]]] = {}

    def figures(self, lag_messages: int, now: float) -> PartitionFigures:
        """How it goes, at ``now`` (s UTC)."""
        pipeline, keeping = self.pipeline, self.keeping
        clocks = pipeline.head().clocks.values()
        before = self._counts_before
        return PartitionFigures(
            partition=pipeline.partition,
            counts={name: count - before[name] for name, count in pipeline.counts.items()},
            quarantined_subjects=len(pipeline.quarantined),
            lag_messages=lag_messages,
            clock_age_s=now - pipeline.clock,
            clock_skew_s=max(clocks, default=0.0) - min(clocks, default=0.0),
            checkpoint_age_s=keeping.age_s,
            checkpoint_bytes=keeping.written_bytes,
            is_saved=not keeping.has_changed
            and (self.checkpoint is None or self.checkpoint.done()),
            restore_s=self.restore_s,
        )

    def unread(self, batch: Batch) -> Sequence[Record]:
        """The records of a batch that the state does not hold yet.

        Raises
        ------
        OffsetGap
            If the batch does not continue what was read before.
        """
        expected = self.next_offsets.get(batch.topic, batch.first_offset)
        # What is missing before a first batch after a seek was never on the broker: where reading
        # starts was held against the beginning of the log.
        if batch.first_offset > expected and not batch.restarted:
            raise OffsetGap(
                f"{batch.topic}[{batch.partition}]: expected offset {expected}, got a batch from "
                f"{batch.first_offset}"
            )
        self.next_offsets[batch.topic] = max(expected, batch.next_offset)
        if batch.first_offset >= expected:
            return batch.records
        return [record for record in batch.records if record.offset >= expected]

    def add(self, topic: str, event: Event) -> None:
        """Keep an event until a checkpoint holds all of its batch."""
        offset = event.message.offset
        # Its records are processed or held by the pipeline: the rest need not stay in memory.
        event.value = event.message.value = None
        self._waiting.setdefault(topic, deque()).append((offset, event))

    def take_safe(self) -> Iterator[Event]:
        """Events whose batch is wholly part of the state, in order; they are given once."""
        for topic, events in self._waiting.items():
            safe_offset = self.pipeline.safe_offset(topic)
            while events and safe_offset is not None and events[0][0] < safe_offset:
                yield events.popleft()[1]


class Processor:
    """The agent over all ingest topics: one pure pipeline for each partition number.

    Parameters
    ----------
    app
        The app whose ingest topics it reads.
    custody
        Restores partitions, and makes what checkpoints them.
    outbox
        Where outputs go; they are safe there before a checkpoint that rests on them begins.
    code_version
        Goes into the headers of dead letters.
    """

    def __init__(
        self, app: faust.App, custody: Custody, *, outbox: Outbox, code_version: str
    ) -> None:
        self._app = app
        self._custody = custody
        self._outbox = outbox
        self._code_version = code_version
        self._generation: int | None = None
        self._partitions: dict[int, Owned] = {}
        self._busy = asyncio.Lock()
        self._restoring = asyncio.Lock()
        self._is_leaving = False
        self.assigned: frozenset[TP] = frozenset()
        self._is_assigned = False
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, stream: Stream) -> None:
        """Process batches as they come, until cancelled or a checkpoint fails."""
        taking = asyncio.ensure_future(self._take_all(stream))
        try:
            await first_of(taking, self._failure)
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def _take_all(self, stream: Stream) -> None:
        async for event in stream.noack().events():
            async with self._busy:
                await self._take(event)

    async def start_offsets(
        self, consumer: BatchConsumer, assigned: frozenset[TP]
    ) -> dict[TP, int]:
        """Restore what was assigned and say where its reading starts (a `ReadFrom`).

        Raises
        ------
        OffsetGap
            If a log no longer holds what has not been processed yet.
        """
        async with self._restoring:  # asked again meanwhile, one must not fence oneself out
            await self._restore(assigned)
        beginnings = await consumer.earliest_offsets(*assigned)
        held = [tp for tp in assigned if tp.partition in self._partitions]
        return {tp: self._start_offset(tp, beginnings[tp]) for tp in held}

    async def _restore(self, assigned: frozenset[TP]) -> None:
        """Bring back the state of what was assigned, once for every assignment."""
        generation = self._app.consumer_generation_id
        if generation == self._generation:
            return
        self._partitions.clear()
        self._is_leaving = False
        for number in sorted({tp.partition for tp in assigned}):
            if self._app.consumer_generation_id != generation:
                break  # assigned anew meanwhile: a fence now could come after the next owner's
            begun = time.monotonic()
            pipeline = await self._custody.restore(number)
            restore_s = time.monotonic() - begun
            keeping = self._custody.keeping(pipeline)
            self._partitions[number] = Owned(pipeline, keeping, restore_s)
        self._generation = generation

    def on_assigned(self, assigned: set[TP]) -> None:
        """Note what this worker owns now."""
        self.assigned = frozenset(assigned)
        self._is_assigned = True
        log.info("partitions assigned", partitions=sorted({tp.partition for tp in assigned}))

    async def let_go(self) -> None:
        """Finish the slice at hand, checkpoint everything and own nothing any more."""
        self.assigned = frozenset()
        self._is_assigned = False
        self._is_leaving = True
        async with self._busy:
            owned, self._partitions = self._partitions, {}
            for one in owned.values():
                try:
                    await self._finish_all(one)
                except Superseded as error:
                    log.warning(str(error))

    def figures(self, now: float) -> ProcessFigures:
        """What is assigned, and how each restored partition number does at ``now`` (s UTC)."""
        numbers = frozenset(tp.partition for tp in self.assigned)
        return ProcessFigures(
            assigned=numbers if self._is_assigned else None,
            partitions=[
                owned.figures(self._behind(number, owned), now)
                for number, owned in sorted(self._partitions.items())
            ],
        )

    def gauges(self, now: float) -> list[Operation]:
        """How far each partition number is behind its logs and behind ``now`` (s UTC)."""
        return [
            Operation(
                name="lag",
                partition=partition,
                time=now,
                values={
                    "checkpoint_age_s": owned.keeping.age_s,
                    "clock_age_s": now - owned.pipeline.clock,
                    "lag_messages": float(self._behind(partition, owned)),
                },
            )
            for partition, owned in sorted(self._partitions.items())
            if owned.pipeline.clock > -math.inf
        ]

    def _start_offset(self, tp: TP, beginning: int) -> int:
        owned = self._partitions[tp.partition]
        restored = owned.pipeline.safe_offset(tp.topic)
        offset = owned.next_offsets.setdefault(
            tp.topic, beginning if restored is None else restored
        )
        if restored is not None and beginning > offset:
            raise OffsetGap(
                f"{tp.topic}[{tp.partition}]: the state ends at offset {offset}, and the log "
                f"begins at {beginning}: records were deleted before they were processed"
            )
        if restored is None and beginning > 0:
            log.error(
                "a log no longer begins at offset 0: results follow from what is left",
                topic=tp.topic,
                partition=tp.partition,
            )
        return offset

    def _behind(self, partition: int, owned: Owned) -> int:
        """Messages in the logs of a partition number that are not yet part of the state."""
        count = 0
        for tp in self.assigned:
            offset = owned.pipeline.safe_offset(tp.topic) if tp.partition == partition else None
            end = None if offset is None else self._app.consumer.highwater(tp)
            if offset is not None and end is not None:
                count += max(0, end - offset)
        return count

    async def _take(self, event: Event) -> None:
        batch = cast(Batch, event.value)
        owned = self._partitions.get(batch.partition)
        is_stale = event.message.generation_id != self._app.consumer_generation_id
        if owned is None or is_stale:
            return
        records = owned.unread(batch)
        for start in range(0, len(records), SLICE_MESSAGES):
            some = records[start : start + SLICE_MESSAGES]
            await self._send(batch.partition, owned.pipeline.process(batch.topic, some))
            owned.keeping.count(len(some))
            if owned.keeping.is_due(len(self._partitions)):
                self._begin_checkpoint(owned)
            await asyncio.sleep(0)
            if self._is_leaving:
                return  # what is left of the batch is read again by whoever owns it next
        owned.add(batch.topic, event)
        self._throttle(batch.partition, owned)

    async def _send(self, partition: int, outputs: Sequence[Output]) -> None:
        await self._outbox.send(
            output_message(output, partition, self._code_version) for output in outputs
        )

    async def _finish_all(self, owned: Owned) -> None:
        """Seal what has been processed."""
        await _finish_running(owned)
        if owned.keeping.has_changed:
            self._begin_checkpoint(owned)
            await _finish_running(owned)

    def _begin_checkpoint(self, owned: Owned) -> None:
        """Begin a checkpoint here, where all outputs of the state are safe, and go on."""
        owned.keeping.begin()
        owned.checkpoint = asyncio.ensure_future(_finish(owned, list(owned.take_safe())))
        owned.checkpoint.add_done_callback(self._look_at)

    def _look_at(self, checkpoint: "asyncio.Task[None]") -> None:
        """Stop the worker when a checkpoint has failed, for no other could begin.

        What it had taken out of the state and not written would be missing from any later one.
        """
        error = None if checkpoint.cancelled() else checkpoint.exception()
        if error is None or self._is_leaving:
            return  # who lets go waits for the checkpoint, and hears of its error there
        if isinstance(error, Superseded):
            log.warning(str(error))  # the broker is about to take the partition away
        elif not self._failure.done():
            self._failure.set_exception(error)

    def _throttle(self, partition: int, owned: Owned) -> None:
        """Pause the topics that must wait, so that what they hold in memory stays bounded."""
        blocked = owned.pipeline.blocked
        if blocked == owned.paused:
            return
        consumer = self._app.consumer
        consumer.pause_partitions({TP(topic, partition) for topic in blocked - owned.paused})
        consumer.resume_partitions({TP(topic, partition) for topic in owned.paused - blocked})
        owned.paused = blocked


async def _finish(owned: Owned, events: Sequence[Event]) -> None:
    await owned.keeping.finish()
    for event in events:
        event.ack()


async def _finish_running(owned: Owned) -> None:
    if owned.checkpoint is not None:
        await owned.checkpoint
