"""The windows of one subject in the order in which they settle.

Hours are aligned to UTC; nights and days are keyed by the local date and follow one another without
a gap, each beginning where the one before ended.
"""

from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from detectors.terms import DATED_WINDOWS
from streams.config import PipelineConfig
from streams.events import Subject, WindowKind, local_time_minutes
from streams.evidence import Evidence
from streams.features.base import DAY_MIN, Bounds
from streams.localtime import date_end_s, first_reached
from streams.timeline import stretched

HOUR_ROWS_DAYS = 7
"""Days after the last hour with data for which silent hours still have rows."""

ORDER = {kind: place for place, kind in enumerate(WindowKind)}
"""Kinds of window in the order in which those with the same end settle."""

_minutes_of = lru_cache(maxsize=64)(local_time_minutes)
_ABSENT = -(10**12)
_WESTERNMOST_MIN = 720


class Frontier(Struct):
    """What has settled: the next hour, and the next date of a kind with the minute it begins.

    None while nothing of that kind has settled, for earlier data may still come.
    """

    hour: int | None = None
    night: tuple[int, int] | None = None
    day: tuple[int, int] | None = None


def settling_order(bounds: Bounds, due_s: float) -> tuple[float, int, int]:
    """Key by which windows settle: due instant, then end, then kind."""
    return due_s, bounds.stop, ORDER[bounds.kind]


def due_s(bounds: Bounds, lateness_s: float) -> float:
    """When a window settles (s UTC): its end, or its date's end on all of Earth, + lateness."""
    if bounds.kind in DATED_WINDOWS:
        return date_end_s(bounds.date) + lateness_s
    return bounds.stop * 60.0 + lateness_s


