"""The minute grid of one subject: small integers per channel, hour by hour.

Cells merge in any order of topics: a minute belongs to the source that goes first, and within a
source a second counts once. An hour that is not being written is kept packed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.cells import (
    BEATS,
    HEART,
    HOUR_MIN,
    INTERVALS,
    STEPS,
    Cells,
    DayState,
    Hour,
    day_state,
    hours_of,
    new_cells,
)
from streams.events import HeartRate, InterBeatInterval
from streams.reading import Reading

SOURCES_MAX = 1_000
"""Most sources (with distinct priority) that one subject's grid can tell apart."""

BEATS_PER_SECOND_MAX = 6
"""Most beats of a second that count: five of the shortest interval, and one on its edge."""

NORMAL_PART = 5
"""What part of an interval between normal beats the next one may differ by: a fifth."""

_STEPS_CELL_MAX = 65_535


class Grid:
    """Minute cells of one subject, allocated on demand and freed hour by hour."""

    __slots__ = ("_closed", "_hours", "_owner_index", "_sources", "overlap_count")

    def __init__(self) -> None:
        self._hours: dict[int, Hour] = {}
        # Days as they were restored, opened when one of their hours is asked for.
        self._closed: dict[int, DayState] = {}
        self._sources: list[tuple[int, str]] = [(-1, "")]
        self._owner_index: dict[tuple[int, str], int] = {}
        self.overlap_count = 0

    def owner_of(self, source: tuple[int, str]) -> int | None:
        """Index of a source (priority, id) in the grid; None when there are too many."""
        owner = self._owner_index.get(source)
        if owner is None:
            if len(self._sources) > SOURCES_MAX:
                return None
            owner = len(self._sources)
            self._sources.append(source)
            self._owner_index[source] = owner
        return owner

    def add_heart_rate(self, records: Sequence[HeartRate], owner: int) -> set[int]:
        """Add samples: each counts for its second, and the first of a second stays.

        Returns the minutes (since the epoch) that were written to.
        """
        minutes: set[int] = set()
        current = -1
        cells: Cells | None = None
        cell = 0
        for record in records:
            second = int(record.time)
            minute = second // 60
            if minute != current:
                current = minute
                minutes.add(minute)
                cell = minute % HOUR_MIN
                cells = self._owned(minute, HEART, owner)
            if cells is None:
                continue
            _, count, total, low, high, mask = cells
            bit = 1 << (second - minute * 60)
            seen = mask[cell]
            if seen & bit:
                continue
            mask[cell] = seen | bit
            value = int(record.heart_rate * 10.0 + 0.5)
            total[cell] += value
            if not seen or value < low[cell]:
                low[cell] = value
            if value > high[cell]:
                high[cell] = value
            count[cell] += 1
        return minutes

    def add_beats(self, records: Sequence[InterBeatInterval], owner: int) -> None:
        """Add the normal beats of one envelope: intervals, and differences of successive ones.

        A difference counts at the second of its later beat. A gap is never bridged: beats are
        successive when the later interval reaches back to the earlier beat, give or take a second,
        since many devices stamp whole seconds. An interval that differs from the one before it by
        more than a fifth is not from one normal beat to the next (Malik et al. 1989).
        """
        room: dict[int, int] = {}
        intervals: defaultdict[int, list[int]] = defaultdict(list)
        previous: InterBeatInterval | None = None
        for record in sorted(records, key=lambda record: record.time):
            second = int(record.time)
            cells = self._owned(second // 60, BEATS, owner)
            if cells is None:
                previous = None
                continue
            _, count, squares, mask = cells
            cell, bit = second // 60 % HOUR_MIN, 1 << second % 60
            if second not in room:
                room[second] = 0 if mask[cell] & bit else BEATS_PER_SECOND_MAX
                mask[cell] |= bit
            if room[second]:
                room[second] -= 1
                interval_ms = before_ms = _interval_ms(record)
                follows = previous is not None and _follows(previous, record)
                if previous is not None and follows:
                    before_ms = _interval_ms(previous)
                difference_ms = interval_ms - before_ms
                if abs(difference_ms) * NORMAL_PART <= before_ms:
                    intervals[second // 3_600].append(interval_ms)
                    count[cell] += follows
                    squares[cell] += difference_ms * difference_ms
            previous = record
        for hour, found in intervals.items():
            self._add_intervals(hour, found, owner)

    def _add_intervals(self, hour: int, found: Sequence[int], owner: int) -> None:
        """Add intervals (ms) to those of an hour, which are of the source that goes first in it."""
        cells = self._cells(hour, INTERVALS)
        if self._takes(cells, 0, owner):
            _, count, total, squares = cells
            count[0] += len(found)
            total[0] += sum(found)
            squares[0] += sum(interval_ms * interval_ms for interval_ms in found)

    def add_steps(self, start_s: float, duration_s: float, steps: int, owner: int) -> None:
        """Spread steps over the minutes of their interval; a minute keeps its largest figure."""
        first = int(start_s // 60)
        last = max(int(-(-(start_s + duration_s) // 60)), first + 1)
        if last - first > HOUR_MIN:
            self._add_long_steps(start_s, duration_s, steps, owner)
            return
        given = 0
        for minute in range(first, last):
            reached = _steps_until((minute + 1) * 60.0, start_s, duration_s, steps)
            value = min(reached - given, _STEPS_CELL_MAX)
            given = reached
            cells = self._owned(minute, STEPS, owner)
            if cells is not None:
                cell = minute % HOUR_MIN
                cells[1][cell] = max(cells[1][cell], value)

    def _add_long_steps(self, start_s: float, duration_s: float, steps: int, owner: int) -> None:
        """As `add_steps` minute by minute, but the cells of an hour at once."""
        first = int(start_s // 60)
        told = _spread(start_s, duration_s, steps)
        for hour in range(first // HOUR_MIN, (first + len(told) - 1) // HOUR_MIN + 1):
            begin = max(hour * HOUR_MIN, first)
            part = told[begin - first : (hour + 1) * HOUR_MIN - first].copy()
            cells, cell = self._cells(hour, STEPS), begin % HOUR_MIN
            owners, figures = (np.asarray(one)[cell : cell + len(part)] for one in cells)
            for place in np.flatnonzero(owners != owner).tolist():
                self.overlap_count += int(owners[place]) > 0
                if not self._takes(cells, cell + place, owner):
                    part[place] = 0
            np.maximum(figures, part, out=figures)

    def reading(self) -> Reading:
        """What it holds now, to be read channel by channel."""
        return Reading(self._held)

    def sources(self) -> list[tuple[int, str]]:
        """Sources (priority, id) by owner index; index 0 stands for nobody."""
        return self._sources

    def add_sources(self, sources: Sequence[tuple[int, str]]) -> None:
        """Give an empty grid the sources, in the order of their index, that it had."""
        for source in sources[1:]:
            self.owner_of(source)

    def pack(self, hour: int) -> None:
        """Keep an hour packed; it opens again when something is added to it."""
        if hour in self._hours:
            self._hours[hour].pack()

    def finish(self, hour: int) -> None:
        """Say that nothing can be added to an hour any more."""
        held = self._held(hour)
        if held is not None:
            held.drop_masks()

    def sign_of(self, day: int) -> int:
        """A number that differs, within this process, whenever a day (UTC) holds other cells."""
        if day in self._closed:
            return id(self._closed[day])
        hours = range(day * 24, day * 24 + 24)
        held = [(hour, self._hours[hour]) for hour in hours if hour in self._hours]
        for _, cells in held:
            cells.pack()
        return hash(tuple((hour, cells.is_final, cells.packed) for hour, cells in held))

    def to_state(self, day: int) -> DayState | None:
        """The cells of a day (UTC, since the epoch); None when it holds none."""
        if day in self._closed:
            return self._closed[day]
        hours = range(day * 24, day * 24 + 24)
        held = {hour: self._hours[hour] for hour in hours if hour in self._hours}
        return day_state(held) if held else None

    def add_state(self, day: int, state: DayState) -> None:
        """Take in a day as it was."""
        self._closed[day] = state

    def forget_before(self, hour: int) -> None:
        """Free the hours before ``hour``."""
        for day in [day for day in self._closed if day * 24 < hour]:
            state = self._closed.pop(day)
            if day * 24 + 24 > hour:
                self._hours.update(hours_of(state))
        for old in [key for key in self._hours if key < hour]:
            del self._hours[old]

    def days(self) -> set[int]:
        """Days (UTC, since the epoch) that hold cells."""
        return self._closed.keys() | {hour // 24 for hour in self._hours}

    def _held(self, hour: int) -> Hour | None:
        held = self._hours.get(hour)
        if held is None and hour // 24 in self._closed:
            self._hours.update(hours_of(self._closed.pop(hour // 24)))
            held = self._hours.get(hour)
        return held

    def _owned(self, minute: int, channel: int, owner: int) -> Cells | None:
        """Cells of a minute's hour if ``owner`` may write to it, None if another goes first."""
        cells = self._cells(minute // HOUR_MIN, channel)
        cell = minute % HOUR_MIN
        holder = cells[0][cell]
        if holder == owner:
            return cells
        self.overlap_count += holder > 0
        return cells if self._takes(cells, cell, owner) else None

    def _cells(self, hour: int, channel: int) -> Cells:
        """Cells of an hour, to be written to."""
        held = self._hours.get(hour) or self._held(hour)
        if held is None:
            held = self._hours[hour] = Hour()
        channels = held.channels if held.packed is None else held.open()
        cells = channels[channel]
        if cells is None:
            cells = channels[channel] = new_cells(channel)
        return cells

    def _takes(self, cells: Cells, cell: int, owner: int) -> bool:
        """Make ``owner`` the owner of a cell unless another goes first; say whether it is."""
        holder = cells[0][cell]
        if holder and self._sources[holder] < self._sources[owner]:
            return False
        if holder != owner:
            for part in cells:
                part[cell] = 0
            cells[0][cell] = owner
        return True


def _interval_ms(record: InterBeatInterval) -> int:
    return int(record.inter_beat_interval * 1_000.0 + 0.5)


def _follows(previous: InterBeatInterval, record: InterBeatInterval) -> bool:
    return abs(record.time - previous.time - record.inter_beat_interval) <= 1.0


def _steps_until(instant_s: float, start_s: float, duration_s: float, steps: int) -> int:
    """Whole steps taken from the start of an interval up to an instant, at an even pace."""
    if duration_s <= 0.0 or instant_s >= start_s + duration_s:
        return steps
    return int(steps * max(instant_s - start_s, 0.0) / duration_s)


def _spread(start_s: float, duration_s: float, steps: int) -> NDArray[np.uint16]:
    """`_steps_until` the end of each minute of an interval, less that of the one before."""
    first, last = int(start_s // 60), int(-(-(start_s + duration_s) // 60))
    ends_s = np.arange(first + 1, last) * 60.0
    reached = (steps * (ends_s - start_s) / duration_s).astype(np.int64)
    told = np.diff(reached, prepend=0, append=steps)
    return np.minimum(told, _STEPS_CELL_MAX).astype(np.uint16)
