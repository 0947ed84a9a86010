"""What the state of a subject consists of, and what a subject is told by its partition."""

from collections.abc import Callable

from msgspec import Raw, Struct

from streams.cells import DayState
from streams.config import PipelineConfig
from streams.events import Operation, Subject
from streams.evidence import EvidenceState
from streams.listed import DayRecords
from streams.registry import Enrolment
from streams.windows import Frontier

EnrolmentAt = Callable[[float], Enrolment | None]
"""Due instant (s UTC) -> what the registry held of this subject at its first tick at or past it."""


class Terms(Struct, frozen=True):
    """What a subject is told by its partition: settings, the registry's history, where it is."""

    config: PipelineConfig
    registered: EnrolmentAt
    partition: int
    epoch: int


class SubjectHead(Struct, array_like=True):
    """State of one enrolment but for models, alerts and what is kept by day.

    ``dirty``: from when and from which date on rows have to follow, and whether sleep is new.
    """

    enrolled_s: float
    current: Subject
    frontier: Frontier
    sync_gaps_h: list[int]
    evidence: EvidenceState
    late_count: int
    early: list[int]
    shown_until_s: float
    dirty: tuple[float, int, bool]


class SubjectDay(Struct, array_like=True):
    """What a subject keeps of one day: cells, single records, and rows as last said (`Shown`)."""

    cells: DayState | None
    records: DayRecords
    rows: list[Raw]


def data_quality(
    subject: Subject, time: float, values: dict[str, float], *, where: tuple[int, int]
) -> Operation:
    """What was refused of a subject, and what several sources told at once (partition, epoch)."""
    partition, epoch = where
    return Operation(
        name="data_quality",
        partition=partition,
        time=time,
        values=values,
        user_id=subject.user_id,
        project_id=subject.project_id,
        epoch=epoch,
    )
