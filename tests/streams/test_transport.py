"""Goal: batches reach the agent whole and in order, commits never run ahead, gaps stop the worker.

Method: a toy agent on the embedded broker for the way through Faust, and the consumer alone, with
a stand-in for the broker's answer, for what a broker rarely does.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.agents import Stream, run_guarded
from streams.app import new_app
from streams.settings import Settings
from streams.topics import ingest_topics
from streams.transport import FETCH_WAIT_MS, Batch, BatchConsumer, Continuity, OffsetGap
from tests.broker_fixtures import (
    PARTITIONS,
    broker_with_topics,
    committed,
    eventually,
    numbered,
    run,
    send,
)

GROUP = "toy"
TOPIC = "sleep"
SESSION_TIMEOUT_S = 2.0

Acknowledges = Callable[[Batch], bool]


class Toy:
    """An agent that notes what it sees and acknowledges what it is told to."""

    def __init__(self, acknowledges: Acknowledges = lambda _: True) -> None:
        self.seen: dict[int, list[int]] = defaultdict(list)
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acknowledges = acknowledges
        self._continuity = Continuity()

    async def run(self, stream: Stream) -> None:
        async for event in stream.noack().events():
            batch = cast(Batch, event.value)
            self._continuity.check(batch)
            self.seen[batch.partition] += [int(record.value or b"") for record in batch.records]
            if self._acknowledges(batch):
                event.ack()

    def count(self) -> int:
        return sum(map(len, self.seen.values()))

    def has_seen(self, count: int) -> bool:
        return self.count() >= count


@asynccontextmanager
async def running(address: str, toy: Toy, folder: Path) -> AsyncIterator[faust.App]:
    settings = Settings(broker=address, session_timeout_s=SESSION_TIMEOUT_S)
    app = new_app(GROUP, settings, folder)

    async def agent(stream: faust.StreamT[Any]) -> None:
        await run_guarded(toy.run, cast(Stream, stream), toy.failure)

    app.agent(ingest_topics(app), name="toy")(agent)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


@pytest.mark.broker
def test_everything_arrives_in_order_and_is_committed(tmp_path: Path) -> None:
    count = 40_000

    async def main() -> None:
        async with broker_with_topics() as address:
            for partition in range(PARTITIONS):
                await send(address, numbered(TOPIC, partition, range(count)))
            toy = Toy()
            async with running(address, toy, tmp_path):
                await eventually(lambda: toy.count() >= PARTITIONS * count)
            assert toy.seen == {partition: [*range(count)] for partition in range(PARTITIONS)}
            assert await committed(address, GROUP, TOPIC) == dict.fromkeys(range(PARTITIONS), count)

    run(main())


@pytest.mark.broker
def test_the_broker_is_not_left_to_wait_for_more_while_topics_come_free(tmp_path: Path) -> None:
    """What one fetch waits for holds up all that its broker has: stock has it wait for 1.5 s."""

    async def main() -> None:
        async with (
            broker_with_topics() as address,
            running(address, Toy(), tmp_path) as app,
        ):
            client = cast("Any", app.consumer)._thread._ensure_consumer()
            assert client._fetcher._fetch_max_wait_ms == FETCH_WAIT_MS

    run(main())


@pytest.mark.broker
def test_commit_stays_behind_what_was_acknowledged_and_a_restart_reads_on_there(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            toy = Toy(lambda batch: batch.next_offset <= 200)
            async with running(address, toy, tmp_path):
                for wave in range(0, 400, 100):
                    await send(address, numbered(TOPIC, 0, range(wave, wave + 100)))
                    await eventually(partial(toy.has_seen, wave + 100))
            assert (await committed(address, GROUP, TOPIC))[0] == 200
            after = Toy()
            async with running(address, after, tmp_path):
                await eventually(lambda: after.count() >= 200)
            assert toy.seen[0] == [*range(400)]
            assert after.seen[0] == [*range(200, 400)]

    run(main())


@pytest.mark.broker
def test_batch_lost_on_its_way_to_the_agent_stops_it_and_is_not_committed(tmp_path: Path) -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            toy = Toy()
            async with running(address, toy, tmp_path) as app:
                await send(address, numbered(TOPIC, 0, range(10)))
                await eventually(lambda: toy.count() == 10)
                consumer = cast(BatchConsumer, app.consumer)
                # What a fault between fetch and agent would look like.
                lost = asyncio.Event()
                fetch = consumer._wait_next_records

                async def losing(timeout: float) -> Any:  # noqa: ASYNC109 - the replaced signature
                    records, active = await fetch(timeout)
                    if records and not lost.is_set():
                        for tp, found in records.items():
                            await consumer._batch(tp, found)
                        lost.set()
                        return {}, active
                    return records, active

                consumer._wait_next_records = losing  # type: ignore[method-assign]  # see above
                # A fetch that waits already is still the old one.
                await send(address, numbered(TOPIC, 0, range(10, 20)))
                await eventually(lambda: toy.count() == 20 or lost.is_set())
                sent = 20
                while not toy.failure.done():
                    await send(address, numbered(TOPIC, 0, range(sent, sent + 10)))
                    sent += 10
                    await asyncio.sleep(0)
                with pytest.raises(OffsetGap, match=r"sleep\[0\]: expected offset"):
                    toy.failure.result()
            (offset, _) = (await committed(address, GROUP, TOPIC)).values()
            assert offset == toy.seen[0][-1] + 1 == len(toy.seen[0])

    run(main())


def batch(first_offset: int, next_offset: int, *, restarted: bool = False) -> Batch:
    return Batch(
        topic=TOPIC,
        partition=0,
        first_offset=first_offset,
        next_offset=next_offset,
        records=[],
        restarted=restarted,
    )


@given(
    lengths=st.lists(st.integers(1, 50), min_size=2, max_size=8),
    start=st.integers(0, 1000),
    data=st.data(),
)
def test_any_missing_batch_is_found_and_none_is_imagined(
    lengths: list[int], start: int, data: st.DataObject
) -> None:
    batches = []
    for index, length in enumerate(lengths):
        batches.append(batch(start, start + length, restarted=index == 0))
        start += length
    whole = Continuity()
    for entry in batches:
        whole.check(entry)
    # The last one may be missing: nothing was processed behind it.
    missing = data.draw(st.integers(0, len(batches) - 2))
    broken = Continuity()
    for entry in batches[:missing]:
        broken.check(entry)
    with pytest.raises(OffsetGap):
        broken.check(batches[missing + 1])


def consumer_of(log_begins_at: int) -> BatchConsumer:
    """A consumer that never met a broker; its log begins where it is said to."""
    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer._fetch_from = {}

    async def earliest_offsets(*tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, log_begins_at)

    consumer.earliest_offsets = earliest_offsets  # type: ignore[method-assign]  # stand-in
    return consumer


def records(*offsets: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in offsets]


def test_offsets_that_the_broker_never_had_are_accounted_to_the_next_batch() -> None:
    """Transaction markers, aborted transactions and compaction leave holes of their own."""

    async def main() -> None:
        consumer, tp = consumer_of(log_begins_at=0), TP(TOPIC, 0)
        first = await consumer._batch(tp, records(0, 1, 3))
        second = await consumer._batch(tp, records(6, 7))
        assert (first.first_offset, first.next_offset, first.restarted) == (0, 4, True)
        assert (second.first_offset, second.next_offset, second.restarted) == (4, 8, False)
        continuity = Continuity()
        continuity.check(first)
        continuity.check(second)

    run(main())


@pytest.mark.parametrize(
    ("log_begins_at", "next_read"),
    [pytest.param(5, 5, id="deleted by retention"), pytest.param(0, 2, id="log was cut")],
)
def test_records_that_are_gone_before_they_were_read_are_a_gap(
    log_begins_at: int, next_read: int
) -> None:
    async def main() -> None:
        consumer, tp = consumer_of(log_begins_at), TP(TOPIC, 0)
        await consumer._batch(tp, records(0, 1, 2))
        with pytest.raises(OffsetGap, match="deleted before they were read"):
            await consumer._batch(tp, records(next_read))

    run(main())


@pytest.mark.parametrize("moves", ["generation", "seek"])
def test_what_was_fetched_before_a_seek_is_read_again_and_never_handed_on(moves: str) -> None:
    """Handed on, it would be taken for the first batch after the seek, and hide a gap."""

    async def main() -> None:
        consumer, tp = cast("Any", consumer_of(log_begins_at=0)), TP(TOPIC, 0)
        app = SimpleNamespace(consumer_generation_id=1)
        consumer._paused_partitions, consumer._seeks = set(), 0
        consumer.app, consumer.flow_active = app, True
        consumer._stopped = consumer._crashed = asyncio.Event()
        sought = []

        async def perform_seek() -> None:
            sought.append(tp)

        async def fetch(wait_s: float) -> tuple[dict[TP, list[Any]], set[TP]]:
            if moves == "generation":
                app.consumer_generation_id += 1
            else:
                consumer._seeks += 1
            return {tp: records(7, 8)}, {tp}

        consumer.perform_seek, consumer._wait_next_records = perform_seek, fetch
        assert [message async for message in consumer.getmany(1.0)] == []
        assert sought == [tp]

    run(main())


def test_highest_acknowledged_offset_is_committed_once() -> None:
    consumer = consumer_of(log_begins_at=0)
    tp = TP(TOPIC, 0)
    consumer._acked = defaultdict(list, {tp: [99, 205]})
    consumer._acked_index = defaultdict(set, {tp: {99, 205}})
    assert consumer._new_offset(tp) == 206
    assert consumer._new_offset(tp) is None
    assert consumer._acked_index[tp] == set()