class Windows:
    """Finds the bounds of a subject's windows from what the evidence tells so far."""

    __slots__ = ("_enrolled_minute", "_evidence", "frontier")

    def __init__(
        self, evidence: Evidence, enrolled_s: float, frontier: Frontier | None = None
    ) -> None:
        self.frontier = Frontier() if frontier is None else frontier
        self._evidence = evidence
        self._enrolled_minute = int(enrolled_s // 60)

    def next_hour(self, hour: int | None, subject: Subject) -> Bounds | None:
        """The first hour at or after ``hour`` that has a row; None when none is in sight.

        Hours with data have one, and silent ones for a week after the last data of any minute.
        """
        active = self._evidence.active_hours
        if hour is None:
            hour = active.first()
        else:
            last = active.last_before(hour + 1)
            if last is None or hour - last > HOUR_ROWS_DAYS * 24:
                hour = active.first_from(hour)
        return None if hour is None else self.hour(hour, subject)

    def hour(self, hour: int, subject: Subject) -> Bounds:
        """The window of an hour (since the epoch)."""
        zone = subject.time_zone
        start, stop = hour * 60, hour * 60 + 60
        date = (start + self._evidence.offsets.at(stop, zone)) // 1_440
        return Bounds(WindowKind.HOUR, start, stop, date, zone)

    def unsettled_hours(self, stop: int) -> tuple[int, int]:
        """Unsettled hours before ``stop`` that have a row, as `next_hour` finds them one by one.

        The first hour that may have one, and bits from it on.
        """
        active = self._evidence.active_hours
        settled = self.frontier.hour
        first = active.first() if settled is None else settled
        if first is None or first >= stop:
            return stop, 0
        silent = HOUR_ROWS_DAYS * 24
        told = active.between(first - silent, stop)
        return first, (stretched(told, silent + 1) >> silent) & ((1 << (stop - first)) - 1)

    def first_date(self, kind: WindowKind) -> int:
        """Date of the first unsettled night or day (days since the epoch)."""
        settled = self.frontier.night if kind is WindowKind.NIGHT else self.frontier.day
        return self._earliest_date() if settled is None else settled[0]

    def next_of_date(self, kind: WindowKind, subject: Subject) -> Bounds:
        """The first unsettled night or day."""
        settled = self.frontier.night if kind is WindowKind.NIGHT else self.frontier.day
        if settled is None:
            date = self._earliest_date()
            before = self.of_date(kind, date - 1, _ABSENT, subject)
            settled = date, before.stop
        return self.of_date(kind, *settled, subject)

    def of_date(self, kind: WindowKind, date: int, start: int, subject: Subject) -> Bounds:
        """The night or day of a date that begins at minute ``start``."""
        return next(self._dates_from(kind, date, start, subject))

    def dates(self, kind: WindowKind, subject: Subject) -> Iterator[Bounds]:
        """The unsettled nights or days, without an end."""
        first = self.next_of_date(kind, subject)
        yield first
        yield from self._dates_from(kind, first.date + 1, first.stop, subject)

    def _dates_from(
        self, kind: WindowKind, date: int, start: int, subject: Subject
    ) -> Iterator[Bounds]:
        clock = _minutes_of(subject.day_start) if kind is WindowKind.NIGHT else DAY_MIN
        log, zone = self._evidence.offsets, subject.time_zone
        while True:
            stop = first_reached(date, clock, not_before=start, log=log, zone=zone)
            yield Bounds(kind, start, stop, date, zone)
            date, start = date + 1, stop

    def next_instant(
        self, clock: float, config: PipelineConfig, subject: Subject, ending: int
    ) -> float:
        """The next instant after ``clock`` (s UTC) at which a window may be said or settles.

        ``ending``: where the first night or day ends (minutes since the epoch) that has not ended.
        """
        grace, lateness_s = config.grace_s, config.lateness_s
        instants = [ending * 60.0 + grace]
        hour = self.next_hour(int((clock - grace) // 3_600), subject)
        if hour is not None:
            instants.append(hour.stop * 60.0 + grace)
        hour = self.next_hour(self.frontier.hour, subject)
        if hour is not None:
            instants.append(due_s(hour, lateness_s))
        dates = map(self.first_date, DATED_WINDOWS)
        instants += [date_end_s(date) + lateness_s for date in dates]
        return min(instant for instant in instants if instant > clock)

    def settle(self, bounds: Bounds) -> None:
        """Move the frontier past a window that has settled."""
        if bounds.kind is WindowKind.HOUR:
            self.frontier.hour = bounds.stop // 60
            return
        if bounds.kind is WindowKind.NIGHT:
            self.frontier.night = bounds.date + 1, bounds.stop
        else:
            self.frontier.day = bounds.date + 1, bounds.stop

    def has_row(self, bounds: Bounds) -> bool:
        """Whether a night or day has a row: since enrolment, and before it where data lie.

        A day that a flight skips has no minute and no row.
        """
        if bounds.stop <= bounds.start:
            return False
        if bounds.stop > self._enrolled_minute:
            return True
        evidence = self._evidence
        hours = evidence.heard_hours.between(bounds.start // 60, bounds.stop // 60)
        return bool(hours or evidence.active_dates.between(bounds.date, bounds.date + 1))

    def oldest_minute(self) -> int | None:
        """The first minute that an unsettled window may read, None before anything settled."""
        front = self.frontier
        if front.night is None or front.day is None:
            return None
        return min(front.night[1], front.day[1])

    def silence_h(self, bounds: Bounds) -> float:
        """Hours from the last data of any kind before the window's end to that end."""
        evidence = self._evidence
        # Whole hours only: part of one may hold what was timed after the window's end.
        last = evidence.heard_hours.last_before(bounds.stop // 60)
        ends = [self._enrolled_minute, evidence.last_heard_s / 60.0]
        if last is not None:
            ends.append((last + 1) * 60)
        if bounds.kind is not WindowKind.HOUR:
            date = evidence.active_dates.last_before(bounds.date + 1)
            if date is not None:
                ends.append(bounds.stop - (bounds.date - date) * 1_440)
        return max(bounds.stop - max(ends), 0.0) / 60.0

    def _earliest_date(self) -> int:
        """A date no later than the first night and day with a row, whatever the time zone.

        Dates before the enrolment that hold no data have no row, so it does no harm to begin
        early; and nothing that may still change, such as the zone, shows in the choice.
        """
        evidence = self._evidence
        hour = evidence.heard_hours.first()
        first = min(self._enrolled_minute, self._enrolled_minute if hour is None else hour * 60)
        date = (first - _WESTERNMOST_MIN) // 1_440
        dated = evidence.active_dates.first()
        return date if dated is None else min(date, dated)
