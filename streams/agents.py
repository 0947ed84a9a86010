"""The two agents, thin shells: fetch, call the pure step, produce, acknowledge. No arithmetic.

`Processor` is the agent ``process``, the only stateful one. Its state lives in memory in this
version: after every assignment it starts with empty pipelines and reads its partitions again from
the beginning of their logs. That is correct, because settled results are a pure function of the
logs and because sinks are idempotent. Where reading starts is said by `transport.ReadFrom`, and
what a new pipeline knows by the factory of pipelines: durable checkpoints take the place of these
two.

`ResultsWriter` is the agent ``results``, which brings outputs into a sink.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol, cast

import faust
import stamina
import structlog
from faust.types import TP

from connectors.base import ResultSink
from connectors.outbox import Outbox
from connectors.outputs import output_message, output_of
from streams.errors import BadInput, SinkUnavailable
from streams.events import Operation, Output
from streams.transport import Batch, Continuity, OffsetGap, Record

# Outputs are sent, and other tasks run, after so many messages at the latest.
SLICE_MESSAGES = 2_000

log = structlog.get_logger(__name__)

Event = faust.EventT[Any]
Stream = faust.Stream[Any]


class Pipeline(Protocol):
    """What an agent needs of `streams.pipeline.PartitionPipeline`."""

    @property
    def blocked(self) -> frozenset[str]:
        """Topics to pause."""
        ...

    @property
    def clock(self) -> float:
        """The minimum clock (s UTC), minus infinity before there is one."""
        ...

    def process(self, topic: str, records: Sequence[Record]) -> list[Output]:
        """Take records of one topic, in the order of its log."""
        ...

    def safe_offset(self, topic: str) -> int | None:
        """First offset of a topic that is not yet part of the state."""
        ...


class Owned:
    """What this worker holds of one partition number, for as long as it owns it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.paused: frozenset[str] = frozenset()
        self._waiting: dict[str, deque[Event]] = {}

    def add(self, topic: str, event: Event) -> None:
        """Keep an event until its batch is part of the state."""
        self._waiting.setdefault(topic, deque()).append(event)

    def take_safe(self) -> Iterator[Event]:
        """Events whose batch is wholly part of the state, in order; they are given once."""
        for topic, events in self._waiting.items():
            safe_offset = self.pipeline.safe_offset(topic)
            while events and safe_offset is not None and events[0].message.offset < safe_offset:
                yield events.popleft()


