"""What the whole worker is given in the benchmark ``messages``, and whether it did its work.

The samples of the other contenders, on the ingest topics, with the registry and the ticks that a
live worker would have written every 5 s.
"""

import math
from collections.abc import Iterator
from functools import partial

import msgspec
from aiokafka import (  # type: ignore[import-untyped]  # it has no py.typed
    AIOKafkaConsumer,
    AIOKafkaProducer,
    TopicPartition,
)

from bench.contenders.task import Task
from bench.job import SCHEMA, MinuteResult, encode_sample, expected, samples
from bench.recording import START_S, Log, enrolment, ticks
from connectors.kafka import ensure_topics
from connectors.recordings import RecordingMessage
from streams.config import HOUR_S
from streams.events import OUTPUT_TOPICS, TOPIC_OF_SCHEMA, MinuteRows
from streams.partitioning import partition_of

CONTENDER = "wakeline, whole worker"
TICK_S = 5
END_S = START_S + 2.0 * HOUR_S
"""The last ticks make the hours of the samples end, so that their rows are produced."""
TOPIC = TOPIC_OF_SCHEMA[SCHEMA]


def recording(messages: int, subjects: int, partitions: int) -> Iterator[RecordingMessage]:
    """Give the samples in the order of their time, between ticks."""
    log = Log()
    place = partial(partition_of, partitions=partitions)
    for user_id in sorted({user_id for user_id, _, _ in samples(subjects, subjects)}):
        key = user_id.encode()
        yield log.append("subjects", place(user_id), key=key, value=enrolment(user_id))
    ticked_s = START_S
    yield from _tick(log, ticked_s, partitions)
    for user_id, time_s, rate in samples(messages, subjects):
        if time_s >= ticked_s + TICK_S:
            ticked_s += TICK_S
            yield from _tick(log, ticked_s, partitions)
        value = encode_sample(user_id, time_s, rate)
        yield log.append(TOPIC, place(user_id), key=user_id.encode(), value=value)
    for time_s in (ticked_s + TICK_S, END_S - HOUR_S, END_S):
        yield from _tick(log, time_s, partitions)


def _tick(log: Log, time_s: float, partitions: int) -> Iterator[RecordingMessage]:
    yield from log.tick("subjects", time_s, partitions=partitions)
    yield from ticks(log, time_s, partitions=partitions)


async def fill(address: str, messages: Iterator[RecordingMessage], partitions: int) -> None:
    """Create the topics of a deployment and publish the recording."""
    await ensure_topics(address, partitions)
    async with AIOKafkaProducer(
        bootstrap_servers=address, max_batch_size=131_072, linger_ms=20
    ) as producer:
        for message in messages:
            await producer.send(
                message.topic, message.value, key=message.key, partition=message.partition
            )


async def check(task: Task, subjects: int) -> None:
    """Hold the worker to the minute means that the job has."""
    topic = OUTPUT_TOPICS[MinuteRows]
    places = [TopicPartition(topic, number) for number in range(task.partitions)]
    means: dict[tuple[str, float], float] = {}
    async with AIOKafkaConsumer(
        bootstrap_servers=task.broker, enable_auto_commit=False, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while fetched := await consumer.getmany(timeout_ms=2_000):
            for record in (record for batch in fetched.values() for record in batch):
                means.update(_means(record.value))
    wanted = expected(task.messages, subjects)
    wrong = sum(not _has(means, result) for result in wanted)
    if wrong:
        raise RuntimeError(f"the worker lacks {wrong} of {len(wanted)} minute means")


def _means(value: bytes) -> dict[tuple[str, float], float]:
    if msgspec.json.decode(value)["schema"] != "minute_rows/1":
        return {}
    rows = msgspec.json.decode(value, type=MinuteRows)
    return {
        (rows.user_id, minute.start): minute.values["heart_rate_mean_bpm"]
        for minute in rows.minutes
    }


def _has(means: dict[tuple[str, float], float], wanted: MinuteResult) -> bool:
    mean = means.get((wanted.user_id, wanted.start), math.nan)
    return math.isclose(mean, wanted.heart_rate_mean_bpm, rel_tol=1e-12)
