"""Heart-rate samples a second of ``streams.replay`` on one core, through features and detectors.

A recording in memory of 1 Hz heart rate in envelopes of 60 records, with steps and ticks, replayed
until all is settled; results are dropped, so that no sink's speed is in the figure. Beside it,
decoding and validating the same messages alone: what no pipeline can be faster than.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence

from bench.recording import dense
from bench.results import Goal, Progress, Result
from connectors.base import Refuse
from connectors.recordings import RecordingMessage
from detectors.cohort import load_cohort
from streams.config import PipelineConfig
from streams.decoding import decode
from streams.events import Output
from streams.replay import replay

SUBJECTS = 16
HOURS = 36
SETTLE_H = 120
"""Hours of ticks after the last event: the local day ends and lateness passes."""
SAMPLES = SUBJECTS * HOURS * 3_600
ROUNDS = 3
GOAL = Goal(value_at_least=300_000.0)


class Discarded:
    """A sink that drops results and counts them."""

    def __init__(self) -> None:
        self.count = 0

    async def write(self, outputs: Sequence[Output]) -> None:
        """Count ``outputs``."""
        self.count += len(outputs)

    def refuse_to(self, refuse: Refuse) -> None:
        """Refuse nothing."""

    def figures(self) -> dict[str, float]:
        """Count nothing else."""
        return {}

    def forget(self) -> None:
        """Remember nothing in the first place."""

    async def close(self) -> None:
        """Do nothing."""


def run(progress: Progress) -> list[Result]:
    """Replay the recording several times; the median counts."""
    progress(f"making {SAMPLES:,} samples")
    messages = list(dense(SUBJECTS, HOURS, settle_h=SETTLE_H))
    replayed, decoded = [], []
    for _ in range(ROUNDS):
        decoded.append(SAMPLES / timed(lambda: decode_all(messages)))
        replayed.append(SAMPLES / timed(lambda: replay_all(messages)))
        progress(f"replay: {replayed[-1]:,.0f} samples/s, decoding alone {decoded[-1]:,.0f}")
    value = statistics.median(replayed)
    bound = statistics.median(decoded)
    return [
        Result(
            name="replay",
            value=value,
            unit="samples/s",
            peers={"decoding alone": bound},
            ratio=value / bound,
            goal=GOAL,
        )
    ]


def timed(action: Callable[[], None]) -> float:
    """Give the CPU time that an action takes (s): one thread, which waits for nothing."""
    started = time.process_time()
    action()
    return time.process_time() - started


def decode_all(messages: Sequence[RecordingMessage]) -> None:
    """Decode and validate every message."""
    for message in messages:
        decode(message.value)


def replay_all(messages: Sequence[RecordingMessage]) -> None:
    """Replay the messages and see that nothing was refused, and that results came of it."""
    sink = Discarded()
    config = PipelineConfig(partitions=1)
    summary = asyncio.run(replay(messages, sink, config=config, cohort=load_cohort()))
    records = summary.counts["record_count"]
    if records < SAMPLES or summary.counts.get("dead_letter_count", 0) or sink.count == 0:
        raise RuntimeError(f"the replay went wrong: {summary}")
