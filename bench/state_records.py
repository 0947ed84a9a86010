"""The records of a full checkpoint of subjects with every channel in use.

And as many more of them as wanted: the same under other names.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from bench import everything
from bench.histories import PART as HISTORY
from bench.histories import with_histories
from bench.memory import batches
from bench.recording import user_of
from connectors.kafka import STATE_TOPIC, ensure_topics
from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from detectors.cohort import load_cohort
from streams.checkpoint import PartitionHead
from streams.config import PipelineConfig
from streams.partitioning import partition_of
from streams.pipeline import PartitionPipeline
from streams.state_log import (
    HEAD,
    Stamp,
    StateRecord,
    fence_key,
    pack,
    partition_key,
    record_key,
    unpack,
)

EPOCH = 0
"""The checkpoint's owner wrote its fence first of all."""
FIRST_BEFORE = 10
"""Number of the first of further checkpoints; the one that counts at last has number 1."""
DETECTION = "0-detection"
"""Part that holds the models of a first enrolment."""
SENT_AT_ONCE = 2_000


def checkpoint_of(subjects: int, hours: int) -> list[StateRecord]:
    """Give all records of a checkpoint, the one that seals it last, with histories of a month."""
    pipeline = PartitionPipeline(
        0,
        PipelineConfig(partitions=1),
        partition_of=lambda _: 0,
        cohort=load_cohort(),
        epoch=EPOCH,
    )
    for hour in everything.hours(subjects, hours, partitions=1, partition_of=lambda _: 0):
        for topic, _, batch in batches(hour):
            pipeline.process(topic, batch)
    if pipeline.counts["dead_letter_count"] or pipeline.quarantined:
        raise RuntimeError("the recording was refused in part")
    checkpoints = pipeline.checkpoints
    checkpoints.begin(pipeline.head())
    return with_histories([*checkpoints.take(subjects), checkpoints.seal()])


def value_bytes(records: Sequence[StateRecord]) -> int:
    """Bytes that the values of records hold."""
    return sum(len(record.value or b"") for record in records)


def log_of(
    records: Sequence[StateRecord], users: Sequence[str], checkpoints_before: int = 0
) -> Iterator[StateRecord]:
    """Give a state log that holds a checkpoint of other users, taken from one of ``records``.

    It stands before the first message of every topic. ``checkpoints_before`` of a day that goes on
    lie before it in the log, where compaction has not been yet.
    """
    *parts, seal = records
    by_user: dict[str, list[tuple[str, bytes]]] = {}
    for record in parts:
        user_id, _, rest = record.key.partition("/")
        by_user.setdefault(user_id, []).append((rest, record.value or b""))
    made = sorted(by_user)
    # One of the same life: a recording goes on with it.
    olds = {user_id: made[int(user_id.rpartition("-")[2]) % len(made)] for user_id in users}
    yield StateRecord(fence_key("owner"), b"")
    for number in range(checkpoints_before):
        stamp = EPOCH, FIRST_BEFORE + number
        for user_id, old in olds.items():
            yield from _changed(user_id, by_user[old], stamp)
        yield StateRecord(partition_key(stamp), seal.value)
    for user_id, old in olds.items():
        for rest, value in by_user[old]:
            renamed = unpack(value).replace(old.encode(), user_id.encode())
            yield StateRecord(f"{user_id}/{rest}", pack(renamed))
    head = msgspec.msgpack.decode(unpack(seal.value or b""), type=PartitionHead)
    head = msgspec.structs.replace(head, offsets={}, subjects=len(users))
    yield StateRecord(seal.key, pack(msgspec.msgpack.encode(head)))


def _changed(
    user_id: str, parts: Sequence[tuple[str, bytes]], stamp: Stamp
) -> Iterator[StateRecord]:
    """Give what a checkpoint writes of a subject of whom a minute came in, and takes back."""
    values = {rest.partition("/")[0]: value for rest, value in parts}
    for part in (HEAD, max(values.keys() - {HEAD, DETECTION, HISTORY})):
        yield StateRecord(record_key(user_id, part, stamp), values[part])
        yield StateRecord(record_key(user_id, part, (stamp[0], stamp[1] - 1)), None)


async def fill_state(address: str, logs: Iterable[Iterable[StateRecord]]) -> None:
    """Create the topics and write the state log of every partition."""
    logs = list(logs)
    await ensure_topics(address, len(logs))
    async with Outbox(address) as outbox:
        for partition, log in enumerate(logs):
            messages = (
                OutboundMessage(STATE_TOPIC, partition, record.key.encode(), record.value)
                for record in log
            )
            while some := [*islice(messages, SENT_AT_ONCE)]:
                await outbox.send(some)


def users_of(subjects: int, partition: int, partitions: int) -> list[str]:
    """Name those among ``subjects`` that live in a partition."""
    users = (user_of(index) for index in range(subjects))
    return [user_id for user_id in users if partition_of(user_id, partitions) == partition]
