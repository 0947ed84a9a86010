"""A processor with stand-ins for Faust, the broker, the pipeline and the checkpoints."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import faust
from faust.types import TP

from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from streams.agents import Stream
from streams.custody import Custody
from streams.events import Operation, Output
from streams.processing import Processor
from streams.transport import Batch, BatchConsumer, Record


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
        self.error: Exception | None = None

    def is_due(self, _: int) -> bool:
        return self.needs_checkpoint

    def count(self, _: int) -> None:
        self.has_changed = True

    def begin(self) -> None:
        self.has_changed = False
        self._app.happened.append("begun")

    async def finish(self) -> None:
        await self.may_seal.wait()
        if self.error is not None:
            raise self.error
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

    def run(self, *batches: Batch, goes_on: bool = False) -> Awaitable[None]:
        async def iterate() -> AsyncIterator[Any]:
            for batch in batches:
                yield self.app.event(batch)
            if goes_on:
                await asyncio.Event().wait()

        stream = SimpleNamespace(noack=lambda: SimpleNamespace(events=iterate))
        return self.processor.run(cast(Stream, stream))

    async def feed(self, *batches: Batch) -> None:
        await self.run(*batches)
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
