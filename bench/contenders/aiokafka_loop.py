"""A loop by hand over aiokafka: fetched batches, no framework, offsets after acknowledgement.

The least that a correct consumer has to do; what a framework can hope to come near to.
"""

import asyncio

import msgspec
from aiokafka import (  # type: ignore[import-untyped]  # it has no py.typed
    AIOKafkaConsumer,
    AIOKafkaProducer,
)

from bench.contenders.task import Report, Task, report_of
from bench.job import HeartRateJob, Meter


def run(task: Task) -> Report:
    """Do the task."""
    return asyncio.run(_run(task))


async def _run(task: Task) -> Report:
    meter = Meter(task.messages, task.warm_up)
    consumer = AIOKafkaConsumer(
        task.source,
        bootstrap_servers=task.broker,
        group_id=task.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=task.broker, acks="all")
    async with consumer, producer:
        await _loop(task, meter, consumer, producer)
    return report_of(task, meter)


async def _loop(
    task: Task, meter: Meter, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer
) -> None:
    job = HeartRateJob(meter)
    while not meter.is_done:
        batches = await consumer.getmany(timeout_ms=1_000)
        sent = []
        for records in batches.values():
            for record in records:
                result = job.update_bytes(record.value)
                if result is not None:
                    value = msgspec.json.encode(result)
                    sent.append(await producer.send(task.output, value, key=record.key))
        await asyncio.gather(*sent)
        await consumer.commit()
