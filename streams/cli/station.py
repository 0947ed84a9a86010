"""``wakeline up``: an embedded broker, its journal and a worker, all on this machine."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from connectors.broker import EmbeddedBroker
from connectors.journal import Journal, Segment
from connectors.kafka import ensure_topics
from connectors.outbox import Outbox
from connectors.publisher import publish
from connectors.recorder import Place, Span, record
from connectors.recordings import RecordingMessage, inspect_recordings
from streams.app import Worker
from streams.cli.running import work_until
from streams.cli.sinks import results_sink
from streams.errors import BrokerMismatch
from streams.events import INGEST_TOPICS
from streams.settings import Settings

# The embedded broker lets a worker in after half of it; there is no network that could be slow.
SESSION_TIMEOUT_S = 3.0

WARNING = (
    "The broker has no disk. What it took in is written to the journal at once: Ctrl-C loses "
    "nothing, a crash or a kill can lose what arrived within the last second, and a full or "
    "broken disk loses what arrives from then on."
)


class Keeper:
    """Writes messages into the journal and knows where to go on."""

    def __init__(self, segment: Segment, offsets: dict[Place, int]) -> None:
        self.offsets = offsets
        self._segment = segment

    def write(self, message: RecordingMessage) -> None:
        """Append a message."""
        self._segment.write(message)
        self.offsets[message.topic, message.partition] = message.offset + 1

    def flush(self, _count: int) -> None:
        """Bring to disk what was appended."""
        self._segment.flush()


class Station:
    """Everything that `wakeline up` runs; ``say`` takes lines for people."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set.

        Raises
        ------
        BrokerUnavailable
            If the port is in use or the broker does not come up.
        BrokerMismatch
            If the journal was written with another number of partitions.
        """
        folder = self._settings.up_folder
        journal = Journal(folder)
        lost_bytes = journal.mend()
        if lost_bytes:
            self._say(f"The last message in the journal was incomplete: {lost_bytes} bytes cut.")
        self._check(journal)
        async with EmbeddedBroker(self._settings.up_port) as broker:
            settings = self._settings.model_copy(
                update={
                    "broker": broker.address,
                    "session_timeout_s": SESSION_TIMEOUT_S,
                    "results": folder / "results.sqlite",
                    "ticks": "live",
                }
            )
            await ensure_topics(broker.address, settings.pipeline_config().partitions)
            offsets = await self._restore(journal, broker.address)
            with journal.new_segment() as segment:
                keeper = Keeper(segment, offsets)
                place = settings.influx_url or settings.results
                self._say(f"Broker at {broker.address}; journal in {folder}, results in {place}.")
                self._say(WARNING)
                await self._keep_and_work(settings, keeper, stop)

    def _check(self, journal: Journal) -> None:
        if not journal.segments:
            return
        found = inspect_recordings(journal.segments).partitions
        wanted = self._settings.pipeline_config().partitions
        if found != wanted:
            raise BrokerMismatch(
                f"the journal was written with {found} partitions, and {wanted} are configured: "
                f"use --partitions {found}, or another --folder"
            )

    async def _restore(self, journal: Journal, address: str) -> dict[Place, int]:
        """Publish the journal into the empty broker; give the offsets that follow it."""
        offsets: dict[Place, int] = {}

        def noted() -> Iterator[RecordingMessage]:
            for message in journal.messages():
                offsets[message.topic, message.partition] = message.offset + 1
                yield message

        async with Outbox(address) as outbox:
            count = await publish(noted(), outbox)
        if count:
            self._say(f"Published {count} messages of the journal again.")
        return offsets

    async def _keep_and_work(self, settings: Settings, keeper: Keeper, stop: asyncio.Event) -> None:
        keeping_ends = asyncio.Event()
        keeping = asyncio.ensure_future(self._keep(settings.broker, keeper, Span(keeping_ends)))
        worker = Worker(settings, results_sink(settings))
        working = asyncio.ensure_future(work_until(stop, worker))
        try:
            await asyncio.wait([keeping, working], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            keeping_ends.set()
            with contextlib.suppress(asyncio.CancelledError):
                await working
        await keeping
        # What arrived while everything was stopping.
        await self._keep(settings.broker, keeper, Span(asyncio.Event(), at_end=True))

    async def _keep(self, address: str, keeper: Keeper, span: Span) -> None:
        await record(
            address,
            INGEST_TOPICS,
            keeper.write,
            span=Span(span.stop, at_end=span.at_end, after=dict(keeper.offsets)),
            on_progress=keeper.flush,
        )
