"""Data sets into a recording: registry first, then what arrived, with ticks all along.

Everybody is ENROLLED before their first record and PAUSED two hours after the last message of
all: that the data end there is the end of the data set and not somebody's silence.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from operator import attrgetter
from pathlib import Path

from msgspec import Struct

from connectors.importers.dataset import DataSet, Person, Upload, local_midnight_s
from connectors.pacing import HOUR_S, TickPace, Unplaced, paced
from connectors.recordings import RecordingWriter
from streams.errors import BadInput
from streams.events import (
    SCHEMA_OF_TYPE,
    TICK_KEY,
    TOPIC_OF_SCHEMA,
    Consent,
    Purpose,
    Record,
    Subject,
    SubjectStatus,
    encode_envelope,
)
from streams.partitioning import partition_of

REGISTRY_SOURCE = "registry"
"""Source of the `subjects` records that an importer writes."""

CONSENT_VERSION = "data-set"
"""Version of the consent that an importer writes: what the data set was published under."""

_PROGRESS_MESSAGES = 2_000


class ImportSummary(Struct, frozen=True, kw_only=True):
    """What an import wrote.

    ``records`` counts by type, ``left_out`` by reason; times are s UTC of ``timeReceived``.
    """

    people: int
    envelopes: int
    ticks: int
    records: dict[str, int]
    left_out: dict[str, int]
    first_time: float
    last_time: float
    notes: tuple[str, ...]


class Target(Struct, frozen=True, kw_only=True):
    """The recording to write: ``level`` of compression, the format's usual one if absent."""

    path: Path
    partitions: int = 4
    level: int | None = None


def write_recording(
    data_sets: Sequence[DataSet],
    target: Target,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ImportSummary:
    """Write data sets as one recording and say what was written.

    ``on_progress`` is called with the number of messages since the last call.

    Raises
    ------
    BadInput
        If the data sets hold no data, or the recording cannot be written.
    """
    flow = _Flow(data_sets, target.partitions)
    pace = TickPace(
        partitions=target.partitions, every_s=min(data.tick_every_s for data in data_sets)
    )
    messages = ticks = 0
    with RecordingWriter(target.path, level=target.level) as writer:
        for message in paced(flow, pace):
            writer.write(message)
            messages += 1
            ticks += message.key == TICK_KEY
            if messages % _PROGRESS_MESSAGES == 0:
                on_progress(_PROGRESS_MESSAGES)
    on_progress(messages % _PROGRESS_MESSAGES)
    return ImportSummary(
        people=sum(len(data.people) for data in data_sets),
        envelopes=messages - ticks,
        ticks=ticks,
        records=dict(sorted(flow.records.items())),
        left_out=dict(sorted(sum((data.left_out for data in data_sets), Counter()).items())),
        first_time=flow.first_time,
        last_time=flow.last_time,
        notes=tuple(note for data in data_sets for note in data.notes),
    )


class _Flow:
    """All messages but ticks, in order of ``timeReceived``; can be iterated once."""

    def __init__(self, data_sets: Sequence[DataSet], partitions: int) -> None:
        self.records: Counter[str] = Counter()
        self.first_time = self.last_time = 0.0
        self._data_sets = data_sets
        self._partitions = partitions
        self._people = sorted(
            (person for data in data_sets for person in data.people),
            key=lambda person: (_enrolled_s(person), person.user_id),
        )
        self._projects = {person.user_id: person.project_id for person in self._people}

    def __iter__(self) -> Iterator[Unplaced]:
        enrolments = (
            self._registered(person, SubjectStatus.ENROLLED, _enrolled_s(person))
            for person in self._people
        )
        uploads = merge(*(data.uploads for data in self._data_sets), key=_RECEIVED)
        yield from merge(enrolments, map(self._uploaded, uploads), key=_RECEIVED)
        if not self.last_time:
            raise BadInput("there are no data to import")
        for person in self._people:
            yield self._registered(person, SubjectStatus.PAUSED, self.last_time + 2 * HOUR_S)

    def _uploaded(self, upload: Upload) -> Unplaced:
        self.first_time = self.first_time or upload.time_received
        self.last_time = upload.time_received
        schema = SCHEMA_OF_TYPE[type(upload.records[0])]
        self.records[_name(schema)] += len(upload.records)
        return self._message(upload, schema, self._projects[upload.user_id])

    def _registered(self, person: Person, status: SubjectStatus, time: float) -> Unplaced:
        records: list[Record] = [_subject(person, status)]
        upload = Upload(time, person.user_id, REGISTRY_SOURCE, records)
        return self._message(upload, SCHEMA_OF_TYPE[Subject], person.project_id)

    def _message(self, upload: Upload, schema: str, project_id: str) -> Unplaced:
        value = encode_envelope(
            upload.records,
            schema,
            project_id=project_id,
            user_id=upload.user_id,
            source_id=upload.source_id,
            time_received=upload.time_received,
        )
        partition = partition_of(upload.user_id, self._partitions)
        key = upload.user_id.encode()
        return Unplaced(TOPIC_OF_SCHEMA[schema], partition, upload.time_received, key, value)


_RECEIVED = attrgetter("time_received")


def _enrolled_s(person: Person) -> float:
    return local_midnight_s(person.enrolled_on, person.time_zone)


def _subject(person: Person, status: SubjectStatus) -> Subject:
    terms = Consent(
        purposes=[Purpose.CARE, Purpose.RESEARCH, Purpose.AUDIT],
        from_=_enrolled_s(person),
        version=CONSENT_VERSION,
    )
    return Subject(
        user_id=person.user_id,
        project_id=person.project_id,
        care_team=person.care_team,
        time_zone=person.time_zone,
        status=status,
        sources=list(person.sources),
        consent={_name(SCHEMA_OF_TYPE[kind]): terms for kind in person.record_types},
        groups=person.groups,
    )


def _name(schema: str) -> str:
    """Record type of a schema, without its version."""
    return schema.partition("/")[0]
