"""A backlog of every channel on a broker, and whole workers that work it off.

Each worker is a process of its own; the time counts from the first message that any of them takes
until the clocks of all partitions have reached the recording's end.
"""

import asyncio
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path

import msgspec
from aiokafka import (  # type: ignore[import-untyped]  # it has no py.typed
    AIOKafkaConsumer,
    TopicPartition,
)
from msgspec import Struct

from bench import everything, worker
from bench.recording import MINUTE_S, START_S
from bench.worker_runs import WorkerReport, WorkerTask
from connectors.recordings import RecordingMessage
from streams.config import HOUR_S
from streams.events import OUTPUT_TOPICS, DeadLetter, FeatureRow
from streams.partitioning import partition_of

PARTITIONS = 4
TIMEOUT_S = 900.0
NEVER_S = 86_400.0
NEVER_MESSAGES = 10**12


class Backlog(Struct, frozen=True):
    """``subjects`` from hour ``first`` up to, not including, hour ``end`` of the recording."""

    subjects: int
    first: int
    end: int

    @property
    def end_s(self) -> float:
        """The last ticks (s UTC)."""
        return START_S + self.end * HOUR_S + MINUTE_S

    @property
    def subject_hours(self) -> int:
        """Hours of data, of all subjects."""
        return self.subjects * (self.end - self.first)

    def messages(self) -> Iterator[RecordingMessage]:
        """Give its messages; without enrolments unless it starts at the beginning."""
        hours = everything.hours(
            self.subjects,
            self.end,
            partitions=PARTITIONS,
            partition_of=partial(partition_of, partitions=PARTITIONS),
            ticks_every_h=everything.hourly,
        )
        # Enrolments first, then data and ticks of each hour.
        return chain.from_iterable(islice(hours, 1 + 2 * self.first if self.first else 0, None))

    def task(self, broker: str) -> WorkerTask:
        """Give the task of a worker that takes no checkpoints."""
        return WorkerTask(
            broker=broker,
            partitions=PARTITIONS,
            end_s=self.end_s,
            checkpoint_interval_s=NEVER_S,
            checkpoint_messages=NEVER_MESSAGES,
            report="",
        )


async def fill(backlog: Backlog, broker: str) -> None:
    """Create the topics and publish the backlog."""
    await worker.fill(broker, backlog.messages(), PARTITIONS)


async def work_off(task: WorkerTask, workers: int) -> list[WorkerReport]:
    """Let workers share the partitions until all have ended."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, f"{number}.json") for number in range(workers)]
        tasks = [msgspec.structs.replace(task, report=str(path)) for path in paths]
        processes = [await _started(task) for task in tasks]
        try:
            await asyncio.wait_for(_ended(processes, task.partitions), TIMEOUT_S)
            said = await asyncio.gather(*(process.communicate(b"") for process in processes))
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()
        for process, (_, errors) in zip(processes, said, strict=True):
            if process.returncode:
                raise RuntimeError(f"a worker failed:\n{errors.decode()}")
        return [msgspec.json.decode(path.read_bytes(), type=WorkerReport) for path in paths]


def elapsed_s(reports: list[WorkerReport]) -> float:
    """Time from the first message of any worker to the end of the last partition (s)."""
    working = [report for report in reports if report.ended]
    return max(r.ended for r in working) - min(r.started for r in working)


async def check(backlog: Backlog, broker: str) -> None:
    """Hold workers to their work: a row of every hour of every subject, and nothing refused."""
    rows: set[tuple[str, float]] = set()
    refused = 0
    topics = [OUTPUT_TOPICS[FeatureRow], OUTPUT_TOPICS[DeadLetter]]
    places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
    async with AIOKafkaConsumer(
        bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while fetched := await consumer.getmany(timeout_ms=3_000):
            for place, records in fetched.items():
                if place.topic == OUTPUT_TOPICS[DeadLetter]:
                    refused += len(records)
                else:
                    rows.update(filter(None, (_hour_of(record.value) for record in records)))
    first_s = START_S + backlog.first * HOUR_S
    found = sum(start >= first_s for _, start in rows)
    # The last tick lies a minute behind the last hour, which is less than a row waits.
    wanted = backlog.subject_hours - backlog.subjects
    if refused or found < wanted:
        raise RuntimeError(f"{found} of {wanted} rows of hours, {refused} messages refused")


class _Hour(Struct, frozen=True, rename="camel"):
    schema: str
    user_id: str
    start: float
    window: str = ""


_decode_hour = msgspec.json.Decoder(_Hour).decode


def _hour_of(value: bytes) -> tuple[str, float] | None:
    row = _decode_hour(value)
    return (row.user_id, row.start) if row.window == "hour" else None


async def _started(task: WorkerTask) -> Process:
    arguments = msgspec.json.encode(task).decode()
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.worker_runs", arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )


async def _ended(processes: list[Process], partitions: int) -> None:
    """Wait until every partition has been said to have ended, or a worker is gone."""
    open_ = set(range(partitions))
    lines = {asyncio.ensure_future(_line(process)): process for process in processes}
    while open_:
        done, _ = await asyncio.wait(lines, return_when=asyncio.FIRST_COMPLETED)
        for line in done:
            process = lines.pop(line)
            if not line.result():
                return
            open_.discard(int(line.result()))
            lines[asyncio.ensure_future(_line(process))] = process
    for line in lines:
        line.cancel()
    await asyncio.wait(lines)


async def _line(process: Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readline()
