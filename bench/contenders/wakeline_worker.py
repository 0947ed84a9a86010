"""Wakeline's whole worker: consent, lateness, features, detection and results of every message.

It does far more than the job of the others, and is shown beside them for honesty's sake. Measured
from its first message until the clocks of all partitions have reached the recording's end and all
that follows from it has been acknowledged.
"""

import asyncio
import time
from functools import partial

from bench.contenders.task import Report, Task
from bench.watched import watched_pipelines
from streams.app import Part, Worker
from streams.settings import Settings


def run(task: Task) -> Report:
    """Do the task."""
    return asyncio.run(_run(task))


async def _run(task: Task) -> Report:
    stopwatch = Stopwatch(task)
    settings = Settings(broker=task.broker, partitions=task.partitions, ticks="recorded")
    worker = Worker(
        settings,
        None,
        parts=frozenset({Part.PROCESS}),
        new_pipelines=partial(watched_pipelines, stopwatch),
    )
    running = asyncio.ensure_future(worker.run())
    done = asyncio.ensure_future(stopwatch.done.wait())
    await asyncio.wait([running, done], return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    await running
    return stopwatch.report()


class Stopwatch:
    """Runs from the first message until all partitions have ended."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._open = set(range(task.partitions))
        self._started: tuple[float, float] | None = None
        self._stopped = (0.0, 0.0)
        self.done = asyncio.Event()

    def start(self) -> None:
        """Start with the first message."""
        if self._started is None:
            self._started = _now()

    def look(self, partition: int, clock: float) -> None:
        """Stop once the last partition's clock has reached the end."""
        if clock >= self._task.end_s and partition in self._open:
            self._open.remove(partition)
            if not self._open:
                self._stopped = _now()
                self.done.set()

    def report(self) -> Report:
        """Give the figures."""
        assert self._started is not None
        return Report(
            contender=self._task.contender,
            messages=self._task.messages,
            elapsed_s=self._stopped[0] - self._started[0],
            cpu_s=self._stopped[1] - self._started[1],
        )


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
