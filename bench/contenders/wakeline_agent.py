"""The same job in an agent on Wakeline's transport, which hands over fetched batches.

As in Wakeline's own agents: raw bytes, continuity checked, results acknowledged by the broker
before the batch is. Without the pipeline's features and checkpoints, since the peers have none.
"""

import asyncio
from typing import Any, cast

import msgspec
from faust import Stream, StreamT

from bench.contenders.faust_app import build_app, run_app
from bench.contenders.task import Report, Task, report_of
from bench.job import HeartRateJob, Meter
from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from streams.transport import SCHEME, STREAM_BUFFER_BATCHES, Batch, Continuity


def run(task: Task) -> Report:
    """Do the task."""
    meter = Meter(task.messages, task.warm_up)
    done = asyncio.Event()
    app = build_app(task, scheme=SCHEME, buffer_size=STREAM_BUFFER_BATCHES)
    source = app.topic(task.source, value_type=bytes, value_serializer="raw")

    @app.agent(source)
    async def process(stream: StreamT[Any]) -> None:
        job = HeartRateJob(meter)
        continuity = Continuity()
        async with Outbox(task.broker) as outbox:
            async for event in cast(Stream[Any], stream).noack().events():
                batch: Batch = event.value
                continuity.check(batch)
                await outbox.send(minutes(job, batch, task.output))
                event.ack()
                if meter.is_done:
                    done.set()

    run_app(app, done)
    return report_of(task, meter)


def minutes(job: HeartRateJob, batch: Batch, output: str) -> list[OutboundMessage]:
    """Give the results of a batch as messages; they stay in the partition they came from."""
    messages = []
    for record in batch.records:
        result = job.update_bytes(record.value or b"")
        if result is not None:
            value = msgspec.json.encode(result)
            messages.append(OutboundMessage(output, batch.partition, record.key, value))
    return messages
