"""Goal: nothing is acknowledged before a checkpoint holds it, and nothing waits for ever.

Method: the agent `process` with stand-ins for Faust, the broker, the pipeline and the checkpoints,
which note the order of what happens.
"""

import asyncio
from typing import cast

import pytest
import structlog
from faust.types import TP

from streams.custody import Superseded
from streams.errors import BrokerUnavailable
from streams.transport import BatchConsumer, OffsetGap
from tests.broker_fixtures import run
from tests.streams.processors import Bench, batch_of

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


def test_a_checkpoint_that_fails_stops_the_worker_at_once_though_nothing_more_comes() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP)
        keeping = bench.keepings[0]
        keeping.needs_checkpoint = True
        keeping.error = BrokerUnavailable("no broker answers")
        running = bench.run(batch_of("sleep", 0, 2, restarted=True), goes_on=True)
        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(running, 5.0)
        assert bench.app.acks == []

    run(main())


def test_who_has_been_superseded_says_so_and_waits_for_the_broker_to_take_its_partition() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.assign(SLEEP)
        keeping = bench.keepings[0]
        keeping.needs_checkpoint = True
        keeping.error = Superseded("another worker has taken over")
        with structlog.testing.capture_logs() as logs:
            await bench.feed(batch_of("sleep", 0, 2, restarted=True))
        assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
            "another worker has taken over"
        ]
        keeping.needs_checkpoint = False
        await bench.feed(batch_of("sleep", 2, 2))
        await bench.processor.let_go()
        assert bench.app.acks == []

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
