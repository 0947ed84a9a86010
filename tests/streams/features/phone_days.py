"""Days of a subject for the tests of features: records merged into evidence, and their window."""

from collections.abc import Iterable, Sequence
from typing import Any

from streams.events import SCHEMA_OF_TYPE, DeviceStatus, Envelope, WindowKind
from streams.evidence import Evidence
from streams.features.base import Bounds, Window

DATE = 19_676
START_S = DATE * 86_400.0
"""15 November 2023, 00:00 UTC, where the subject lives."""

PHONE = (0, "phone")
SPARE = (1, "spare")


def send(evidence: Evidence, records: Sequence[Any], source: tuple[int, str] = PHONE) -> None:
    """Merge records of one type as one envelope."""
    envelope = Envelope(
        project_id="p",
        user_id="u1",
        source_id=source[1],
        time_received=START_S + 90_000.0,
        records=list(records),
    )
    evidence.add(SCHEMA_OF_TYPE[type(records[0])], envelope, source, 0.0)


def alive(hours: float, start_s: float = START_S) -> DeviceStatus:
    """A sign of life that holds for some hours."""
    return DeviceStatus(time=start_s, interval=hours * 3_600.0)


def day_of(evidence: Evidence) -> Window:
    """The window of the whole day."""
    start = DATE * 1_440
    return Window(Bounds(WindowKind.DAY, start, start + 1_440, DATE, "UTC"), evidence)


def evidence_of(records: Iterable[Any], source: tuple[int, str] = PHONE) -> Evidence:
    """Evidence of records that arrived one by one."""
    evidence = Evidence()
    for record in records:
        send(evidence, [record], source)
    return evidence
