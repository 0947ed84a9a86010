"""Memory a subject of the pipeline, with every channel in use and all of the lateness filled.

In a process of its own, the pipelines of all partitions take a recording hour by hour; what counts
is the peak of the process's memory over the days in which the grid is full, less what it held
before the first event. Transient lists of results are in it, the recording is not: an hour is made
while it is read.
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
from streams.partitioning import partition_of

from bench import everything
from bench.recording import Message
from bench.results import Goal, Progress, Result
from detectors.cohort import load_cohort
from streams.config import PipelineConfig
from streams.pipeline import PartitionPipeline

SUBJECTS = 2_000
PARTITIONS = 4
HOURS = 132
"""A day's grid is freed when the day settles, up to 111 h after its beginning."""
WARM_UP_SUBJECTS = 8
GOAL = Goal(at_most=208.0)
KIB = 1_024
BATCH = 200
"""Messages that are handed to a pipeline together, as from a fetch."""
_PROCESS = psutil.Process()
TIMEOUT_S = 1_800.0


class Figures(Struct, frozen=True):
    """Memory of the process before the subjects and at its peak (bytes); records taken in."""

    before: int
    peak: int
    records: int


def run(progress: Progress) -> list[Result]:
    """Measure in a fresh process."""
    progress(f"{SUBJECTS:,} subjects for {HOURS} hours, takes minutes")
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory"],
        check=True,
        stdout=subprocess.PIPE,
        timeout=TIMEOUT_S,
    )
    figures = msgspec.json.decode(done.stdout, type=Figures)
    per_subject = (figures.peak - figures.before) / SUBJECTS / KIB
    progress(f"memory: {per_subject:,.1f} KiB a subject, {figures.records:,} records")
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
    pipelines = [
        PartitionPipeline(number, config, partition_of=place, cohort=cohort)
        for number in range(PARTITIONS)
    ]
    for hour in everything.hours(subjects, hours, partitions=PARTITIONS, partition_of=place):
        for topic, partition, batch in batches(hour):
            outputs = pipelines[partition].process(topic, batch)
            if len(outputs) > BATCH:
                # Read while the results are held: a tick gives those of many subjects at once.
                readings.append(resident())
            del outputs
        readings.append(resident())
    if any(pipeline.counts["dead_letters"] for pipeline in pipelines):
        raise RuntimeError("the recording was refused in part")
    return sum(pipeline.counts["records"] for pipeline in pipelines)


def batches(messages: Iterable[Message]) -> Iterator[tuple[str, int, list[Message]]]:
    """Give runs of messages of one topic-partition."""
    for (topic, partition), run_ in groupby(messages, lambda m: (m.topic, m.partition)):
        batch = list(run_)
        for start in range(0, len(batch), BATCH):
            yield topic, partition, batch[start : start + BATCH]


def resident() -> int:
    """Give the memory that the process holds (bytes)."""
    return int(_PROCESS.memory_info().rss)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure(SUBJECTS, HOURS)))
