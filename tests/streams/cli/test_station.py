"""Goal: `wakeline up` has after a restart what it had before. Method: run it twice, one folder."""

import asyncio
from pathlib import Path

import pytest

from connectors.broker import free_port
from connectors.recordings import RecordingMessage
from streams.cli.station import WARNING, Station
from streams.errors import BrokerMismatch
from streams.events import INGEST_TOPICS, TICK_KEY
from streams.settings import Settings
from tests.broker_fixtures import PARTITIONS, eventually, numbered, read_all, run, send

pytestmark = pytest.mark.broker

Contents = dict[tuple[str, int, int], bytes | None]


def settings_of(folder: Path, partitions: int = PARTITIONS) -> Settings:
    return Settings(up_port=free_port(), up_folder=folder, partitions=partitions)


def contents(messages: list[RecordingMessage]) -> Contents:
    return {(m.topic, m.partition, m.offset): m.value for m in messages}


async def lifetime(settings: Settings, said: list[str], numbers: range) -> Contents:
    """One run: send something, wait for it and for ticks, end; what the broker held in the end."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(Station(settings, said.append).run(stop))
    address = f"127.0.0.1:{settings.up_port}"
    held: list[RecordingMessage] = []

    async def has_ticks() -> bool:
        nonlocal held
        if running.done():
            await running
        held = await read_all(address, INGEST_TOPICS)
        ticked = {(m.topic, m.partition) for m in held if m.key == TICK_KEY}
        return len(ticked) == PARTITIONS * len(INGEST_TOPICS)

    await eventually(lambda: WARNING in said or running.done())
    await send(address, numbered("sleep", 1, numbers))
    await eventually(has_ticks)
    stop.set()
    await running
    return contents(held)


def test_restart_gives_every_message_the_place_it_had(tmp_path: Path) -> None:
    async def main() -> None:
        said: list[str] = []
        settings = settings_of(tmp_path)
        before = await lifetime(settings, said, range(100))
        assert set(before.values()) >= {b"%d" % number for number in range(100)}
        said_again: list[str] = []
        after = await lifetime(settings, said_again, range(100, 120))
        assert before.items() <= after.items()
        assert set(after.values()) >= {b"%d" % number for number in range(120)}
        assert any(line.startswith("Published") for line in said_again)
        assert "can lose" in WARNING

    run(main())


def test_journal_of_another_partition_count_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        await lifetime(settings_of(tmp_path), [], range(1))
        other = Station(settings_of(tmp_path, PARTITIONS + 1), print)
        with pytest.raises(BrokerMismatch, match=f"--partitions {PARTITIONS}"):
            await other.run(asyncio.Event())

    run(main())
