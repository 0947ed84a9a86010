"""What a person's data hold that a change has to know of before any record is changed."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from streams.events import (
    Dated,
    Envelope,
    HeartRateVariability,
    InteractionState,
    PhoneCall,
    PhoneInteraction,
    PhoneMessage,
    Record,
    SleepEpisode,
    SleepStage,
    Subject,
    Timed,
    local_time_minutes,
)
from streams.evidence import interval_end_s
from streams.localtime import date_index, zone_offset_min
from streams.planting.changes import SIGNALS, Signal

DAY_MIN = 1_440

SourceId = str


class Clock(Struct, frozen=True):
    """How a person's instants become dates: their zone, and where their nights begin (min)."""

    zone: str = "UTC"
    day_start_min: int = 720

    @classmethod
    def of(cls, subject: Subject) -> "Clock":
        """The clock that the registry gives a subject."""
        return cls(subject.time_zone, local_time_minutes(subject.day_start))

    def date(self, time_s: float, utc_offset: int | None) -> int:
        """Local date (days since the epoch) of an instant; ``utc_offset`` (s) of its envelope."""
        return self._local_min(time_s, utc_offset) // DAY_MIN

    def night(self, end_s: float, utc_offset: int | None) -> int:
        """Date of the night to which a sleep that ends then belongs (days since the epoch)."""
        # A night holds its last instant and not its first, hence the microsecond.
        local = self._local_min(end_s - 1e-6, utc_offset)
        return (local + DAY_MIN - self.day_start_min) // DAY_MIN

    def _local_min(self, time_s: float, utc_offset: int | None) -> int:
        minute = int(time_s // 60)
        if utc_offset is not None:
            return minute + utc_offset // 60
        return minute + zone_offset_min(self.zone, minute // 15)


class Transition(Struct, frozen=True, order=True):
    """A change of a phone's screen or lock, and its local date."""

    time: float
    state: InteractionState
    date: int


class Material:
    """What one person's recording holds, gathered envelope by envelope in any order.

    ``dates`` gives per signal the dates (days since the epoch) that have a record of it, a sleep
    by its night. Of phones every transition, call and message is kept, of sleep every record.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.dates: dict[Signal, set[int]] = defaultdict(set)
        self.episodes: dict[SourceId, list[tuple[int, SleepEpisode]]] = defaultdict(list)
        self.stages: dict[SourceId, list[tuple[int, SleepStage]]] = defaultdict(list)
        self.transitions: dict[SourceId, list[Transition]] = defaultdict(list)
        self.contacts: dict[tuple[SourceId, type[Record]], list[tuple[float, int]]] = defaultdict(
            list
        )

    def add(self, schema: str, envelope: Envelope) -> None:
        """Take in the records of an envelope of this person."""
        for record in envelope.records:
            date = date_of(record, self.clock, envelope.utc_offset)
            if date is None:
                continue
            for signal in _signals(schema, record):
                self.dates[signal].add(date)
            self._keep(record, date, envelope.source_id)

    def _keep(self, record: Record, date: int, source: SourceId) -> None:
        match record:
            case SleepEpisode():
                self.episodes[source].append((date, record))
            case SleepStage():
                self.stages[source].append((date, record))
            case PhoneInteraction():
                transition = Transition(record.time, record.interaction_state, date)
                self.transitions[source].append(transition)
            case PhoneCall() | PhoneMessage():
                self.contacts[source, type(record)].append((record.time, date))
            case _:
                pass

    def valid_dates(self, signals: Iterable[Signal]) -> set[int]:
        """Dates that have at least half of those of ``signals`` that this person has at all."""
        own = [self.dates[signal] for signal in signals if self.dates.get(signal)]
        counts: dict[int, int] = defaultdict(int)
        for dates in own:
            for date in dates:
                counts[date] += 1
        return {date for date, count in counts.items() if 2 * count >= len(own)}


def date_of(record: Record, clock: Clock, utc_offset: int | None) -> int | None:
    """Date (days since the epoch) to which a record belongs, a sleep to that of its night."""
    match record:
        case Dated():
            return date_index(record.date)
        case SleepEpisode() | SleepStage():
            return clock.night(interval_end_s(record), utc_offset)
        case HeartRateVariability(date=None, time=float(time)):
            return clock.date(time, utc_offset)
        case HeartRateVariability(date=date) if date is not None:
            return date_index(date)
        case Timed():
            return clock.date(record.time, utc_offset)
        case _:
            return None


def _signals(schema: str, record: Record) -> frozenset[Signal]:
    if isinstance(record, HeartRateVariability) and record.rmssd is None:
        return frozenset()  # SDNN is another quantity, and no change touches it
    return SIGNALS.get(schema, frozenset())
