"""The shell of engineers: recording to pipeline to sink, without Kafka and in no time of its own.

The same pure pipeline as in a worker runs here, so that a replay gives the same bytes.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct

from connectors.base import ResultSink
from connectors.recordings import RecordingMessage
from detectors.cohort import Cohort
from streams.config import PipelineConfig
from streams.errors import BadInput
from streams.events import INGEST_TOPICS, Output
from streams.partitioning import partition_of
from streams.pipeline import PartitionPipeline

BATCH_MESSAGES = 2_000
"""Messages of one topic-partition that are handed on together at most."""

OUTPUTS_MAX = 20_000
"""Outputs that are gathered before the sink writes them."""


class ReplaySummary(Struct, frozen=True):
    """What a replay did: messages read, outputs written, clock reached, counts by name."""

    messages: int
    outputs: int
    clock: float | None
    counts: dict[str, int]


async def replay(
    messages: Iterable[RecordingMessage],
    sink: ResultSink,
    *,
    config: PipelineConfig,
    cohort: Cohort,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ReplaySummary:
    """Run a recording through the pipelines of its partitions into a sink.

    Parameters
    ----------
    messages
        Messages of ingest topics, in the order of their logs per topic-partition.
    sink
        Where results go; written in batches.
    config, cohort
        What settled results are a function of, beside the messages.
    on_progress
        Called with the number of messages read since the last call.

    Raises
    ------
    BadInput
        When a message lies in a partition that the configuration does not have.
    """
    pipelines: dict[int, PartitionPipeline] = {}
    outputs: list[Output] = []
    message_count = output_count = 0
    for batch in _batches(messages):
        partition = batch[0].partition
        pipeline = pipelines.get(partition)
        if pipeline is None:
            pipeline = pipelines[partition] = _pipeline(partition, config, cohort)
        outputs += pipeline.process(batch[0].topic, batch)
        message_count += len(batch)
        on_progress(len(batch))
        if len(outputs) >= OUTPUTS_MAX:
            await sink.write(outputs)
            output_count += len(outputs)
            outputs = []
    if outputs:
        await sink.write(outputs)
    return _summary(pipelines, message_count, output_count + len(outputs))


def _pipeline(partition: int, config: PipelineConfig, cohort: Cohort) -> PartitionPipeline:
    if partition >= config.partitions:
        raise BadInput(
            f"the recording has a partition {partition}, and {config.partitions} partitions are "
            "configured: give the number of partitions it was written with"
        )
    place = partial(partition_of, partitions=config.partitions)
    return PartitionPipeline(partition, config, partition_of=place, cohort=cohort)


def _batches(messages: Iterable[RecordingMessage]) -> Iterable[Sequence[RecordingMessage]]:
    """Runs of messages of one topic-partition, in the order of the recording."""
    batch: list[RecordingMessage] = []
    for message in messages:
        if message.topic not in _INGEST:
            continue
        if batch and (
            message.partition != batch[0].partition
            or message.topic != batch[0].topic
            or len(batch) >= BATCH_MESSAGES
        ):
            yield batch
            batch = []
        batch.append(message)
    if batch:
        yield batch


_INGEST = frozenset(INGEST_TOPICS)


def _summary(pipelines: dict[int, PartitionPipeline], messages: int, outputs: int) -> ReplaySummary:
    counts: dict[str, int] = {}
    for pipeline in pipelines.values():
        for name, count in pipeline.counts.items():
            counts[name] = counts.get(name, 0) + count
    clocks = [pipeline.clock for pipeline in pipelines.values()]
    clock = min(clocks, default=None)
    return ReplaySummary(
        messages,
        outputs,
        clock if clock is not None and clock > float("-inf") else None,
        dict(sorted(counts.items())),
    )
