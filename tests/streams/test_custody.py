"""Goal: only who owns a partition takes anything back or acknowledges.

Method: checkpoints of a real pipeline into a log in memory, into which others write meanwhile.
"""

from collections.abc import AsyncIterator, Iterable
from typing import cast

import pytest

from connectors.state import LogEntry, StateTopic
from streams.config import CheckpointPolicy
from streams.custody import COST_FACTOR, Custody, Keeping, Superseded
from streams.pipeline import PartitionPipeline
from streams.state_log import StateRecord, fence_key
from tests.broker_fixtures import run
from tests.logs import in_turns, pipeline_of
from tests.streams.test_checkpoint import MemoryLog, _many
from tests.test_determinism import CONFIG


class MemoryTopic:
    """The state topic of one partition; ``copies`` of each record arrive, as after a retry."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.copies = 1

    async def fence(self, _partition: int, _key_of: object) -> int:
        return self.log.fence()

    async def append(self, _partition: int, key: str, value: bytes) -> int:
        self.log.append([StateRecord(key, value)])
        return self.log.records[-1][0]

    async def write(self, _partition: int, records: Iterable[tuple[str, bytes | None]]) -> int:
        for record in records:
            self.log.append([StateRecord(*record)] * self.copies)
        return 0

    async def read(
        self, _partition: int, until: int, *, since: int = 0
    ) -> AsyncIterator[list[LogEntry]]:
        yield [entry for entry in self.log.records if since <= entry[0] <= until]

    @property
    def taken_back(self) -> list[str]:
        return [key for _, key, value in self.log.records if value is None]


async def _owned(topic: MemoryTopic) -> tuple[PartitionPipeline, Keeping]:
    """A partition whose owner has processed something and sealed a first checkpoint of it."""
    custody = Custody(
        cast(StateTopic, topic), lambda _, epoch: pipeline_of(CONFIG, epoch), CheckpointPolicy()
    )
    pipeline = await custody.restore(0)
    keeping = custody.keeping(pipeline)
    for place, batch in in_turns(_many(users=3, hours=2).logs):
        pipeline.process(place, batch)
    keeping.begin()
    await keeping.finish()
    assert topic.taken_back == []
    return pipeline, keeping


async def _change_and_checkpoint(pipeline: PartitionPipeline, keeping: Keeping) -> None:
    pipeline.checkpoints.touch("u1")
    keeping.begin()
    await keeping.finish()


def test_what_a_checkpoint_replaced_is_taken_back_by_an_owner() -> None:
    async def main() -> None:
        topic = MemoryTopic()
        await _change_and_checkpoint(*await _owned(topic))
        assert topic.taken_back

    run(main())


def test_who_has_been_superseded_seals_nothing_and_takes_nothing_back() -> None:
    async def main() -> None:
        topic = MemoryTopic()
        pipeline, keeping = await _owned(topic)
        topic.log.append([StateRecord(fence_key("another's"), b"")])
        with pytest.raises(Superseded, match="partition 0"):
            await _change_and_checkpoint(pipeline, keeping)
        assert topic.taken_back == []

    run(main())


def test_records_that_arrived_twice_are_not_taken_for_another_owner() -> None:
    async def main() -> None:
        topic = MemoryTopic()
        topic.copies = 2
        pipeline, keeping = await _owned(topic)
        await _change_and_checkpoint(pipeline, keeping)
        assert topic.taken_back
        topic.log.append([StateRecord(fence_key("another's"), b"")])
        with pytest.raises(Superseded):
            await _change_and_checkpoint(pipeline, keeping)

    run(main())


class _Watch:
    """A clock that goes on by a step whenever it is looked at."""

    def __init__(self) -> None:
        self.now_s = self.step_s = 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def test_checkpoints_of_all_partitions_of_a_process_together_cost_a_tenth_at_most() -> None:
    async def waits_s(partitions: int) -> tuple[float, float]:
        topic, watch = MemoryTopic(), _Watch()
        pipeline, _ = await _owned(topic)
        policy = CheckpointPolicy(interval_s=1.0, messages=10**9)
        keeping = Keeping(cast(StateTopic, topic), pipeline, policy, watch)
        pipeline.checkpoints.touch("u1")
        watch.step_s = 1.0
        keeping.begin()
        began_s = watch.now_s
        await keeping.finish()
        cost_s, watch.step_s = watch.now_s - began_s, 0.0
        while not keeping.is_due(partitions):
            watch.now_s += 1.0
        return watch.now_s - began_s, cost_s

    for partitions in (1, 4):
        wait_s, cost_s = run(waits_s(partitions))
        assert wait_s >= 10.0 * partitions
        assert wait_s <= COST_FACTOR * partitions * cost_s
