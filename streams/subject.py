"""One subject: takes in evidence, shows provisional rows, settles them in order, runs detection.

A subject's results depend on nothing but its own records, the registry and the clock, so that
subjects can be processed in any order and on any number of workers.
"""

import math
from collections.abc import Container, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Self

import msgspec

from detectors.terms import DATED_WINDOWS
from streams.detection import Detection
from streams.events import Envelope, FeatureRow, Output, Subject, WindowKind
from streams.evidence import Added, Evidence
from streams.features.base import DATED_OF_NIGHT, Bounds, Values, Window
from streams.features.sleep import sleeps
from streams.history import History
from streams.listed import Source
from streams.registry import Enrolment
from streams.rows import (
    Shown,
    ShownRows,
    SyncGaps,
    compute_shown,
    feature_row,
    minute_rows,
    rows_of_minutes,
)
from streams.subject_parts import SubjectDay, SubjectHead, Terms, data_quality
from streams.timeline import places_of
from streams.unsettled import Said, UnsettledRow
from streams.windows import ORDER, Windows, due_s, settling_order

_NEVER = 10**9


class SubjectState:
    """State of one enrolment of one subject."""

    __slots__ = (
        "_config",
        "_dirty_date",
        "_dirty_from_s",
        "_dirty_night",
        "_early",
        "_ending",
        "_enrolled_s",
        "_epoch",
        "_gaps",
        "_has_new_sleep",
        "_partition",
        "_registered",
        "_restored_until_s",
        "_shown",
        "_shown_until_s",
        "_windows",
        "current",
        "detection",
        "evidence",
        "history",
        "late_count",
        "user_id",
    )

    def __init__(
        self,
        subject: Subject,
        enrolled_s: float,
        detection: Detection,
        terms: Terms,
    ) -> None:
        self.user_id = subject.user_id
        self.current = subject
        self.detection = detection
        self.evidence = Evidence()
        self._config = terms.config
        self._epoch = terms.epoch
        self._partition = terms.partition
        self.late_count = 0
        self._registered = terms.registered
        self._enrolled_s = enrolled_s
        self._windows = Windows(self.evidence, enrolled_s)
        self._gaps = SyncGaps()
        self.history = History()
        self._shown = ShownRows()
        self._early: set[int] = set()
        self._ending = _NEVER
        self._shown_until_s = -math.inf
        # Rows up to here may have been said by another release, which computes otherwise.
        self._restored_until_s = -math.inf
        self._dirty_from_s = math.inf
        self._dirty_date = self._dirty_night = _NEVER
        self._has_new_sleep = False

    def head(self) -> SubjectHead:
        """All of the state but models, alerts, history and what is kept by day."""
        return SubjectHead(
            self._enrolled_s,
            self.current,
            self._windows.frontier,
            self._gaps.hours,
            self.evidence.to_state(),
            self.late_count,
            sorted(self._early),
            self._shown_until_s,
            (self._dirty_from_s, self._dirty_date, self._has_new_sleep),
        )

    def days(self) -> set[int]:
        """Days (since the epoch) of which anything is kept."""
        return self.evidence.grid.days() | self.evidence.listed.days() | self._shown.days()

    def sign_of(self, day: int) -> int:
        """A number that differs, within this process, whenever something else is kept of a day."""
        keepers = (self.evidence.grid, self.evidence.listed, self._shown)
        return hash(tuple(keeper.sign_of(day) for keeper in keepers))

    def day(self, day: int) -> SubjectDay:
        """What is kept of a day."""
        evidence = self.evidence
        return SubjectDay(
            evidence.grid.to_state(day), evidence.listed.to_state(day), self._shown.to_state(day)
        )

    @classmethod
    def restored(
        cls,
        head: SubjectHead,
        days: Mapping[int, SubjectDay],
        detection: Detection,
        terms: Terms,
    ) -> Self:
        """A state as it was; models and alerts are in ``detection``."""
        state = cls(head.current, head.enrolled_s, detection, terms)
        state.evidence = Evidence.from_state(head.evidence)
        state._windows = Windows(state.evidence, head.enrolled_s, head.frontier)
        state._gaps = SyncGaps(head.sync_gaps_h)
        state.late_count = head.late_count
        state._early = set(head.early)
        state._shown_until_s = state._restored_until_s = head.shown_until_s
        state._dirty_from_s, state._dirty_date, state._has_new_sleep = head.dirty
        state._dirty_night = state._dirty_date
        for day, kept in days.items():
            if kept.cells is not None:
                state.evidence.grid.add_state(day, kept.cells)
            state.evidence.listed.add_state(day, kept.records)
            state._shown.add_state(kept.rows)
        return state

    def add(self, schema: str, envelope: Envelope, source: Source, cutoff_s: float) -> Added:
        """Merge an envelope of which no record is late; rows follow at the next tick."""
        added = self.evidence.add(schema, envelope, source, cutoff_s)
        if added.changed_from_s is not None:
            self._dirty_from_s = min(self._dirty_from_s, added.changed_from_s)
        if added.changed_date is not None:
            self._dirty_date = min(self._dirty_date, added.changed_date)
            if schema in DATED_OF_NIGHT:
                self._dirty_night = min(self._dirty_night, added.changed_date)
        if schema == "sleep_episode/1":
            self._has_new_sleep = True
        return added

    def change(self, enrolment: Enrolment) -> None:
        """Take a change of the registry: zone, team or status may show in every unsettled row."""
        self.current = enrolment.subject
        self.detection.notice()
        self._dirty_from_s = -math.inf

    @property
    def is_dirty(self) -> bool:
        """Whether something came in that a row already shown may have to follow."""
        return (
            self._dirty_from_s < self._shown_until_s
            or self._dirty_date < _NEVER
            or self._has_new_sleep
            or self.detection.has_news
        )

    def advance(self, clock: float) -> list[Output]:
        """Bring rows, scores and alerts up to the minimum clock (s UTC)."""
        oldest = self._windows.oldest_minute()
        outputs = self.settle(clock)
        said = self._show(clock)
        outputs += said.outputs
        outputs += self.detection.look(said, clock, partial(self._unsettled, said))
        if self._windows.oldest_minute() != oldest:
            self._forget(clock)
        return outputs

    def next_wake(self, clock: float) -> float:
        """The next instant (s UTC) at which a window ends or settles, after `advance`."""
        return self._windows.next_instant(clock, self._config, self.current, self._ending)

    def settle(self, clock: float) -> list[Output]:
        """Settle every window that is due by ``clock``, in their order."""
        outputs: list[Output] = []
        while (due := self._next_due(clock)) is not None:
            bounds, subject, due_instant = due
            self._windows.settle(bounds)
            said = self._shown.pop(bounds)
            if bounds.kind is WindowKind.HOUR or self._windows.has_row(bounds):
                shown = self._final(bounds, said)
                if shown.digest is not None:
                    self.history.add(bounds.date, shown.digest)
                row = feature_row(shown, self.user_id, subject, settled=True, epoch=self._epoch)
                outputs += self._settle_minutes(row, bounds, due_instant)
                outputs.append(row)
                was_said = said is not None and said.is_same(shown)
                outputs += self.detection.settle(row, due_instant, clock, was_said=was_said)
            if bounds.kind is WindowKind.HOUR:
                self.evidence.grid.finish(bounds.start // 60)
            elif bounds.kind is WindowKind.DAY:
                self._gaps.settle_day(bounds, self.evidence.received_hours)
                outputs += self._data_quality(due_instant)
        return outputs

    def _final(self, bounds: Bounds, said: Shown | None) -> Shown:
        """The last word on a window: what was said of it, where nothing has changed since."""
        if said is not None and self._stands(said, bounds):
            return said.repeated(self._extra(bounds))
        revision = said.revision + 1 if said is not None else 0
        window = Window(bounds, self.evidence, self.history.past(bounds.kind))
        shown = compute_shown(window, extra=self._extra(bounds), revision=revision)
        if said is not None and said.digest != shown.digest:
            # Rows of later dates were said with what this one kept before.
            self._dirty_date = min(self._dirty_date, bounds.date + 1)
            self._dirty_night = min(self._dirty_night, bounds.date + 1)
        return shown

    def _stands(self, said: Shown, bounds: Bounds) -> bool:
        """Whether computing a window anew must give what this process said of it."""
        is_early = bounds.kind is WindowKind.NIGHT and bounds.date in self._early
        is_own = bounds.stop * 60.0 > self._restored_until_s
        return is_own and said.bounds == bounds and not is_early and not self._is_touched(bounds)

    def _settle_minutes(self, row: FeatureRow, bounds: Bounds, due_instant: float) -> list[Output]:
        if bounds.kind is not WindowKind.HOUR:
            return []
        minutes = minute_rows(row, Window(bounds, self.evidence), None)
        if minutes is None:
            return []
        outputs: list[Output] = [minutes]
        if self.detection.judges_minutes:
            for minute in rows_of_minutes(row, minutes):
                outputs += self.detection.settle(minute, due_instant, due_instant)
        return outputs

    def _data_quality(self, due_instant: float) -> list[Output]:
        """What was refused or overlapped so far, said once a day and only if there is any."""
        overlap_count = self.evidence.grid.overlap_count
        values = {"late_count": float(self.late_count), "overlap_count": float(overlap_count)}
        if not any(values.values()):
            return []
        where = self._partition, self._epoch
        return [data_quality(self.current, due_instant, values, where=where)]

    def _next_due(self, clock: float) -> tuple[Bounds, Subject, float] | None:
        lateness = self._config.lateness_s
        found: list[tuple[tuple[float, int, int], Bounds, Subject, float]] = []
        hour = self._windows.next_hour(self._windows.frontier.hour, self.current)
        if hour is not None and due_s(hour, lateness) <= clock:
            due = due_s(hour, lateness)
            subject = self._subject_at(due)
            again = self._windows.next_hour(hour.start // 60, subject) or hour
            found.append((settling_order(again, due), again, subject, due))
        for kind in DATED_WINDOWS:
            date = self._windows.first_date(kind)
            due = due_s(Bounds(kind, 0, 0, date, ""), lateness)
            if due <= clock:
                subject = self._subject_at(due)
                bounds = self._windows.next_of_date(kind, subject)
                found.append((settling_order(bounds, due), bounds, subject, due))
        if not found:
            return None
        _, bounds, subject, due = min(found, key=lambda candidate: candidate[0])
        return bounds, subject, due

    def _subject_at(self, due: float) -> Subject:
        enrolment = self._registered(due)
        return self.current if enrolment is None else enrolment.subject

    def _extra(self, bounds: Bounds) -> Values:
        if bounds.kind is WindowKind.NIGHT:
            return {}
        extra = {"silence_h": self._windows.silence_h(bounds)}
        usual_h = self._gaps.usual_h()
        if bounds.kind is WindowKind.DAY and usual_h is not None:
            extra["sync_gap_usual_h"] = usual_h
        return extra

    def _show(self, clock: float) -> Said:
        """Say the rows of windows that have ended, and those that data has changed, once."""
        said, window = Said(), None
        for bounds in self._ended(clock):
            is_early = bounds.stop * 60.0 + self._config.grace_s > clock
            is_known = bounds in self._shown
            if is_known and not self._is_touched(bounds) and not self._was_early(bounds):
                continue
            if is_early:
                self._early.add(bounds.date)
            else:
                self._shown_until_s = max(self._shown_until_s, bounds.stop * 60.0)
            old = self._shown.get(bounds)
            revision = old.revision + 1 if old is not None else 0
            past = self.history.past(bounds.kind, self._shown.past(bounds))
            window = Window(bounds, self.evidence, past, beside=window)
            new = compute_shown(window, extra=self._extra(bounds), revision=revision)
            row = feature_row(new, self.user_id, self.current, epoch=self._epoch)
            if bounds.kind is WindowKind.HOUR:
                said.outputs += self._show_minutes(row, window, is_new=old is None)
            else:
                new = msgspec.structs.replace(new, said_minute=int(clock // 60))
            if old is not None and old.is_same(new):
                if old.digest != new.digest:
                    self._shown.put(msgspec.structs.replace(old, digest=new.digest))
                continue
            said.add(UnsettledRow(row, clock), self._shown.place_of(bounds))
            said.is_revised |= old is not None
            self._shown.put(new)
        self._dirty_from_s, self._has_new_sleep = math.inf, False
        self._dirty_date = self._dirty_night = _NEVER
        return said

    def _show_minutes(self, row: FeatureRow, window: Window, *, is_new: bool) -> list[Output]:
        bounds = window.bounds
        self.evidence.grid.pack(bounds.start // 60)
        touched = self.evidence.touched_minutes.between(bounds.start, bounds.stop)
        if not (is_new or touched):
            return []
        self.evidence.touched_minutes.remove(bounds.start, bounds.stop)
        minutes = minute_rows(row, window, None if is_new else touched)
        return [] if minutes is None else [minutes]

    def _is_touched(self, bounds: Bounds) -> bool:
        if bounds.stop * 60.0 > self._dirty_from_s:
            return True
        dirty = {WindowKind.NIGHT: self._dirty_night, WindowKind.DAY: self._dirty_date}
        return bounds.date >= dirty.get(bounds.kind, _NEVER)

    def _ended(self, clock: float) -> Iterator[Bounds]:
        """Unsettled windows that have ended, but for hours whose row was said and stands."""
        grace = self._config.grace_s
        stop = int((clock - grace) // 3_600.0)
        first, hours = self._windows.unsettled_hours(stop)
        untouched = int(min(max(self._dirty_from_s, first * 3_600.0), stop * 3_600.0) // 3_600.0)
        for place in places_of(hours & ~self._shown.hours(first, untouched)):
            yield self._windows.hour(first + place, self.current)
        self._ending = _NEVER
        ended = (self._ended_of(kind, clock) for kind in DATED_WINDOWS)
        yield from sorted(chain(*ended), key=lambda bounds: (bounds.date, ORDER[bounds.kind]))

    def _ended_of(self, kind: WindowKind, clock: float) -> Iterator[Bounds]:
        """Unsettled nights or days that have ended, or whose main sleep has."""
        for bounds in self._windows.dates(kind, self.current):
            if bounds.stop * 60.0 + self._config.grace_s > clock:
                self._ending = min(self._ending, bounds.stop)
                if self._ends_early(bounds, clock):
                    yield bounds
                break
            if self._windows.has_row(bounds):
                yield bounds

    def _was_early(self, bounds: Bounds) -> bool:
        if bounds.kind is not WindowKind.NIGHT or bounds.date not in self._early:
            return False
        self._early.discard(bounds.date)
        return True

    def _ends_early(self, bounds: Bounds, clock: float) -> bool:
        """Whether a night may be told before its end, for its main sleep is over."""
        if bounds.kind is not WindowKind.NIGHT or not self._has_new_sleep:
            return False
        return any(sleep.end_s <= clock for sleep in sleeps(Window(bounds, self.evidence)))

    def _unsettled(self, said: Said, kinds: Container[WindowKind]) -> Iterator[UnsettledRow]:
        """Unsettled rows of some kinds in their order, those just said among them."""
        news = {(one.row.window, one.row.start): one for one in said.rows}
        for shown in self._shown.in_order(self._config.lateness_s, kinds):
            place = shown.bounds.kind, shown.bounds.start * 60.0
            if place in news:
                yield news[place]
            else:
                row = feature_row(shown, self.user_id, self.current, epoch=self._epoch)
                yield UnsettledRow(row, shown.said_minute * 60.0, is_news=False)

    def _forget(self, clock: float) -> None:
        oldest = self._windows.oldest_minute()
        if oldest is not None:
            # Hours may lie behind dates only by the lateness of a date's end.
            self.evidence.forget_before(min(oldest, int((clock - self._config.lateness_s) // 60)))