class Processor:
    """The agent over all ingest topics: one pure pipeline for each partition number.

    Parameters
    ----------
    app
        The app whose ingest topics it reads.
    new_pipeline
        Gives the pipeline of a partition number as it is at the start of the logs.
    outbox
        Where outputs go; they are acknowledged by the broker before their sources are.
    code_version
        Goes into the headers of dead letters.
    """

    def __init__(
        self,
        app: faust.App,
        new_pipeline: Callable[[int], Pipeline],
        *,
        outbox: Outbox,
        code_version: str,
    ) -> None:
        self._app = app
        self._new_pipeline = new_pipeline
        self._outbox = outbox
        self._code_version = code_version
        self._generation: int | None = None
        self._continuity = Continuity()
        self._partitions: dict[int, Owned] = {}
        self.assigned: frozenset[TP] = frozenset()

    async def run(self, stream: Stream) -> None:
        """Process batches as they come, until cancelled."""
        async for event in stream.noack().events():
            await self._take(event)

    def gauges(self, now: float) -> list[Operation]:
        """How far each partition number is behind its logs and behind ``now`` (s UTC)."""
        return [
            Operation(
                name="lag",
                partition=partition,
                time=now,
                values={
                    "clock_age_s": now - owned.pipeline.clock,
                    "lag_messages": float(self._behind(partition, owned)),
                },
            )
            for partition, owned in sorted(self._partitions.items())
            if owned.pipeline.clock > -math.inf
        ]

    def on_assigned(self, assigned: set[TP]) -> None:
        """Note what this worker owns now; the pipelines begin with the first batches."""
        self.assigned = frozenset(assigned)
        log.info("partitions assigned", partitions=sorted({tp.partition for tp in assigned}))

    def on_revoked(self, _: set[TP]) -> None:
        """Drop all state: whoever owns a partition next rebuilds it from the logs."""
        self.assigned = frozenset()
        self._partitions.clear()

    def _behind(self, partition: int, owned: Owned) -> int:
        """Messages in the logs of a partition number that are not yet part of the state."""
        count = 0
        for tp in self.assigned:
            offset = owned.pipeline.safe_offset(tp.topic) if tp.partition == partition else None
            end = None if offset is None else self._app.consumer.highwater(tp)
            if offset is not None and end is not None:
                count += max(0, end - offset)
        return count

    def _is_stale(self, event: Event) -> bool:
        return event.message.generation_id != self._app.consumer_generation_id

    async def _take(self, event: Event) -> None:
        if self._is_stale(event):
            return
        batch = cast(Batch, event.value)
        owned = self._owned(batch)
        for start in range(0, len(batch.records), SLICE_MESSAGES):
            outputs = owned.pipeline.process(
                batch.topic, batch.records[start : start + SLICE_MESSAGES]
            )
            await self._outbox.send(
                output_message(output, batch.partition, self._code_version) for output in outputs
            )
            await asyncio.sleep(0)
            if self._partitions.get(batch.partition) is not owned:
                return  # revoked meanwhile: whoever owns it next reads all of this again
        owned.add(batch.topic, event)
        for safe in owned.take_safe():
            safe.ack()
        self._throttle(batch.partition, owned)

    def _owned(self, batch: Batch) -> Owned:
        generation = self._app.consumer_generation_id
        if generation != self._generation:
            # Every assignment reads again from the start; nothing of the one before may remain.
            self._generation = generation
            self._continuity = Continuity()
            self._partitions.clear()
        self._continuity.check(batch)
        owned = self._partitions.get(batch.partition)
        if owned is None:
            owned = self._partitions[batch.partition] = Owned(self._new_pipeline(batch.partition))
        elif batch.restarted and owned.pipeline.safe_offset(batch.topic) is not None:
            raise OffsetGap(f"{batch.topic}[{batch.partition}] was read again from another offset")
        return owned

    def _throttle(self, partition: int, owned: Owned) -> None:
        """Pause the topics that must wait, so that what they hold in memory stays bounded."""
        blocked = owned.pipeline.blocked
        if blocked == owned.paused:
            return
        consumer = self._app.consumer
        consumer.pause_partitions({TP(topic, partition) for topic in blocked - owned.paused})
        consumer.resume_partitions({TP(topic, partition) for topic in owned.paused - blocked})
        owned.paused = blocked


class ResultsWriter:
    """The agent over the output topics: decodes them and writes them into a sink."""

    def __init__(self, app: faust.App, sink: ResultSink) -> None:
        self._app = app
        self._sink = sink
        self._generation: int | None = None
        self._continuity = Continuity()

    def on_revoked(self, _: set[TP]) -> None:
        """Acknowledge nothing more of what was read under this assignment."""
        self._generation = None

    async def run(self, stream: Stream) -> None:
        """Write batches as they come, and acknowledge what is durable, until cancelled."""
        async for event in stream.noack().events():
            generation = self._app.consumer_generation_id
            if generation != self._generation:
                self._generation = generation
                self._continuity = Continuity()
            batch = cast(Batch, event.value)
            self._continuity.check(batch)
            await self._write(outputs_of(batch))
            if self._generation == generation:
                event.ack()

    async def _write(self, outputs: Sequence[Output]) -> None:
        retries = stamina.retry_context(
            on=SinkUnavailable, attempts=None, timeout=None, wait_initial=0.1, wait_max=30.0
        )
        async for attempt in retries:
            with attempt:
                await self._sink.write(outputs)


def outputs_of(batch: Batch) -> list[Output]:
    """The outputs in a batch; what is none of Wakeline's is passed over and logged."""
    outputs: list[Output] = []
    for record in batch.records:
        try:
            outputs.append(output_of(batch.topic, record.key, record.value, record.headers))
        except BadInput:
            log.warning(
                "not an output of ours, passed over",
                topic=batch.topic,
                partition=batch.partition,
                offset=record.offset,
            )
    return outputs


async def run_guarded(
    run: Callable[[Stream], Awaitable[None]], stream: Stream, failure: asyncio.Future[None]
) -> None:
    """Run an agent; let its error reach ``failure`` and hold the agent there.

    Left to itself, Faust starts an agent anew behind the message that failed, and so loses it.
    """
    try:
        await run(stream)
    except Exception as error:  # whatever it is, the worker has to stop
        if not failure.done():
            failure.set_exception(error)
        await asyncio.Event().wait()
