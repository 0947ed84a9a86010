"""Memory a subject of the pipeline, with every channel in use and all of the lateness filled.

As in two workers of a group, the pipelines of all partitions take a recording hour by hour, in
processes of their own; what counts is the peak of a process's memory, less what it held before the
first event. Lists of results that live for a moment are in it, the recording is not: an hour is
made while it is read. So is what checkpoints keep in mind; one is taken every few hours, bit by bit
as a worker does. Everybody begins with the history of a month.
"""

import gc
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby

import msgspec
import psutil  # type: ignore[import-untyped]  # it has no py.typed
from msgspec import Struct

from bench import everything
from bench.histories import with_histories
from bench.results import Goal, Progress, Result
from connectors.recordings import RecordingMessage
from detectors.cohort import load_cohort
from streams.config import PipelineConfig
from streams.custody import SUBJECTS_AT_ONCE
from streams.partitioning import partition_of
from streams.pipeline import PartitionPipeline
from streams.recovery import recover
from streams.state_log import StateLog, StateRecord, fence_key

SUBJECTS = 2_000
PARTITIONS = 8
PROCESSES = 2
HOURS = 114
"""A day's grid is freed when the day settles, up to 111 h after its beginning."""
CHECKPOINT_EVERY = 6
"""Parts of the recording, hours or ticks, after which one is taken."""
WARM_UP_SUBJECTS = 8
GOAL = Goal(value_at_most=208.0)
KIB = 1_024
BATCH_MESSAGES = 200
"""Messages that are handed to a pipeline together, as from a fetch."""
_PROCESS = psutil.Process()
TIMEOUT_S = 1_800.0


Batch = tuple[str, int, list[RecordingMessage]]
"""Topic, partition and consecutive messages."""


class Figures(Struct, frozen=True):
    """Memory of the process before the subjects and at its peak (bytes); records taken in."""

    before: int
    peak: int
    records: int


def run(progress: Progress) -> list[Result]:
    """Measure in fresh processes, side by side."""
    progress(f"memory: {SUBJECTS:,} subjects for {HOURS} hours, takes minutes")
    command = [sys.executable, "-m", "bench.memory"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    try:
        said = [process.communicate(timeout=TIMEOUT_S)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    figures = [msgspec.json.decode(text, type=Figures) for text in said]
    held = sum(figure.peak - figure.before for figure in figures)
    per_subject = held / SUBJECTS / KIB
    records = sum(figure.records for figure in figures)
    progress(f"memory: {per_subject:,.1f} KiB a subject, {records:,} records")
    return [Result(name="memory", value=per_subject, unit="KiB/subject", goal=GOAL)]


def measure(subjects: int, hours: int) -> Figures:
    """Run the pipelines and watch the process's memory."""
    # Caches of code, zones and libraries fill before the first reading.
    feed(WARM_UP_SUBJECTS, hours, [])
    gc.collect()
    before = resident()
    readings: list[int] = []
    records = feed(subjects, hours, readings)
    return Figures(before, max(readings), records)


def feed(subjects: int, hours: int, readings: list[int]) -> int:
    """Feed fresh pipelines; add a reading per batch; give how many records they took."""
    config = PipelineConfig(partitions=PARTITIONS)
    place = partial(partition_of, partitions=PARTITIONS)
    cohort = load_cohort()
    fresh = [
        partial(PartitionPipeline, number, config, partition_of=place, cohort=cohort)
        for number in range(PARTITIONS)
    ]
    pipelines = [pipeline() for pipeline in fresh]
    recording = everything.hours(subjects, hours, partitions=PARTITIONS, partition_of=place)
    for number, hour in enumerate(recording):
        for topic, partition, batch in batches(hour):
            outputs = pipelines[partition].process(topic, batch)
            if len(outputs) > BATCH_MESSAGES:
                # Read while the results are held: a tick gives those of many subjects at once.
                readings.append(resident())
            del outputs
        if number == 0:
            # All are enrolled, and nothing else has happened.
            pipelines = [
                grown(pipeline, new()) for pipeline, new in zip(pipelines, fresh, strict=True)
            ]
        elif number % CHECKPOINT_EVERY == 0:
            for pipeline in pipelines:
                checkpoint(pipeline)
        readings.append(resident())
    if any(pipeline.counts["dead_letter_count"] for pipeline in pipelines):
        raise RuntimeError("the recording was refused in part")
    return sum(pipeline.counts["record_count"] for pipeline in pipelines)


def grown(pipeline: PartitionPipeline, fresh: PartitionPipeline) -> PartitionPipeline:
    """Take a pipeline over into a fresh one, every subject with the history of a month."""
    log = StateLog()
    for offset, record in enumerate(
        [StateRecord(fence_key("owner"), b""), *with_histories(checkpoint(pipeline))]
    ):
        log.read(offset, record.key, record.value)
    if any(restored.fault for restored in recover(fresh, log)):
        raise RuntimeError("a subject could not be taken over")
    return fresh


def checkpoint(pipeline: PartitionPipeline) -> list[StateRecord]:
    """Take a checkpoint as a worker does; give its records, the one that seals it last."""
    checkpoints = pipeline.checkpoints
    checkpoints.begin(pipeline.head())
    records = checkpoints.take(0)
    while not checkpoints.is_complete:
        records += checkpoints.take(SUBJECTS_AT_ONCE)
    records.append(checkpoints.seal())
    checkpoints.committed()
    return records


def batches(messages: Iterable[RecordingMessage]) -> Iterator[Batch]:
    """Give runs of messages of one topic-partition."""
    for (topic, partition), run_ in groupby(messages, lambda m: (m.topic, m.partition)):
        batch = list(run_)
        for start in range(0, len(batch), BATCH_MESSAGES):
            yield topic, partition, batch[start : start + BATCH_MESSAGES]


def resident() -> int:
    """Give the memory that the process holds (bytes)."""
    return int(_PROCESS.memory_info().rss)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure(SUBJECTS // PROCESSES, HOURS)))
