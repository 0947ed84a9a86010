"""Write results into InfluxDB in a process of its own: ``python -m bench.sink_runs TASK``.

``sink``: from the messages, as the agent over the output topics does. Any other: ready lines, by
the client library alone, which compresses them if the name ends in ``gzip``.
"""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import faust
import msgspec
import psutil  # type: ignore[import-untyped]  # it has no py.typed
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from msgspec import Struct

from bench.site_outputs import Fetched, Ready
from connectors.influx.client import Access
from connectors.influx.known import CELLS_MAX, Known
from connectors.influx.sink import InfluxResults
from streams.agents import ResultsWriter, Stream, ease_collector

LOOK_EVERY_S = 0.01
LENGTH_BYTES = 4
TIMEOUT_MS = 120_000


class SinkTask(Struct, frozen=True, kw_only=True):
    """Which contender, the file of its batches, the database, and where to report.

    ``cells_max``: how much the sink remembers of what is stored.
    """

    contender: str
    batches: str
    access: Access
    report: str
    cells_max: int = CELLS_MAX


class SinkReport(Struct, frozen=True, kw_only=True):
    """Points written, the time it took, CPU time of the process and of InfluxDB (s).

    Memory of the process at first and at most is in bytes.
    """

    points: int
    elapsed_s: float
    cpu_s: float
    memory_before: int
    memory_peak: int
    influx_cpu_s: float = 0.0

    @property
    def points_per_s(self) -> float:
        """Points a second of wall time."""
        return self.points / self.elapsed_s


class MemoryPeak:
    """Watches the memory of this process from a thread; used as ``with``."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = self.peak = self._resident()

    def __enter__(self) -> "MemoryPeak":
        """Start watching."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self.peak = max(self.peak, self._resident())

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)


def write_batches(path: Path, batches: Iterator[Fetched] | Iterator[list[Ready]]) -> None:
    """Write batches to a file, each after its length."""
    encoder = msgspec.msgpack.Encoder()
    with path.open("wb") as file:
        for batch in batches:
            encoded = encoder.encode(batch)
            file.write(len(encoded).to_bytes(LENGTH_BYTES))
            file.write(encoded)


def read_batches(path: Path) -> Iterator[bytes]:
    """Give the batches of a file, one in memory at a time."""
    with path.open("rb") as file:
        while length := file.read(LENGTH_BYTES):
            yield file.read(int.from_bytes(length))


async def run(task: SinkTask) -> SinkReport:
    """Write all batches and take the time."""
    write = write_results if task.contender == "sink" else write_lines
    started = time.perf_counter(), time.process_time()
    with MemoryPeak() as memory:
        points = await write(task)
    return SinkReport(
        points=points,
        elapsed_s=time.perf_counter() - started[0],
        cpu_s=time.process_time() - started[1],
        memory_before=memory.before,
        memory_peak=memory.peak,
    )


async def write_results(task: SinkTask) -> int:
    """Let the agent `results` write what the messages say; give how many points that were."""
    ease_collector()
    sink = InfluxResults(task.access, Known(task.cells_max))
    writer = ResultsWriter(cast(faust.App, Assigned()), sink)
    try:
        await writer.run(cast(Stream, Messages(Path(task.batches))))
    finally:
        await sink.close()
    if sink.counts.refused or sink.counts.expired:
        raise RuntimeError(f"InfluxDB did not take all: {sink.counts}")
    return sink.counts.lines


class Assigned:
    """A Faust app as far as the agent asks for one: partitions are assigned once."""

    consumer_generation_id = 1

    def __init__(self) -> None:
        self.consumer = SimpleNamespace(highwater=lambda _: None)


class Messages:
    """A stream of fetched batches out of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def noack(self) -> Self:
        """Acknowledge nothing by itself."""
        return self

    async def events(self) -> AsyncIterator[Any]:
        """Give one event for each batch."""
        decoder = msgspec.msgpack.Decoder(Fetched)
        for encoded in read_batches(self._path):
            batch = decoder.decode(encoded).batch()
            yield SimpleNamespace(value=batch, ack=lambda: None)
            await asyncio.sleep(0)


async def write_lines(task: SinkTask) -> int:
    """Write ready lines by the client alone; give how many."""
    decoder = msgspec.msgpack.Decoder(list[Ready])
    access, points = task.access, 0
    # The library is not typed.
    client: Any = InfluxDBClientAsync(
        url=access.url,
        token=access.token,
        org=access.org,
        timeout=TIMEOUT_MS,
        enable_gzip=task.contender.endswith("gzip"),
    )
    async with client:
        api = client.write_api()
        for encoded in read_batches(Path(task.batches)):
            for some in decoder.decode(encoded):
                await api.write(bucket=some.bucket, record=some.texts)
                points += len(some.texts)
    return points


if __name__ == "__main__":
    _task = msgspec.json.decode(sys.argv[1], type=SinkTask)
    Path(_task.report).write_bytes(msgspec.json.encode(asyncio.run(run(_task))))
