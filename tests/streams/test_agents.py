"""Goal: nothing is acknowledged before it is safe, and nothing waits for ever.

Method: the two agents with stand-ins for Faust, the broker, the pipeline and the sink, which note
the order of what happens.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
import stamina
from faust.types import TP

from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage, output_message
from streams.agents import Pipeline, Processor, ResultsWriter, Stream, run_guarded
from streams.errors import SinkUnavailable
from streams.events import Operation, Output
from streams.transport import Batch, OffsetGap, Record
from tests.broker_fixtures import run


class FakeConsumer:
    def __init__(self) -> None:
        self.paused: set[TP] = set()

    def pause_partitions(self, tps: set[TP]) -> None:
        self.paused |= tps

    def resume_partitions(self, tps: set[TP]) -> None:
        self.paused -= tps

    def highwater(self, _: TP) -> int:
        return 100


class FakeApp:
    """A Faust app as far as the agents know one; events come from a list."""

    def __init__(self) -> None:
        self.consumer_generation_id = 1
        self.consumer = FakeConsumer()
        self.happened: list[str] = []

    def event(self, batch: Batch) -> Any:
        name = f"{batch.topic}[{batch.partition}]..{batch.next_offset}"
        return SimpleNamespace(
            value=batch,
            message=SimpleNamespace(
                offset=batch.next_offset - 1, generation_id=self.consumer_generation_id
            ),
            ack=lambda: self.happened.append(f"ack {name}"),
        )

    @property
    def acks(self) -> list[str]:
        return [entry for entry in self.happened if entry.startswith("ack")]


class FakeOutbox:
    def __init__(self, app: FakeApp) -> None:
        self._app = app
        self.while_sending: Callable[[], None] = lambda: None

    async def send(self, messages: Iterable[OutboundMessage]) -> None:
        count = len([*messages])
        self.while_sending()
        self._app.happened.append(f"sent {count}")


class FakePipeline:
    """Takes what it is given, but holds a topic back while it is told to."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.taken: dict[str, int] = {}

    @property
    def blocked(self) -> frozenset[str]:
        return frozenset(self.held)

    @property
    def clock(self) -> float:
        return 1.0

    def process(self, topic: str, records: Sequence[Record]) -> list[Output]:
        self.taken[topic] = records[-1].offset
        return [Operation(name="clock", partition=0, time=1.0, values={})]

    def safe_offset(self, topic: str) -> int | None:
        taken = self.taken.get(topic)
        return self.held.get(topic, None if taken is None else taken + 1)


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


def stream_of(*events: Any) -> Stream:
    async def iterate() -> AsyncIterator[Any]:
        for event in events:
            yield event

    return cast(Stream, SimpleNamespace(noack=lambda: SimpleNamespace(events=iterate)))


class Bench:
    """A processor with everything round it."""

    def __init__(self) -> None:
        self.app = FakeApp()
        self.outbox = FakeOutbox(self.app)
        self.pipelines: list[FakePipeline] = []
        self.processor = Processor(
            cast(faust.App, self.app),
            self._new_pipeline,
            outbox=cast(Outbox, self.outbox),
            code_version="1.0",
        )

    def _new_pipeline(self, _partition: int) -> Pipeline:
        self.pipelines.append(FakePipeline())
        return self.pipelines[-1]

    def feed(self, *batches: Batch) -> None:
        run(self.processor.run(stream_of(*map(self.app.event, batches))))


def test_sources_are_acknowledged_after_their_outputs() -> None:
    bench = Bench()
    bench.feed(batch_of("sleep", 0, 3, restarted=True), batch_of("sleep", 3, 5_000))
    assert bench.app.happened == [
        "sent 1",
        "ack sleep[0]..3",
        *["sent 1"] * 3,  # a large batch goes in slices
        "ack sleep[0]..5003",
    ]


def test_held_records_keep_their_batch_and_all_behind_it_unacknowledged() -> None:
    bench = Bench()
    bench.feed(batch_of("sleep", 0, 3, restarted=True))
    (pipeline,) = bench.pipelines
    pipeline.held["sleep"] = 4
    bench.feed(batch_of("sleep", 3, 3), batch_of("sleep", 6, 3))
    assert bench.app.acks == ["ack sleep[0]..3"]
    del pipeline.held["sleep"]
    # What frees them comes through another topic of the partition.
    bench.feed(batch_of("subjects", 0, 1, restarted=True))
    assert bench.app.acks == [
        "ack sleep[0]..3",
        "ack sleep[0]..6",
        "ack sleep[0]..9",
        "ack subjects[0]..1",
    ]


def test_blocked_topics_are_paused_and_resumed_once_they_may_go_on() -> None:
    bench = Bench()
    bench.feed(batch_of("sleep", 0, 1, restarted=True))
    bench.pipelines[0].held["sleep"] = 1
    bench.feed(batch_of("activity", 0, 1, restarted=True))
    assert bench.app.consumer.paused == {TP("sleep", 0)}
    bench.pipelines[0].held.clear()
    bench.feed(batch_of("activity", 1, 1))
    assert bench.app.consumer.paused == set()


