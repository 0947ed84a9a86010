"""What a contender is told, and what it reports, as JSON between two processes."""

from msgspec import Struct

from bench.job import Meter


class Task(Struct, frozen=True, kw_only=True):
    """Read ``messages`` from ``source``, produce results to ``output``; forget ``warm_up``.

    The whole worker has topics of its own, and knows by the clock ``end_s`` that it is done.
    """

    contender: str
    broker: str
    source: str
    output: str
    group: str
    messages: int
    warm_up: int
    directory: str
    report: str
    partitions: int = 4
    end_s: float = 0.0


class Report(Struct, frozen=True, kw_only=True):
    """Figures of a run after its warm-up; ``cpu_s`` is the contender's process alone."""

    contender: str
    messages: int
    elapsed_s: float
    cpu_s: float

    @property
    def messages_per_s(self) -> float:
        """Messages a second of wall time."""
        return self.messages / self.elapsed_s

    @property
    def messages_per_cpu_s(self) -> float:
        """Messages a second of the process's own CPU time: steadier on a busy machine."""
        return self.messages / self.cpu_s


def report_of(task: Task, meter: Meter) -> Report:
    """Give the report of a run whose last message has been processed."""
    return Report(
        contender=task.contender,
        messages=meter.messages - meter.warm_up,
        elapsed_s=meter.elapsed_s,
        cpu_s=meter.cpu_s,
    )
