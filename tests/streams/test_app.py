"""Goal: the worker processes, stores, rebuilds, hands over and stops as it promises.

Method: both apps on the embedded broker, with a pipeline that says how far it has come.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError  # type: ignore[import-untyped]  # no py.typed

import streams.app
from connectors.base import Refuse
from connectors.broker import EmbeddedBroker, free_port
from connectors.kafka import ensure_topics
from detectors.cohort import load_cohort
from streams.app import Part, Worker
from streams.config import PipelineConfig
from streams.custody import NewPipeline
from streams.errors import BadInput, BrokerMismatch, BrokerUnavailable
from streams.events import INGEST_TOPICS, TICK_KEY, Operation, Output
from streams.gate import LogRecord
from streams.pipeline import PartitionPipeline
from streams.settings import Settings
from streams.transport import BatchConsumer, OffsetGap
from tests.broker_fixtures import (
    PARTITIONS,
    broker_with_topics,
    committed,
    eventually,
    numbered,
    read_all,
    run,
    send,
)
from tests.servers import KafkaServer

TOPIC = "sleep"


class Counting(PartitionPipeline):
    """A pipeline whose outputs say which messages it was given, in their order."""

    def __init__(self, partition: int, epoch: int) -> None:
        config = PipelineConfig(partitions=PARTITIONS)
        super().__init__(
            partition, config, partition_of=lambda _: partition, cohort=load_cohort(), epoch=epoch
        )

    def process(self, topic: str, records: Sequence[LogRecord]) -> list[Output]:
        self._taken[topic] = records[-1].offset
        return [
            Operation(name="seen", partition=self.partition, time=float(r.value or b""), values={})
            for r in records
            if r.key != TICK_KEY
        ]


class Failing(Counting):
    def process(self, topic: str, records: Sequence[LogRecord]) -> list[Output]:
        raise BadInput("a fault of the pipeline")


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.is_closed = False

    async def write(self, outputs: Sequence[Output]) -> None:
        self.outputs.extend(outputs)

    def refuse_to(self, refuse: Refuse) -> None:
        pass

    def figures(self) -> dict[str, float]:
        return {}

    def forget(self) -> None:
        pass

    async def close(self) -> None:
        self.is_closed = True

    def seen(self, partition: int) -> list[float]:
        return [
            output.time
            for output in self.outputs
            if isinstance(output, Operation) and output.partition == partition
        ]


def worker_of(address: str, sink: Kept, kind: type[Counting] = Counting, **options: Any) -> Worker:
    def new_pipelines(_: PipelineConfig) -> NewPipeline:
        return kind

    settings = Settings(
        broker=address,
        partitions=PARTITIONS,
        session_timeout_s=2.0,
        connect_timeout_s=0.3,
        ticks=options.pop("ticks", "recorded"),
    )
    return Worker(settings, sink, new_pipelines=new_pipelines, **options)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    task = asyncio.ensure_future(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task


@pytest.mark.broker
def test_a_broker_that_goes_away_while_a_worker_starts_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, tries = streams.app._start, []

    async def start_at_the_second_try(apps: list[Any]) -> None:
        tries.append(len(apps))
        if len(tries) == 1:
            raise KafkaConnectionError("gone")
        await start(apps)

    monkeypatch.setattr(streams.app, "_start", start_at_the_second_try)

    async def scenario() -> None:
        sink = Kept()
        async with broker_with_topics() as address:
            worker = worker_of(address, sink)
            running = asyncio.ensure_future(worker.run())
            await asyncio.wait_for(worker.ready.wait(), 60.0)
            worker.stop()
            await running
        assert sink.is_closed

    run(scenario())
    assert tries == [2, 2]


@pytest.mark.broker
def test_outputs_of_all_partitions_reach_the_sink_and_a_restart_goes_on_behind_them() -> None:
    expected = [float(number) for number in range(3_000)]

    async def main() -> None:
        async with broker_with_topics() as address:
            for partition in range(PARTITIONS):
                await send(address, numbered(TOPIC, partition, range(3_000)))
            first = Kept()
            async with working(worker_of(address, first)):
                await eventually(lambda: len(first.outputs) >= PARTITIONS * 3_000)
            assert [first.seen(number) for number in range(PARTITIONS)] == [expected] * PARTITIONS
            assert first.is_closed
            assert await committed(address, "wakeline-process", TOPIC) == {0: 3_000, 1: 3_000}
            second = Kept()
            async with working(worker_of(address, second)):
                await send(address, numbered(TOPIC, 0, [7]))
                await eventually(lambda: bool(second.outputs))
            assert second.seen(0) == [7.0]
            assert second.seen(1) == []

    run(main())


@pytest.mark.broker
def test_second_worker_takes_partitions_over_and_nothing_is_missing() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            for partition in range(PARTITIONS):
                await send(address, numbered(TOPIC, partition, range(100)))
            sink = Kept()
            parts = frozenset({Part.PROCESS})
            one, other = (worker_of(address, sink, parts=parts) for _ in range(2))
            writing = worker_of(address, sink, parts=frozenset({Part.RESULTS}))
            async with working(writing), working(one):
                await eventually(lambda: len(sink.outputs) >= PARTITIONS * 100)
                async with working(other):
                    await other.ready.wait()
                    for partition in range(PARTITIONS):
                        await send(address, numbered(TOPIC, partition, range(100, 200)))
                    await eventually(lambda: all(199.0 in sink.seen(n) for n in range(PARTITIONS)))
            for partition in range(PARTITIONS):
                assert set(sink.seen(partition)) == {float(number) for number in range(200)}

    run(main())


@pytest.mark.broker
def test_three_workers_share_the_partitions_and_no_partition_number_is_split() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            parts = frozenset({Part.PROCESS})
            workers = [worker_of(address, Kept(), parts=parts) for _ in range(3)]

            def shares() -> list[int]:
                found = [worker._figures().process for worker in workers]
                return [number for one in found if one for number in one.assigned or ()]

            async with working(workers[0]), working(workers[1]), working(workers[2]):
                # Were one number's topics split, two workers would hold it.
                await eventually(lambda: all(w.ready.is_set() for w in workers))
                await eventually(lambda: sorted(shares()) == list(range(PARTITIONS)))

    run(main())


@pytest.mark.broker
def test_live_ticks_go_into_every_ingest_partition_with_the_given_clock() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            worker = worker_of(
                address,
                Kept(),
                parts=frozenset({Part.PROCESS}),
                ticks="1000:1000",
                clock=lambda: 7.0,
            )
            async with working(worker):
                await worker.ready.wait()
                ticks: set[tuple[str, int, bytes | None]] = set()
                while len(ticks) < PARTITIONS * len(INGEST_TOPICS):
                    found = await read_all(address, INGEST_TOPICS)
                    ticks = {(m.topic, m.partition, m.value) for m in found if m.key == TICK_KEY}
            assert {value for _, _, value in ticks} == {
                b'{"schema":"tick/1","time":1000.0,"partitions":2}'
            }

    run(main())


@pytest.mark.broker
def test_fault_of_the_pipeline_stops_the_worker_with_nothing_committed() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            await send(address, numbered(TOPIC, 0, range(10)))
            with pytest.raises(BadInput, match="a fault of the pipeline"):
                await worker_of(address, Kept(), Failing).run()
            assert (await committed(address, "wakeline-process", TOPIC))[0] is None

    run(main())


@pytest.mark.broker
def test_gap_before_a_fetch_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gap(*_: object) -> None:
        raise OffsetGap("records were deleted")

    monkeypatch.setattr(BatchConsumer, "_batch", gap)

    async def main() -> None:
        async with broker_with_topics() as address:
            await send(address, numbered(TOPIC, 0, range(10)))
            with pytest.raises(OffsetGap, match="records were deleted"):
                await worker_of(address, Kept()).run()

    run(main())


@pytest.mark.broker
def test_worker_can_be_stopped_after_its_broker_has_gone() -> None:
    async def main() -> float:
        async with broker_with_topics() as address:
            worker = worker_of(address, Kept())
            task = asyncio.ensure_future(worker.run())
            await worker.ready.wait()
        begun = asyncio.get_running_loop().time()
        worker.stop()
        await task
        return asyncio.get_running_loop().time() - begun

    assert run(main()) < 10.0


@pytest.mark.broker
def test_worker_can_be_stopped_while_it_is_still_starting() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            sink = Kept()
            task = asyncio.ensure_future(worker_of(address, sink).run())
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            worker = worker_of(address, sink)
            worker.stop()
            await worker.run()
            assert not worker.ready.is_set()
            assert sink.is_closed

    run(main())


@pytest.mark.broker
def test_broker_without_topics_is_refused() -> None:
    async def main() -> None:
        async with EmbeddedBroker() as broker:
            sink = Kept()
            with pytest.raises(BrokerMismatch, match="wakeline topics"):
                await worker_of(broker.address, sink).run()
            assert sink.is_closed

    run(main())


@pytest.mark.kafka
def test_broker_that_takes_no_such_session_is_refused(empty_kafka: KafkaServer) -> None:
    async def main() -> None:
        await ensure_topics(empty_kafka.address, PARTITIONS)
        with pytest.raises(BrokerMismatch, match=r"6 to .* s, and 2 s are configured"):
            await worker_of(empty_kafka.address, Kept()).run()

    run(main())


def test_absent_broker_ends_the_worker_after_retries() -> None:
    with pytest.raises(BrokerUnavailable, match="no broker answers"):
        run(worker_of(f"127.0.0.1:{free_port()}", Kept()).run())


def test_wrong_settings_are_refused_before_anything_is_connected() -> None:
    with pytest.raises(BadInput, match="START:SPEED"):
        run(worker_of("127.0.0.1:1", Kept(), ticks="sometimes").run())


def test_worker_takes_the_cohort_that_the_settings_name(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort.json"
    cohort.write_bytes(
        msgspec.json.encode(msgspec.structs.replace(load_cohort(), version="ward-1"))
    )
    worker = Worker(Settings.load(cohort=cohort), None)
    pipeline = worker._new_pipelines(PipelineConfig(partitions=1))(0, 1)
    assert pipeline._people._cohort.version == "ward-1"
    with pytest.raises(BadInput, match="cannot be read"):
        Worker(Settings.load(cohort=tmp_path / "none.json"), None)
