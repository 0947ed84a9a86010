"""What the science costs a subject: rows, features, history, detection, and how much it remembers.

Subjects with every channel in use and models of months live through a day whose lateness is filled,
with a tick every hour as while data come in at once. What a tick causes is the science: messages of
events are decoded and fill the grid, and wait for it. So its time is the CPU time of ticks, settled
and provisional views included. Rows are also scored and judged one by one, for the slowest of them;
and models, policy and history alone are restored many times, for their memory.
"""

import gc
import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
import numpy as np
from msgspec import Struct

from bench import everything
from bench.histories import VARIANTS, history_of, models_of, settled_rows
from bench.memory import HOURS, KIB, batches, grown, resident
from bench.results import Goal, Progress, Result
from detectors.cohort import load_cohort
from detectors.config import DetectionConfig
from detectors.policy import Policy, PolicyState, RowContext
from streams.agents import ease_collector
from streams.config import PipelineConfig
from streams.detection import Detection
from streams.detection_state import DetectionState
from streams.events import TICK_KEY, FeatureRow
from streams.history import History, HistoryState
from streams.pipeline import PartitionPipeline
from streams.unsettled import UnsettledRow

SUBJECTS = 16
DAY_H = 24
ROW_DAYS = 84
ROW_PERCENTILE = 99.0
UNSETTLED_DAYS = 4
"""Days whose rows are looked at again and again before they settle."""
RESTORED = 512
TIME_GOAL = Goal(value_at_most=25.0)
ROW_GOAL = Goal(value_at_most=1.0)
MEMORY_GOAL = Goal(value_at_most=32.0)
TIMEOUT_S = 1_800.0


class Figures(Struct, frozen=True):
    """Milliseconds a subject-day and of a slow row; KiB a subject."""

    day_ms: float
    row_ms: float
    memory_kib: float


def run(progress: Progress) -> list[Result]:
    """Measure each figure in a fresh process, for nothing that was freed must lie between."""
    progress(f"science: {SUBJECTS} subjects for {HOURS + DAY_H} hours")
    figures = Figures(*(_measured(name) for name in _MEASURES))
    progress(
        f"science: {figures.day_ms:.1f} ms a subject-day, {figures.row_ms:.2f} ms a slow row, "
        f"{figures.memory_kib:.1f} KiB a subject"
    )
    return [
        Result(name="science", value=figures.day_ms, unit="ms/subject-day", goal=TIME_GOAL),
        Result(name="science, slow row", value=figures.row_ms, unit="ms/row", goal=ROW_GOAL),
        Result(
            name="science, memory",
            value=figures.memory_kib,
            unit="KiB/subject",
            goal=MEMORY_GOAL,
        ),
    ]


def _measured(name: str) -> float:
    command = [sys.executable, "-m", "bench.science", name]
    return float(subprocess.run(command, check=True, timeout=TIMEOUT_S, capture_output=True).stdout)


def day_ms(subjects: int) -> float:
    """Give the CPU time of a day's ticks a subject (ms), after ``HOURS`` that fill the lateness."""
    pipeline = _pipeline()
    recording = everything.hours(
        subjects,
        HOURS + DAY_H,
        partitions=1,
        partition_of=lambda _: 0,
        ticks_every_h=lambda left: 1 if left <= DAY_H else everything.often_at_last(left - DAY_H),
    )
    taken_s = 0.0
    hour = -1
    for number, messages in enumerate(recording):
        is_enrolment, is_tick = number == 0, False
        for topic, _, batch in batches(messages):
            is_tick = batch[0].key == TICK_KEY
            started_s = time.process_time()
            pipeline.process(topic, batch)
            if is_tick and hour >= HOURS:
                taken_s += time.process_time() - started_s
        hour += not is_tick
        if is_enrolment:
            pipeline = grown(pipeline, _pipeline())
    if pipeline.counts["dead_letter_count"] or pipeline.quarantined:
        raise RuntimeError("the recording was refused in part")
    return taken_s / subjects * 1e3


def slow_row_ms() -> float:
    """Give the time (ms) within which all but the slowest rows are scored and judged."""
    config, cohort = DetectionConfig(), load_cohort()
    policy = Policy(config, cohort)
    taken_s = []
    for seed in range(VARIANTS):
        models, state = models_of(seed), PolicyState()
        for row in _later_rows(seed, ROW_DAYS):
            context = RowContext(detected_at=row.end)
            started_s = time.process_time()
            policy.step(state, row, models.score(row, state.offset), context)
            taken_s.append(time.process_time() - started_s)
            models.learn(row)
    return float(np.percentile(taken_s, ROW_PERCENTILE)) * 1e3


def memory_kib() -> float:
    """Give what models, policy and history take a subject (KiB), unsettled days in view."""
    config = DetectionConfig()
    packed = [_packed(seed) for seed in range(VARIANTS)]
    rows = [list(_later_rows(seed, UNSETTLED_DAYS)) for seed in range(VARIANTS)]
    first = _restored(packed[0], rows[0], config)
    gc.collect()
    before = resident()
    variants = [number % VARIANTS for number in range(RESTORED)]
    held = [first, *(_restored(packed[variant], rows[variant], config) for variant in variants)]
    gc.collect()
    return (resident() - before) / (len(held) - 1) / KIB


def _packed(seed: int) -> tuple[bytes, bytes]:
    """Encode what is known of a person after months."""
    detection = Detection(DetectionConfig(), load_cohort()).to_state()
    detection.models = models_of(seed).to_state()
    encode = msgspec.msgpack.encode
    return encode(detection), encode(history_of(seed).to_state())


def _restored(
    packed: tuple[bytes, bytes], rows: list[FeatureRow], config: DetectionConfig
) -> tuple[Detection, History]:
    """Restore it, and have it look at unsettled rows."""
    detection = Detection.from_state(
        msgspec.msgpack.decode(packed[0], type=DetectionState), config, load_cohort()
    )
    unsettled = [UnsettledRow(row, row.end, is_news=False) for row in rows]
    detection.view(unsettled, rows[-1].end, is_revised=False)
    history = History.from_state(msgspec.msgpack.decode(packed[1], type=HistoryState))
    return detection, history


def _later_rows(seed: int, days: int) -> Iterator[FeatureRow]:
    """Give the rows of days after those that models learned."""
    return settled_rows(VARIANTS + seed, load_cohort(), range(days))


def _pipeline() -> PartitionPipeline:
    config = PipelineConfig(partitions=1)
    return PartitionPipeline(0, config, partition_of=lambda _: 0, cohort=load_cohort())


def _days_ms() -> float:
    ease_collector()  # as a worker does
    return day_ms(SUBJECTS)


_MEASURES = {"day": _days_ms, "row": slow_row_ms, "memory": memory_kib}


if __name__ == "__main__":
    print(_MEASURES[sys.argv[1]]())
