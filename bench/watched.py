"""The product's own pipelines, which tell a watch how far they are."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol, Self

from detectors.cohort import load_cohort
from streams.config import PipelineConfig
from streams.custody import NewPipeline
from streams.events import Output
from streams.gate import LogRecord
from streams.partitioning import partition_of
from streams.pipeline import PartitionPipeline


class Watching(Protocol):
    """What is told of the pipelines."""

    def start(self) -> None:
        """Messages come."""

    def look(self, partition: int, clock: float) -> None:
        """A partition's clock (s UTC) has come so far."""


class Watched(PartitionPipeline):
    """The product's pipeline of one partition, under a watch."""

    def under(self, watch: Watching) -> Self:
        """Put it under a watch."""
        self._watch = watch
        return self

    def process(self, topic: str, records: Sequence[LogRecord]) -> list[Output]:
        """Take records of one topic."""
        self._watch.start()
        return super().process(topic, records)

    @property
    def blocked(self) -> frozenset[str]:
        """Topics to pause; the agent asks once all outputs are acknowledged."""
        self._watch.look(self.partition, self.clock)
        return super().blocked


def watched_pipelines(watch: Watching, config: PipelineConfig) -> NewPipeline:
    """Give what makes the product's own pipelines, each under a watch."""
    place = partial(partition_of, partitions=config.partitions)
    cohort = load_cohort()
    return lambda partition, epoch: Watched(
        partition, config, partition_of=place, cohort=cohort, epoch=epoch
    ).under(watch)
