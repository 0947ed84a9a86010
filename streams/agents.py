"""The agent ``results``, which brings outputs into a sink, and what both agents share."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import faust
import stamina
import structlog
from faust.types import TP

from connectors.base import ResultSink
from connectors.outputs import output_of
from streams.errors import BadInput, SinkUnavailable
from streams.events import Output
from streams.transport import Batch, Continuity

log = structlog.get_logger(__name__)

Event = faust.EventT[Any]
Stream = faust.Stream[Any]


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
                self._sink.forget()
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
