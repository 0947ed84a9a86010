"""Goal: nothing is acknowledged before a checkpoint holds it, and nothing waits for ever.

Method: the agent `process` with stand-ins for Faust, the broker, the pipeline and the checkpoints,
which note the order of what happens.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.types import TP

from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from streams.agents import Stream
from streams.custody import Custody
from streams.events import Operation, Output
from streams.processing import Processor
from streams.transport import Batch, BatchConsumer, OffsetGap, Record
from tests.broker_fixtures import run


class FakeConsumer:
    def __init__(self) -> None:
        self.paused: set[TP] = set()
        self.beginning = 0

    def pause_partitions(self, tps: set[TP]) -> None:
        self.paused |= tps

    def resume_partitions(self, tps: set[TP]) -> None:
        self.paused -= tps

    def highwater(self, _: TP) -> int:
        return 100

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, self.beginning)


class FakeApp:
    """A Faust app as far as the agent knows one; events come from a list."""

    def __init__(self) -> None:
        self.consumer_generation_id = 1
        self.consumer = FakeConsumer()
        self.happened: list[str] = []

    def event(self, batch: Batch) -> Any:
        name = f"{batch.topic}[{batch.partition}]..{batch.next_offset}"
        return SimpleNamespace(
            value=batch,
            message=SimpleNamespace(
                offset=batch.next_offset - 1,
                generation_id=self.consumer_generation_id,
                value=batch,
            ),
            ack=lambda: self.happened.append(f"ack {name}"),
        )

    @property
    def acks(self) -> list[str]:
        return [entry for entry in self.happened if entry.startswith("ack")]


class FakeOutbox:
    def __init__(self, app: FakeApp) -> None:
        self._app = app
        self.while_sending: Callable[[], Awaitable[None]] | None = None

    async def send(self, messages: Iterable[OutboundMessage]) -> None:
        count = len([*messages])
        if self.while_sending is not None:
            await self.while_sending()
        self._app.happened.append(f"sent {count}")


class FakePipeline:
    """Takes what it is given, but holds a topic back while it is told to."""

    def __init__(self, taken: dict[str, int]) -> None:
        self.held: dict[str, int] = {}
        self.taken = dict(taken)
        self.offsets: list[int] = []
        self.clock = 1.0
        self.counts: dict[str, int] = {}

    @property
    def blocked(self) -> frozenset[str]:
        return frozenset(self.held)

    def process(self, topic: str, records: Sequence[Record]) -> list[Output]:
        self.offsets += [record.offset for record in records]
        self.taken[topic] = records[-1].offset
        return [Operation(name="clock", partition=0, time=1.0, values={})]

    def safe_offset(self, topic: str) -> int | None:
        taken = self.taken.get(topic)
        return self.held.get(topic, None if taken is None else taken + 1)


class FakeKeeping:
    """Checkpoints that are due when a test says so, and sealed when it lets them be."""

    age_s = 7.0

    def __init__(self, app: FakeApp) -> None:
        self._app = app
        self.needs_checkpoint = False
        self.has_changed = False
        self.may_seal = asyncio.Event()
        self.may_seal.set()

    def is_due(self, _: int) -> bool:
        return self.needs_checkpoint

    def count(self, _: int) -> None:
        self.has_changed = True

    def begin(self) -> None:
        self.has_changed = False
        self._app.happened.append("begun")

    async def finish(self) -> None:
        await self.may_seal.wait()
        self._app.happened.append("sealed")


class Bench:
    """A processor with everything round it, and topic-partitions that it was assigned."""

    def __init__(self, taken: dict[str, int] | None = None) -> None:
        self.app = FakeApp()
        self.outbox = FakeOutbox(self.app)
        self.pipelines: list[FakePipeline] = []
        self.keepings: list[FakeKeeping] = []
        self._taken = taken or {}
        self.processor = Processor(
            cast(faust.App, self.app),
            cast(Custody, self),
            outbox=cast(Outbox, self.outbox),
            code_version="1.0",
        )

    async def restore(self, _partition: int) -> FakePipeline:
        await asyncio.sleep(0)
        self.pipelines.append(FakePipeline(self._taken))
        return self.pipelines[-1]

    def keeping(self, _pipeline: FakePipeline) -> FakeKeeping:
        self.keepings.append(FakeKeeping(self.app))
        return self.keepings[-1]

    async def assign(self, *tps: TP) -> dict[TP, int]:
        self.processor.on_assigned(set(tps))
        consumer = cast(BatchConsumer, self.app.consumer)
        return await self.processor.start_offsets(consumer, frozenset(tps))

    async def feed(self, *batches: Batch) -> None:
        async def iterate() -> AsyncIterator[Any]:
            for batch in batches:
                yield self.app.event(batch)

        stream = SimpleNamespace(noack=lambda: SimpleNamespace(events=iterate))
        await self.processor.run(cast(Stream, stream))
        for _ in range(5):
            await asyncio.sleep(0)


def batch_of(
    topic: str, first: int, count: int, *, partition: int = 0, restarted: bool = False
) -> Batch:
    offsets = range(first, first + count)
    return Batch(
        topic=topic,
        partition=partition,
        first_offset=first,
        next_offset=first + count,
        records=[cast(Record, SimpleNamespace(offset=offset)) for offset in offsets],
        restarted=restarted,
    )


SLEEP = TP("sleep", 0)
ACTIVITY = TP("activity", 0)


def test_sources_are_acknowledged_once_a_checkpoint_that_holds_them_is_sealed() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP)
        await bench.feed(batch_of("sleep", 0, 3, restarted=True), batch_of("sleep", 3, 4_000))
        # A large batch goes in slices, and without a checkpoint nothing is acknowledged.
        assert bench.app.happened == ["sent 1"] * 3
        bench.keepings[0].needs_checkpoint = True
        await bench.feed(batch_of("sleep", 4_003, 2))
        assert bench.app.happened[3:] == [
            "sent 1",
            "begun",
            "sealed",
            "ack sleep[0]..3",
            "ack sleep[0]..4003",
        ]

    run(main())


def test_held_records_keep_their_batch_and_all_behind_it_unacknowledged() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP, ACTIVITY)
        await bench.feed(batch_of("sleep", 0, 3, restarted=True))
        bench.pipelines[0].held["sleep"] = 4
        await bench.feed(batch_of("sleep", 3, 3), batch_of("sleep", 6, 3))
        bench.keepings[0].needs_checkpoint = True
        await bench.feed(batch_of("activity", 0, 1, restarted=True))
        assert bench.app.acks == ["ack sleep[0]..3"]
        del bench.pipelines[0].held["sleep"]
        await bench.feed(batch_of("activity", 1, 1))
        assert bench.app.acks[1:] == [
            "ack sleep[0]..6",
            "ack sleep[0]..9",
            "ack activity[0]..1",
        ]

    run(main())


def test_blocked_topics_are_paused_and_resumed_once_they_may_go_on() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP, ACTIVITY)
        await bench.feed(batch_of("sleep", 0, 1, restarted=True))
        bench.pipelines[0].held["sleep"] = 1
        await bench.feed(batch_of("activity", 0, 1, restarted=True))
        assert bench.app.consumer.paused == {SLEEP}
        bench.pipelines[0].held.clear()
        await bench.feed(batch_of("activity", 1, 1))
        assert bench.app.consumer.paused == set()

    run(main())


def test_each_assignment_restores_its_partitions_and_reads_on_where_their_state_ends() -> None:
    async def main() -> None:
        bench = Bench(taken={"sleep": 41})
        offsets = await bench.assign(SLEEP, TP("sleep", 1), ACTIVITY)
        assert offsets == {SLEEP: 42, TP("sleep", 1): 42, ACTIVITY: 0}
        assert len(bench.pipelines) == 2
        # Asked again within one assignment, nothing is restored, and what was read is not again.
        await bench.feed(batch_of("sleep", 42, 3, restarted=True))
        assert (await bench.assign(SLEEP))[SLEEP] == 45
        assert len(bench.pipelines) == 2
        bench.app.consumer_generation_id = 2
        await bench.assign(SLEEP)
        assert len(bench.pipelines) == 3

    run(main())


def test_asked_twice_at_once_for_its_offsets_a_worker_becomes_the_owner_once() -> None:
    async def main() -> None:
        bench = Bench(taken={"sleep": 41})
        consumer = cast(BatchConsumer, bench.app.consumer)
        asked = [bench.processor.start_offsets(consumer, frozenset({SLEEP})) for _ in range(2)]
        assert await asyncio.gather(*asked) == [{SLEEP: 42}] * 2
        assert len(bench.pipelines) == 1

    run(main())


def test_letting_go_seals_what_was_processed_and_leaves_the_rest_of_a_batch() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP)
        leaving: list[asyncio.Future[None]] = []

        async def leave() -> None:
            leaving.append(asyncio.ensure_future(bench.processor.let_go()))
            await asyncio.sleep(0)

        bench.outbox.while_sending = leave
        await bench.feed(batch_of("sleep", 0, 5_000, restarted=True))
        await leaving[0]
        assert bench.pipelines[0].offsets == list(range(2_000))
        assert bench.app.happened == ["sent 1", "begun", "sealed"]
        # Whatever still comes from before is left alone.
        bench.outbox.while_sending = None
        await bench.feed(batch_of("sleep", 5_000, 1))
        assert bench.app.happened == ["sent 1", "begun", "sealed"]

    run(main())


def test_letting_go_waits_for_the_checkpoint_that_is_under_way() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP)
        keeping = bench.keepings[0]
        keeping.may_seal.clear()
        keeping.needs_checkpoint = True
        await bench.feed(batch_of("sleep", 0, 3, restarted=True))
        leaving = asyncio.ensure_future(bench.processor.let_go())
        await asyncio.sleep(0)
        assert bench.app.happened == ["sent 1", "begun"]
        keeping.may_seal.set()
        await leaving
        assert bench.app.happened == ["sent 1", "begun", "sealed"]

    run(main())


def test_batches_of_an_earlier_assignment_are_left_alone() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP)
        stale = bench.app.event(batch_of("sleep", 0, 2, restarted=True))
        bench.app.consumer_generation_id = 2
        await bench.assign(SLEEP)
        await bench.processor._take(stale)
        assert bench.app.happened == []
        assert bench.pipelines[1].offsets == []

    run(main())


def test_what_is_read_again_is_processed_once() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP)
        await bench.feed(
            batch_of("sleep", 0, 10, restarted=True),
            batch_of("sleep", 4, 10, restarted=True),
            batch_of("sleep", 14, 1),
        )
        assert bench.pipelines[0].offsets == list(range(15))

    run(main())


def test_a_batch_that_does_not_continue_what_was_read_stops_the_worker() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP)
        await bench.feed(batch_of("sleep", 0, 2, restarted=True))
        with pytest.raises(OffsetGap, match="expected offset 2, got a batch from 7"):
            await bench.feed(batch_of("sleep", 7, 2))

    run(main())


def test_a_log_that_lost_what_the_state_has_not_seen_stops_the_worker() -> None:
    async def main() -> None:
        bench = Bench(taken={"sleep": 41})
        bench.app.consumer.beginning = 50
        with pytest.raises(OffsetGap, match=r"ends at offset 42.*begins at 50"):
            await bench.assign(SLEEP)

    run(main())


def test_lag_is_what_the_logs_hold_beyond_the_state_and_the_age_of_its_clock() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP, ACTIVITY, TP("heart-rate", 0))
        await bench.feed(
            batch_of("sleep", 0, 70, restarted=True), batch_of("activity", 0, 100, restarted=True)
        )
        (lag,) = bench.processor.gauges(31.0)
        assert (lag.name, lag.partition, lag.time) == ("lag", 0, 31.0)
        assert lag.values == {"checkpoint_age_s": 7.0, "clock_age_s": 30.0, "lag_messages": 30.0}

    run(main())
