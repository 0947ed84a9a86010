"""The agent ``results``, which brings outputs into a sink, and what both agents share."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

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

GAUGE_INTERVAL_S = 15.0
"""How often it is said how the sink does (s)."""

log = structlog.get_logger(__name__)

Event = faust.EventT[Any]
Stream = faust.Stream[Any]


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
        self._continuity = Continuity()
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
        """Write batches as they come, and acknowledge what is durable, until cancelled."""
        # A store that does not let us in shows now, not with the first result.
        await self._write([])
        async for event in stream.noack().events():
            generation = self._app.consumer_generation_id
            if generation != self._generation:
                self._generation = generation
                self._continuity = Continuity()
                self._sink.forget()
                self._behind.clear()
            batch = cast(Batch, event.value)
            self._continuity.check(batch)
            await self._write([*outputs_of(batch), *self._gauges(batch)])
            if self._generation == generation:
                event.ack()

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
