"""Restore a state in a process of its own: ``python -m bench.state_runs TASK`` (a task as JSON)."""

import asyncio
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from bench.memory import resident
from bench.state_records import log_of, users_of
from connectors.outbox import Outbox
from connectors.state import StateTopic
from detectors.cohort import load_cohort
from streams.config import CheckpointPolicy, PipelineConfig
from streams.custody import Custody
from streams.partitioning import partition_of
from streams.pipeline import PartitionPipeline
from streams.recovery import recover
from streams.state_log import StateLog, StateRecord


class RestoreTask(Struct, frozen=True, kw_only=True):
    """How many subjects in how many partitions; ``records``: file of a checkpoint's records.

    ``checkpoints_before`` lie before it in the log. ``broker``: where the state topic holds all
    this; absent: restore from memory.
    """

    subjects: int
    partitions: int
    records: str
    report: str
    checkpoints_before: int = 0
    broker: str | None = None


class RestoreReport(Struct, frozen=True, kw_only=True):
    """Time and CPU time of the process (s); the memory that the subjects take then (bytes)."""

    elapsed_s: float
    cpu_s: float
    memory: int


class Stopwatch:
    """Takes wall time, the process's CPU time and its memory from now on."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()
        self._memory = resident()

    def report(self) -> RestoreReport:
        """Give the figures."""
        return RestoreReport(
            elapsed_s=time.perf_counter() - self._began[0],
            cpu_s=time.process_time() - self._began[1],
            memory=resident() - self._memory,
        )


def new_pipeline(partitions: int, partition: int, epoch: int) -> PartitionPipeline:
    """Make the pipeline of a partition number."""
    place = partial(partition_of, partitions=partitions)
    config = PipelineConfig(partitions=partitions)
    return PartitionPipeline(
        partition, config, partition_of=place, cohort=load_cohort(), epoch=epoch
    )


def from_memory(task: RestoreTask) -> RestoreReport:
    """Restore partition after partition from records that are there."""
    logs = [[*log] for log in logs_of(task)]
    stopwatch = Stopwatch()
    pipelines, subjects = [], 0
    for partition, log in enumerate(logs):
        state = StateLog()
        for offset, record in enumerate(log):
            state.read(offset, record.key, record.value)
        pipeline = new_pipeline(task.partitions, partition, len(log))
        faults = [restored.fault for restored in recover(pipeline, state)]
        subjects += faults.count(None)
        pipelines.append(pipeline)
    report = stopwatch.report()
    require(task, subjects)
    return report


def logs_of(task: RestoreTask) -> Iterator[Iterator[StateRecord]]:
    """Give the log of each partition."""
    records = msgspec.msgpack.decode(Path(task.records).read_bytes(), type=list[StateRecord])
    for partition in range(task.partitions):
        users = users_of(task.subjects, partition, task.partitions)
        yield log_of(records, users, task.checkpoints_before)


async def from_broker(task: RestoreTask, address: str) -> RestoreReport:
    """Restore partition after partition as a worker does when it gets all of them."""
    async with Outbox(address) as outbox:
        custody = Custody(
            StateTopic(address, outbox),
            partial(new_pipeline, task.partitions),
            CheckpointPolicy(),
        )
        stopwatch = Stopwatch()
        pipelines = [await custody.restore(partition) for partition in range(task.partitions)]
        report = stopwatch.report()
    require(task, sum(pipeline.checkpoints.foreign_count for pipeline in pipelines))
    return report


def require(task: RestoreTask, subjects: int) -> None:
    """Hold a restore to all subjects."""
    if subjects != task.subjects:
        raise RuntimeError(f"{subjects} of {task.subjects} subjects were restored")


def main() -> None:
    """Do the task and write its report."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    task = msgspec.json.decode(sys.argv[1], type=RestoreTask)
    if task.broker is None:
        report = from_memory(task)
    else:
        report = asyncio.run(from_broker(task, task.broker))
    Path(task.report).write_bytes(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
