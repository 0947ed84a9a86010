"""Goal: the health page tells what is true of a worker.

Method: a worker on the embedded broker, with a sink that can be made to fail, asked from outside.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.base import Refuse
from connectors.broker import free_port
from connectors.outputs import OutboundMessage
from streams import health
from streams.app import Part, Worker
from streams.errors import BrokerUnavailable, SinkUnavailable
from streams.events import INGEST_TOPICS, TICK_KEY, Output, encode_tick
from streams.settings import Settings
from tests.broker_fixtures import PARTITIONS, broker_with_topics, eventually, run, send


class Sink:
    """A sink in memory, which may be away."""

    def __init__(self) -> None:
        self.is_away = False

    async def write(self, outputs: Sequence[Output]) -> None:
        if self.is_away:
            raise SinkUnavailable("away")

    def forget(self) -> None:
        pass

    def refuse_to(self, refuse: Refuse) -> None:
        pass

    def figures(self) -> dict[str, float]:
        return {}

    async def close(self) -> None:
        pass


class Page:
    """The health page, as a machine that watches over the worker sees it."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._url = f"http://127.0.0.1:{port}"

    async def unmet(self) -> set[str] | None:
        """Conditions that do not hold; None while nobody answers."""
        try:
            async with self._session.get(f"{self._url}/ready") as response:
                answer: dict[str, Any] = await response.json()
        except aiohttp.ClientConnectionError:
            return None
        assert (response.status == 200) == answer["ready"]
        return {name for name, one in answer["conditions"].items() if not one["ok"]}

    async def has(self, unmet: set[str] | None) -> None:
        async def holds() -> bool:
            return await self.unmet() == unmet

        await eventually(holds)

    async def tells(self, name: str, is_right: Callable[[float], bool]) -> None:
        async def does() -> bool:
            return is_right(await self.total(name))

        await eventually(does)

    async def total(self, name: str) -> float:
        """Sum of a metric over its labels."""
        async with self._session.get(f"{self._url}/metrics") as response:
            families = list(text_string_to_metric_families(await response.text()))
        return sum(s.value for f in families for s in f.samples if s.name == name)


@asynccontextmanager
async def watched(address: str, sink: Sink, **options: Any) -> AsyncIterator[Page]:
    port = free_port()
    settings = Settings(
        broker=address,
        partitions=PARTITIONS,
        session_timeout_s=2.0,
        ticks="recorded",
        health_port=port,
        connect_timeout_s=0.5,
    )
    worker = Worker(settings, sink, **options)
    working = asyncio.ensure_future(worker.run())
    async with aiohttp.ClientSession() as session:
        try:
            yield Page(session, port)
        finally:
            worker.stop()
            await working


def ticks(time: float) -> list[OutboundMessage]:
    value = encode_tick(time, PARTITIONS)
    places = [(topic, number) for topic in INGEST_TOPICS for number in range(PARTITIONS)]
    return [OutboundMessage(topic, number, TICK_KEY, value) for topic, number in places]


@pytest.mark.broker
def test_page_follows_a_worker_from_its_start_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WRITE_AGE_MAX_S", 0.3)

    async def main() -> None:
        sink = Sink()
        async with broker_with_topics() as address, watched(address, sink) as page:
            await page.has({"assigned", "restored"})
            await page.has(set())
            stranger = OutboundMessage("sleep", 0, b"nobody", b"{")
            await send(address, [*ticks(1_000.0), stranger, *ticks(2_000.0)])

            await page.tells("wakeline_dead_letters_total", lambda total: total == 1.0)
            await page.tells("wakeline_lag_messages", lambda total: total == 0.0)
            assert await page.total("wakeline_clock_age_seconds") > 1e6
            sink.is_away = True
            await send(address, ticks(3_000.0))
            await page.has({"sink"})
            await page.tells("wakeline_sink_retries_total", lambda total: total > 0.0)
            sink.is_away = False
            await page.has(set())

    run(main())


@pytest.mark.broker
def test_page_of_a_worker_that_only_stores_asks_nothing_of_processing() -> None:
    async def main() -> None:
        async with (
            broker_with_topics() as address,
            watched(address, Sink(), parts=frozenset({Part.RESULTS})) as page,
        ):
            await page.has(set())
            assert await page.total("wakeline_records_total") == 0.0

    run(main())


def test_page_is_there_while_the_broker_is_waited_for() -> None:
    async def main() -> None:
        async with watched(f"127.0.0.1:{free_port()}", Sink()) as page:
            await page.has({"assigned", "restored"})
            await page.has(None)

    with pytest.raises(BrokerUnavailable):
        run(main())
