"""Run one whole worker in a process of its own: ``python -m bench.worker_runs TASK``.

It says on its standard output which partitions have reached the end of the recording, and stops
when its standard input is closed; then it writes its report. Times are of a clock that all
processes of a machine share.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import msgspec
import structlog
from msgspec import Struct

from bench.watched import watched_pipelines
from streams.app import Part, Worker
from streams.checkpoint import Checkpoints
from streams.settings import Settings
from streams.state_log import StateRecord

LOOK_EVERY_S = 0.001


class WorkerTask(Struct, frozen=True, kw_only=True):
    """Where to work, how often to checkpoint, and where to report.

    A partition has ended when its clock reaches ``end_s`` (s UTC).
    """

    broker: str
    partitions: int
    end_s: float
    checkpoint_interval_s: float
    checkpoint_messages: int
    report: str


class WorkerReport(Struct, kw_only=True):
    """What a worker did: first message and last end (s of the shared clock), CPU time between.

    ``pause_s``: longest time for which nothing else could run. ``step_s``, ``checkpoints_s``: the
    longest bit of a checkpoint and all of them; ``checkpoint_bytes``: what they wrote.
    """

    started: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    pause_s: float = 0.0
    step_s: float = 0.0
    checkpoints_s: float = 0.0
    checkpoint_bytes: int = 0


class Watch:
    """Watches a worker from its first message until its last partition has ended."""

    def __init__(self, task: WorkerTask) -> None:
        self.report = WorkerReport()
        self._task = task
        self._cpu_s = 0.0
        self._ended: set[int] = set()

    def start(self) -> None:
        """Start with the first message."""
        if not self.report.started:
            self.report.started = time.perf_counter()
            self._cpu_s = time.process_time()

    def look(self, partition: int, clock: float) -> None:
        """Tell of a partition whose clock has reached the end."""
        if clock >= self._task.end_s and partition not in self._ended:
            self._ended.add(partition)
            self.report.ended = time.perf_counter()
            self.report.cpu_s = time.process_time() - self._cpu_s
            sys.stdout.write(f"{partition}\n")
            sys.stdout.flush()

    async def watch_loop(self) -> None:
        """Note for how long others keep the loop busy at a time."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(LOOK_EVERY_S)
            if self.report.started and not self.report.ended:
                pause_s = time.perf_counter() - began - LOOK_EVERY_S
                self.report.pause_s = max(self.report.pause_s, pause_s)

    def timed(
        self, take: Callable[[Checkpoints, int], list[StateRecord]]
    ) -> Callable[[Checkpoints, int], list[StateRecord]]:
        """Time each bit of a checkpoint."""

        def timed_take(checkpoints: Checkpoints, limit: int) -> list[StateRecord]:
            began = time.perf_counter()
            records = take(checkpoints, limit)
            step_s = time.perf_counter() - began
            if not self.report.ended:
                self.report.step_s = max(self.report.step_s, step_s)
                self.report.checkpoints_s += step_s
                self.report.checkpoint_bytes += sum(len(record.value or b"") for record in records)
            return records

        return timed_take


async def run(task: WorkerTask) -> WorkerReport:
    """Work until the standard input is closed."""
    watch = Watch(task)
    settings = Settings(
        broker=task.broker,
        partitions=task.partitions,
        ticks="recorded",
        checkpoint_interval_s=task.checkpoint_interval_s,
        checkpoint_messages=task.checkpoint_messages,
    )
    parts = frozenset({Part.PROCESS})
    worker = Worker(settings, None, parts=parts, new_pipelines=partial(watched_pipelines, watch))
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, told.set)
    with patch.object(Checkpoints, "take", watch.timed(Checkpoints.take)):
        running = asyncio.ensure_future(worker.run())
        stopping = asyncio.ensure_future(told.wait())
        watching = asyncio.ensure_future(watch.watch_loop())
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        worker.stop()
        await running
    return watch.report


def main() -> None:
    """Do the task and write its report."""
    logging.basicConfig(level=logging.ERROR)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    task = msgspec.json.decode(sys.argv[1], type=WorkerTask)
    report = asyncio.run(run(task))
    Path(task.report).write_bytes(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
