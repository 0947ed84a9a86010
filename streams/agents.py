"""The agent ``results``, which brings outputs into a sink, and what both agents share."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, cast

import faust
import stamina
import structlog
from faust.types import TP

from connectors.base import ResultSink
from connectors.outputs import output_of
from streams.errors import BadInput, SinkUnavailable
from streams.events import Operation, Output
from streams.metrics import ResultFigures
from streams.transport import Batch, Continuity

COLLECTOR_THRESHOLDS = (100_000, 50, 100)
"""New objects, and rounds, between looks for cyclic garbage."""

BATCHES_AHEAD = 16
"""Batches that are decoded while a write is under way."""

WRITE_OUTPUTS = 1_500
"""Outputs from which on a write takes no further batch; an output may be an hour of minutes."""

GAUGE_INTERVAL_S = 15.0
"""How often it is said how the sink does (s)."""

log = structlog.get_logger(__name__)

Event = faust.EventT[Any]
Stream = faust.Stream[Any]


class _Waiting(NamedTuple):
    """A batch that is decoded and not yet stored."""

    outputs: list[Output]
    batch: Batch
    event: Event
    generation: int


class ResultsWriter:
    """The agent over the output topics: decodes them and writes them into a sink."""

    def __init__(
        self, app: faust.App, sink: ResultSink, clock: Callable[[], float] = time.time
    ) -> None:
        self._app = app
        self._sink = sink
        self._clock = clock
        self._told_at = clock()
        self._generation: int | None = None
        self._behind: dict[int, dict[str, int]] = {}
        self._assigned: frozenset[int] | None = None
        self._writing_since: float | None = None
        self._retries = 0
        self._is_waiting = False

    def on_assigned(self, assigned: set[TP]) -> None:
        """Note what this worker stores now."""
        self._assigned = frozenset(tp.partition for tp in assigned)

    def on_revoked(self, _: set[TP]) -> None:
        """Acknowledge nothing more of what was read under this assignment."""
        self._generation = None
        self._assigned = None

    def figures(self) -> ResultFigures:
        """What is assigned, and how the sink does."""
        since = self._writing_since
        return ResultFigures(
            assigned=self._assigned,
            lag_messages={number: sum(lags.values()) for number, lags in self._behind.items()},
            retries=self._retries + int(self._sink.figures().get("retry_count", 0)),
            write_age_s=0.0 if since is None else time.monotonic() - since,
        )

    async def run(self, stream: Stream) -> None:
        """Write batches as they come, and acknowledge what is durable, until cancelled.

        What comes while a write is under way is decoded meanwhile, and written together.
        """
        # A store that does not let us in shows now, not with the first result.
        await self._write([])
        waiting: asyncio.Queue[_Waiting] = asyncio.Queue(BATCHES_AHEAD)
        reading = asyncio.ensure_future(self._read(stream, waiting))
        storing = asyncio.ensure_future(self._store(waiting))
        try:
            await first_of(reading, storing)
            await first_of(asyncio.ensure_future(waiting.join()), storing)
        finally:
            for task in (reading, storing):
                task.cancel()
            await asyncio.gather(reading, storing, return_exceptions=True)

    async def _read(self, stream: Stream, waiting: "asyncio.Queue[_Waiting]") -> None:
        continuity = Continuity()
        known: int | None = None
        async for event in stream.noack().events():
            generation = self._app.consumer_generation_id
            if generation != known:
                known = self._generation = generation
                continuity = Continuity()
            batch = cast(Batch, event.value)
            continuity.check(batch)
            await waiting.put(_Waiting(outputs_of(batch), batch, event, generation))

    async def _store(self, waiting: "asyncio.Queue[_Waiting]") -> None:
        """Write what waits, some batches at a time, and acknowledge it."""
        known: int | None = None
        while True:
            some = [await waiting.get()]
            while not waiting.empty() and sum(len(one.outputs) for one in some) < WRITE_OUTPUTS:
                some.append(waiting.get_nowait())
            # What was read under an earlier assignment is another worker's by now.
            ours = [one for one in some if one.generation == self._generation]
            if ours and ours[-1].generation != known:
                known = ours[-1].generation
                self._sink.forget()
                self._behind.clear()
            if ours:
                gauges = [gauge for one in ours for gauge in self._gauges(one.batch)]
                outputs = [output for one in ours for output in one.outputs]
                await self._write([*outputs, *gauges])
            for one in ours:
                if one.generation == self._generation:
                    one.event.ack()
            for _ in some:
                waiting.task_done()

    def _gauges(self, batch: Batch) -> list[Operation]:
        """How far behind the sink is, said with a batch now and then."""
        highwater: Callable[[TP], int | None] = self._app.consumer.highwater
        end = highwater(TP(batch.topic, batch.partition))
        behind = self._behind.setdefault(batch.partition, {})
        behind[batch.topic] = 0 if end is None else max(0, end - batch.next_offset)
        now = self._clock()
        if now - self._told_at < GAUGE_INTERVAL_S:
            return []
        self._told_at = now
        figures = self._sink.figures()
        return [
            Operation(
                name="sink",
                partition=partition,
                time=now,
                values={**figures, "lag_messages": float(sum(topics.values()))},
            )
            for partition, topics in sorted(self._behind.items())
        ]

    async def _write(self, outputs: Sequence[Output]) -> None:
        retries = stamina.retry_context(
            on=self._waits_for, attempts=None, timeout=None, wait_initial=0.1, wait_max=30.0
        )
        self._writing_since = time.monotonic()
        async for attempt in retries:
            with attempt:
                await self._sink.write(outputs)
        self._writing_since = None
        if self._is_waiting:
            self._is_waiting = False
            log.info("results are stored again")

    def _waits_for(self, error: Exception) -> bool:
        """Whether to write again, since the error may pass; say so once."""
        if not isinstance(error, SinkUnavailable):
            return False
        self._retries += 1
        if not self._is_waiting:
            self._is_waiting = True
            log.warning("waiting until results can be stored", reason=str(error))
        return True


async def first_of(task: asyncio.Future[None], other: asyncio.Future[None]) -> None:
    """Wait for a task, unless the other one fails before."""
    await asyncio.wait([task, other], return_when=asyncio.FIRST_COMPLETED)
    for done in (other, task):
        if done.done():
            done.result()


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


def ease_collector() -> None:
    """Look for cyclic garbage seldom, in the whole process.

    What is held is much and hardly ever cyclic, and looking through it took a quarter of the time.
    """
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


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