def test_each_partition_has_a_pipeline_and_a_new_assignment_starts_them_anew() -> None:
    bench = Bench()
    bench.feed(
        batch_of("sleep", 0, 2, restarted=True),
        batch_of("sleep", 0, 2, partition=1, restarted=True),
    )
    assert len(bench.pipelines) == 2
    bench.processor.on_revoked(set())
    bench.app.consumer_generation_id = 2
    bench.feed(batch_of("sleep", 0, 2, restarted=True))
    assert len(bench.pipelines) == 3


def test_partition_revoked_while_its_outputs_are_sent_is_not_acknowledged() -> None:
    bench = Bench()
    bench.outbox.while_sending = lambda: bench.processor.on_revoked(set())
    bench.feed(batch_of("sleep", 0, 2, restarted=True))
    assert bench.app.acks == []


def test_batches_of_an_earlier_assignment_are_left_alone() -> None:
    bench = Bench()
    stale = bench.app.event(batch_of("sleep", 0, 2, restarted=True))
    bench.app.consumer_generation_id = 2
    run(bench.processor.run(stream_of(stale)))
    assert bench.app.happened == []
    assert bench.pipelines == []


@pytest.mark.parametrize("restarted", [False, True])
def test_state_never_meets_a_log_that_does_not_continue_it(restarted: bool) -> None:
    bench = Bench()
    bench.feed(batch_of("sleep", 0, 2, restarted=True))
    with pytest.raises(OffsetGap):
        bench.feed(batch_of("sleep", 7, 2, restarted=restarted))
    assert bench.app.acks == ["ack sleep[0]..2"]


def test_failed_agent_reports_and_is_held_so_that_nothing_behind_it_is_taken() -> None:
    async def main() -> None:
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def failing(_: Stream) -> None:
            raise ValueError("broken invariant")

        agent = asyncio.ensure_future(run_guarded(failing, stream_of(), failure))
        with pytest.raises(ValueError, match="broken invariant"):
            await failure
        assert not agent.done()
        agent.cancel()

    run(main())


def test_lag_is_what_the_logs_hold_beyond_the_state_and_the_age_of_its_clock() -> None:
    app, pipeline = FakeApp(), FakePipeline()
    processor = Processor(
        cast(faust.App, app),
        lambda _: cast(Pipeline, pipeline),
        outbox=cast(Outbox, FakeOutbox(app)),
        code_version="1.0",
    )
    processor.on_assigned({TP("sleep", 0), TP("heart-rate", 0), TP("steps", 0)})
    read = (("sleep", 70), ("heart-rate", 100))
    batches = [batch_of(topic, 0, count, restarted=True) for topic, count in read]
    run(processor.run(stream_of(*map(app.event, batches))))
    (lag,) = processor.gauges(31.0)
    assert (lag.name, lag.partition, lag.time) == ("lag", 0, 31.0)
    assert lag.values == {"clock_age_s": 30.0, "lag_messages": 30.0}


class FakeSink:
    """Unavailable for the first writes, then keeps what it gets."""

    def __init__(self, app: FakeApp, failures: int) -> None:
        self.outputs: list[Output] = []
        self._app = app
        self._failures = failures

    async def write(self, outputs: Sequence[Output]) -> None:
        if self._failures:
            self._failures -= 1
            raise SinkUnavailable("down")
        self.outputs.extend(outputs)
        self._app.happened.append("stored")

    async def close(self) -> None:
        pass


def result_batch(*values: bytes | None) -> Batch:
    records: list[Any] = [
        SimpleNamespace(offset=offset, key=None, value=value, headers=())
        for offset, value in enumerate(values)
    ]
    return Batch(
        topic="operations",
        partition=0,
        first_offset=0,
        next_offset=len(records),
        records=records,
        restarted=True,
    )


def test_results_wait_for_their_sink_and_are_acknowledged_when_stored() -> None:
    app = FakeApp()
    sink = FakeSink(app, failures=2)
    output = Operation(name="clock", partition=0, time=5.0, values={"late_count": 1.0})
    value = output_message(output, 0, "1.0").value
    with stamina.set_testing(True, attempts=5):
        writer = ResultsWriter(cast(faust.App, app), sink)
        # A message of another program lies between: it is passed over, and nothing is lost.
        batch = result_batch(value, b"not ours", None, value)
        run(writer.run(stream_of(app.event(batch))))
    assert sink.outputs == [output, output]
    assert app.happened == ["stored", "ack operations[0]..4"]


def test_results_of_a_revoked_partition_are_stored_but_not_acknowledged() -> None:
    app = FakeApp()
    writer = ResultsWriter(cast(faust.App, app), FakeSink(app, failures=0))

    class Revoking(FakeSink):
        async def write(self, outputs: Sequence[Output]) -> None:
            await super().write(outputs)
            writer.on_revoked(set())

    writer._sink = Revoking(app, failures=0)
    run(writer.run(stream_of(app.event(result_batch()))))
    assert app.happened == ["stored"]
