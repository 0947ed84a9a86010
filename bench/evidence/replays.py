"""LifeSnaps through the whole pipeline: settled rows, and every alert that was ever shown.

As the data set has it, and with made-up arrivals: nights that are half synced in the morning and
whole in the afternoon, and watches that are out of reach from Friday to Monday.
"""

import asyncio
import datetime as dt
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path

import msgspec
from msgspec import Struct

from connectors.base import Refuse
from connectors.importers import lifesnaps
from connectors.importers.dataset import Upload
from connectors.importers.writer import Target, write_recording
from connectors.recordings import read_recording
from detectors.cohort import Cohort
from detectors.terms import DATED_WINDOWS
from streams.config import DAY_S, HOUR_S, PipelineConfig
from streams.events import (
    Alert,
    AlertKind,
    FeatureRow,
    MoodCheckIn,
    Output,
    SleepSummary,
)
from streams.replay import replay

TICK_EVERY_S = 3.0 * HOUR_S
"""Sparse ticks change nothing that settles, and a replay is several times faster."""

HALF_SYNCED_H = 6
"""After how long the rest of a half-synced night arrives."""

_FRIDAY = 4

Arrivals = Callable[[Iterable[Upload]], Iterable[Upload]]


class Replayed(Struct):
    """What came of a replay: settled nights and days, and ids of clinical alerts by person."""

    rows: list[FeatureRow]
    shown: dict[str, set[str]]

    async def write(self, outputs: Sequence[Output]) -> None:
        """Take what the evidence is about."""
        for output in outputs:
            if isinstance(output, Alert) and output.kind is AlertKind.CLINICAL:
                self.shown.setdefault(output.user_id, set()).add(output.alert_id)
            elif (
                isinstance(output, FeatureRow) and output.settled and output.window in DATED_WINDOWS
            ):
                self.rows.append(output)

    def refuse_to(self, refuse: Refuse) -> None:
        """Nothing is refused."""

    def figures(self) -> dict[str, float]:
        """Nothing is counted."""
        return {}

    def forget(self) -> None:
        """Nothing is known beside what is kept."""

    async def close(self) -> None:
        """Nothing is open."""


def as_they_came(uploads: Iterable[Upload]) -> Iterable[Upload]:
    """Every day at eight o'clock of the next morning."""
    return uploads


def troubled(uploads: Iterable[Upload]) -> Iterable[Upload]:
    """Half-synced nights, and weekends out of reach."""
    moved = [part for upload in uploads for part in _parts(upload)]
    return sorted(moved, key=attrgetter("time_received"))


def _parts(upload: Upload) -> Iterator[Upload]:
    received = upload.time_received
    day = dt.datetime.fromtimestamp(received, dt.UTC).weekday()
    wait_days = (7 - day) % 7 if day > _FRIDAY else 0
    if wait_days:
        yield msgspec.structs.replace(upload, time_received=received + wait_days * DAY_S)
        return
    halves = [_half(record) for record in upload.records if isinstance(record, SleepSummary)]
    if halves:
        yield Upload(received, upload.user_id, upload.source_id, list(halves))
        received += HALF_SYNCED_H * HOUR_S
    yield msgspec.structs.replace(upload, time_received=received)


def _half(summary: SleepSummary) -> SleepSummary:
    names = ("asleep_duration", "awake_duration", "in_bed_duration")
    halves = {name: getattr(summary, name) for name in names}
    return msgspec.structs.replace(
        summary, **{name: value / 2.0 for name, value in halves.items() if value is not None}
    )


def replayed(
    folder: Path, cohort: Cohort, arrivals: Arrivals, people: Collection[str] | None = None
) -> Replayed:
    """Import some people, or all, and replay them with a cohort."""
    data = lifesnaps.load(folder, people=people)
    data = msgspec.structs.replace(data, uploads=arrivals(data.uploads), tick_every_s=TICK_EVERY_S)
    sink = Replayed([], {})
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch, "recording.jsonl")
        write_recording([data], Target(path=recording, partitions=1))
        config = PipelineConfig(partitions=1)
        asyncio.run(replay(read_recording(recording), sink, config=config, cohort=cohort))
    return sink


def moods(folder: Path) -> dict[str, dict[dt.date, bool]]:
    """By person and date of an answer, whether they called themselves sad, tense or anxious."""
    found: dict[str, dict[dt.date, bool]] = {}
    for upload in lifesnaps.load(folder).uploads:
        for record in upload.records:
            if isinstance(record, MoodCheckIn):
                date = dt.datetime.fromtimestamp(record.time, dt.UTC).date()
                is_low = bool(record.items.get("SAD") or record.items.get("TENSE/ANXIOUS"))
                found.setdefault(upload.user_id, {})[date] = is_low
    return found


def groups(folder: Path) -> dict[str, dict[str, str]]:
    """By person, what the registry says of them."""
    return {person.user_id: person.groups for person in lifesnaps.load(folder).people}
