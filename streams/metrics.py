"""What a worker tells of itself: figures, and the same as metrics for Prometheus.

Labels are partition numbers and reasons, never a subject. Counts begin anew wherever a worker takes
a partition over, as Prometheus expects of a counter; what was read again after a crash is counted
again.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from msgspec import Struct
from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


class PartitionFigures(Struct, frozen=True, kw_only=True):
    """One partition number that a worker processes; ages in s.

    ``counts`` (names as in `streams.pipeline.COUNTS`) and ``checkpoint_bytes`` are of this owner
    alone. ``clock_age_s`` is infinite before the first tick; ``clock_skew_s`` is by how much the
    first of the topics leads the last. ``is_saved``: a checkpoint holds all that was processed.
    """

    partition: int
    counts: Mapping[str, int]
    quarantined_subjects: int
    lag_messages: int
    clock_age_s: float
    clock_skew_s: float
    checkpoint_age_s: float
    checkpoint_bytes: int
    is_saved: bool
    restore_s: float


class ProcessFigures(Struct, frozen=True, kw_only=True):
    """The app `process` of a worker.

    ``assigned`` are the partition numbers that its group gave it, None while partitions move;
    those in ``partitions`` are restored.
    """

    assigned: frozenset[int] | None
    partitions: Sequence[PartitionFigures]


class ResultFigures(Struct, frozen=True, kw_only=True):
    """The app `results` of a worker.

    ``lag_messages`` by partition number; ``write_age_s``: for how long the write under way has
    been tried, 0 when there is none.
    """

    assigned: frozenset[int] | None
    lag_messages: Mapping[int, int]
    retries: int
    write_age_s: float


class WorkerFigures(Struct, frozen=True, kw_only=True):
    """A worker at one moment; None for an app that it does not run.

    ``waits_for_broker``: it tries again to send what the broker does not take.
    """

    process: ProcessFigures | None
    results: ResultFigures | None
    waits_for_broker: bool = False


Tell = Callable[[], WorkerFigures]
"""Gives the figures of now; asked at each scrape, so it must be cheap."""

Labels = tuple[str, ...]

_COUNTERS = {
    "record_count": ("records", "Records taken in."),
    "late_count": ("late_records", "Records that came after their window had settled."),
    "absent_count": ("absent_records", "Records without a value, as vendors send for gaps."),
    "dead_letter_count": ("dead_letters", "Messages and records that could not be used."),
}
_REFUSED = {
    "not_enrolled_count": "not_enrolled",
    "no_consent_count": "no_consent",
    "quarantined_count": "quarantined",
}
_GAUGES = {
    "quarantined_subjects": ("quarantined_subjects", "Subjects of whom nothing is taken in."),
    "lag_messages": ("lag_messages", "Messages in the ingest logs still to be processed."),
    "clock_age_s": ("clock_age_seconds", "How far the in-band clock is behind the present."),
    "clock_skew_s": ("clock_skew_seconds", "By how much the first topic's clock leads the last."),
    "checkpoint_age_s": ("checkpoint_age_seconds", "Time since the last whole checkpoint."),
    "restore_s": ("restore_seconds", "How long restoring the state took at takeover."),
}


def code_version() -> str:
    """Version of Wakeline that runs."""
    try:
        return version("wakeline")
    except PackageNotFoundError:  # run from its sources without having been installed
        return "unreleased"


def registry_of(tell: Tell) -> CollectorRegistry:
    """Metrics of a worker and of its process, for an exposition."""
    registry = CollectorRegistry()
    registry.register(_WorkerCollector(tell))
    ProcessCollector(registry=registry)
    return registry


class _WorkerCollector(Collector):
    """Turns the figures of now into metrics."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry is told names without asking the worker, which may not be up."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        build = GaugeMetricFamily(
            "wakeline_build_info", "Always 1; the label says what runs.", labels=["version"]
        )
        build.add_metric([code_version()], 1.0)
        yield build
        figures = self._tell()
        if figures.process is not None:
            yield from _of_processing(figures.process.partitions)
        if figures.results is not None:
            yield from _of_results(figures.results)


def _of_processing(partitions: Sequence[PartitionFigures]) -> Iterator[Metric]:
    for source, (name, about) in _COUNTERS.items():
        yield _counter(name, about, {(str(p.partition),): p.counts[source] for p in partitions})
    refused: dict[Labels, float] = {
        (str(p.partition), reason): p.counts[source]
        for p in partitions
        for source, reason in _REFUSED.items()
    }
    about = "Records of subjects who are not enrolled, have not consented or are quarantined."
    yield _counter("refused_records", about, refused, ["partition", "reason"])
    written: dict[Labels, float] = {(str(p.partition),): p.checkpoint_bytes for p in partitions}
    yield _counter("checkpoint_written_bytes", "Bytes of state written.", written)
    for field, (name, about) in _GAUGES.items():
        yield _gauge(name, about, {str(p.partition): getattr(p, field) for p in partitions})


def _of_results(results: ResultFigures) -> Iterator[Metric]:
    lag = {str(partition): lag for partition, lag in results.lag_messages.items()}
    yield _gauge("results_lag_messages", "Outputs that are still to be stored.", lag)
    retries = CounterMetricFamily("wakeline_sink_retries", "Writes that had to be tried again.")
    retries.add_metric([], results.retries)
    yield retries
    wait = GaugeMetricFamily(
        "wakeline_sink_write_age_seconds", "For how long the write under way has been tried."
    )
    wait.add_metric([], results.write_age_s)
    yield wait


def _counter(
    name: str,
    about: str,
    values: Mapping[Labels, float],
    labels: Sequence[str] = ("partition",),
) -> Metric:
    family = CounterMetricFamily(f"wakeline_{name}", about, labels=labels)
    for place, value in values.items():
        family.add_metric(place, value)
    return family


def _gauge(name: str, about: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"wakeline_{name}", about, labels=["partition"])
    for partition, value in values.items():
        if value < math.inf:
            family.add_metric([partition], value)
    return family
