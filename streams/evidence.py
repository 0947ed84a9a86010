"""All accepted data of one subject that unsettled windows may still read.

Adding merges: in whatever order topics are read, the same records give the same evidence. Every
method that adds returns from when on windows may read otherwise, so that rows are revised.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Self, cast

import msgspec
from msgspec import Struct

from streams.decoding import record_date, record_time
from streams.events import (
    DeviceStatus,
    Envelope,
    HeartRate,
    InteractionState,
    InterBeatInterval,
    Interval,
    PhoneInteraction,
    Steps,
    Timed,
)
from streams.grid import Grid
from streams.instants import instant_bytes, instants_of
from streams.listed import Listed, Source, record_start_s
from streams.localtime import LATEST_DATE_END_S, OffsetLog, OffsetLogState, date_index
from streams.timeline import Timeline, TimelineState

STATUS_INTERVAL_S = 3_600.0
"""How long a sign of life counts when its source does not say (s)."""

STATUS_INTERVAL_MAX_S = 86_400.0
"""Longest time that one sign of life counts (s)."""

STATES: tuple[InteractionState, ...] = tuple(InteractionState)
"""Interaction states by their code in a phone's log."""

_STATE_CODE = {state: code for code, state in enumerate(STATES)}


class PhoneLog:
    """Transitions of one phone in the order of their time; equal ones are kept once."""

    __slots__ = ("codes", "first_s", "times")

    def __init__(self) -> None:
        self.first_s = math.inf
        self.times: array[float] = array("d")
        self.codes: array[int] = array("B")

    def add(self, time: float, code: int) -> bool:
        """Add a transition; False if it is known already."""
        self.first_s = min(self.first_s, time)
        place = bisect_left(self.times, time)
        while place < len(self.times) and self.times[place] == time:
            if self.codes[place] == code:
                return False
            if self.codes[place] > code:
                break
            place += 1
        self.times.insert(place, time)
        self.codes.insert(place, code)
        return True

    def forget_before(self, time: float) -> None:
        """Drop the transitions before ``time`` (s UTC)."""
        place = bisect_left(self.times, time)
        del self.times[:place], self.codes[:place]

    def to_state(self) -> "PhoneState":
        """Everything there is to know of it."""
        return self.first_s, instant_bytes(self.times), self.codes.tobytes()

    @classmethod
    def from_state(cls, state: "PhoneState") -> Self:
        """A log as it was."""
        log = cls()
        log.first_s, planes, codes = state
        log.times = instants_of(planes)
        log.codes = array("B", codes)
        return log


class DeviceLog:
    """Signs of life of one source, in minutes since the epoch."""

    __slots__ = ("alive", "first_s", "off_wrist", "on_wrist")

    def __init__(self) -> None:
        self.first_s = math.inf
        self.alive = Timeline()
        self.on_wrist = Timeline()
        self.off_wrist = Timeline()

    def to_state(self) -> "DeviceState":
        """Everything there is to know of it."""
        lines = (self.alive, self.on_wrist, self.off_wrist)
        return self.first_s, [line.to_state() for line in lines]

    @classmethod
    def from_state(cls, state: "DeviceState") -> Self:
        """A log as it was."""
        log = cls()
        log.first_s, lines = state
        log.alive, log.on_wrist, log.off_wrist = map(Timeline.from_state, lines)
        return log


PhoneState = tuple[float, bytes, bytes]
DeviceState = tuple[float, list[TimelineState]]


class EvidenceState(Struct, array_like=True):
    """Evidence but for the cells and the single records, which are kept by day beside it.

    ``lines``: the timelines of `Evidence` in the order of `_LINES`.
    """

    sources: list[Source]
    overlap_count: int
    offsets: OffsetLogState
    phones: list[tuple[Source, PhoneState]]
    devices: list[tuple[Source, DeviceState]]
    lines: list[TimelineState]
    last_heard_s: float
    first_sent: list[tuple[str, Source, float]] = []


class Added(Struct, frozen=True):
    """What an envelope did: records late, and from when and which date on rows may change."""

    late_count: int = 0
    changed_from_s: float | None = None
    changed_date: int | None = None


class Evidence:
    """What is known of one subject, merged; read by features through a window."""

    __slots__ = (
        "active_dates",
        "active_hours",
        "devices",
        "first_sent",
        "grid",
        "heard_hours",
        "last_heard_s",
        "listed",
        "offsets",
        "phones",
        "received_hours",
        "touched_minutes",
    )

    def __init__(self) -> None:
        self.grid = Grid()
        self.listed = Listed()
        self.offsets = OffsetLog()
        self.phones: dict[Source, PhoneLog] = {}
        self.devices: dict[Source, DeviceLog] = {}
        # When a source sent its first event of a type that is counted (s UTC): it is kept for
        # ever, for only of a source that sends such events does none mean that there was none.
        self.first_sent: dict[tuple[str, Source], float] = {}
        # Hours with data of single minutes, and hours with a timed record of any kind.
        self.active_hours = Timeline()
        self.heard_hours = Timeline()
        self.active_dates = Timeline()
        self.received_hours = Timeline()
        self.touched_minutes = Timeline()
        self.last_heard_s = -math.inf

    def add(self, schema: str, envelope: Envelope, source: Source, cutoff_s: float) -> Added:
        """Add the records of an envelope, of which none begins before ``cutoff_s``."""
        records = envelope.records
        if schema in _CELL_SCHEMAS:
            added = Added(changed_from_s=self._add_cells(schema, records, source))
        else:
            added = self._add_listed(schema, envelope, source, cutoff_s)
        changed_s = added.changed_from_s
        if envelope.utc_offset is not None:
            minutes = sorted({int(t // 60) for r in records if (t := record_time(r)) is not None})
            new = self.offsets.add(source, envelope.utc_offset // 60, minutes)
            if new is not None and (changed_s is None or new * 60.0 < changed_s):
                # A record that was known may come again with another offset.
                added = msgspec.structs.replace(added, changed_from_s=new * 60.0)
        return added

    def add_received(self, time_received: float, cutoff_s: float) -> None:
        """Note that something arrived, for the usual time between uploads."""
        hour = int(time_received // 3_600)
        if (hour + 1) * 3_600 > cutoff_s:
            self.received_hours.add(hour, hour + 1)

    def forget_before(self, minute: int) -> None:
        """Drop what no unsettled window reads: all but a margin before ``minute``."""
        self.grid.forget_before(minute // 60 - _MARGIN_HOURS)
        self.listed.forget_before(minute // 1_440 - _MARGIN_DAYS)
        self.offsets.forget_before(minute - 1_440)
        for phone in self.phones.values():
            phone.forget_before((minute - 1_440) * 60.0)
        for device in self.devices.values():
            for line in (device.alive, device.on_wrist, device.off_wrist):
                line.forget_before(minute - 1_440)
        self._forget_activity(minute)

    def to_state(self) -> EvidenceState:
        """All but what `Grid` and `Listed` keep by day."""
        return EvidenceState(
            self.grid.sources(),
            self.grid.overlap_count,
            self.offsets.to_state(),
            [(source, phone.to_state()) for source, phone in self.phones.items()],
            [(source, device.to_state()) for source, device in self.devices.items()],
            [getattr(self, name).to_state() for name in _LINES],
            self.last_heard_s,
            sorted((*key, first_s) for key, first_s in self.first_sent.items()),
        )

    @classmethod
    def from_state(cls, state: EvidenceState) -> Self:
        """Evidence as it was, but for what is kept by day."""
        evidence = cls()
        evidence.grid.add_sources(state.sources)
        evidence.grid.overlap_count = state.overlap_count
        evidence.offsets = OffsetLog.from_state(state.offsets)
        evidence.phones = {source: PhoneLog.from_state(phone) for source, phone in state.phones}
        evidence.devices = {source: DeviceLog.from_state(log) for source, log in state.devices}
        for name, line in zip(_LINES, state.lines, strict=True):
            setattr(evidence, name, Timeline.from_state(line))
        evidence.last_heard_s = state.last_heard_s
        evidence.first_sent = {(schema, source): s for schema, source, s in state.first_sent}
        return evidence

    def _forget_activity(self, minute: int) -> None:
        first_hour = minute // 60 - 24 * _ACTIVE_DAYS
        last = self.heard_hours.last_before(first_hour)
        if last is not None:
            self.last_heard_s = max(self.last_heard_s, (last + 1) * 3_600.0)
        self.heard_hours.forget_before(first_hour)
        self.active_hours.forget_before(first_hour)
        self.received_hours.forget_before(first_hour)
        self.touched_minutes.forget_before(minute)

    def _add_cells(self, schema: str, records: Sequence[Timed], source: Source) -> float | None:
        if schema == "device_status/1":
            return self._add_statuses(cast("Sequence[DeviceStatus]", records), source)
        if schema == "phone_interaction/1":
            return self._add_transitions(cast("Sequence[PhoneInteraction]", records), source)
        owner = self.grid.owner_of(source)
        if owner is None:
            return None
        if schema == "heart_rate/1":
            minutes = self.grid.add_heart_rate(cast("Sequence[HeartRate]", records), owner)
            self.touched_minutes.add_all([(minute, minute + 1) for minute in minutes])
            self._mark_active({minute // 60 for minute in minutes})
            return min(minutes) * 60.0
        elif schema == "inter_beat_interval/1":
            self.grid.add_beats(cast("Sequence[InterBeatInterval]", records), owner)
        else:
            for steps in cast("Sequence[Steps]", records):
                self.grid.add_steps(steps.time, steps.duration, steps.steps, owner)
        return self._active_from(records)

    def _add_statuses(self, records: Sequence[DeviceStatus], source: Source) -> float | None:
        device = self.devices.setdefault(source, DeviceLog())
        lines = (device.alive, device.on_wrist, device.off_wrist)
        spans: list[list[tuple[int, int]]] = [[] for _ in lines]
        alive, on_wrist, off_wrist = spans
        for status in records:
            device.first_s = min(device.first_s, status.time)
            minute = int(status.time // 60)
            interval = STATUS_INTERVAL_S if status.interval is None else status.interval
            stop_s = status.time + min(interval, STATUS_INTERVAL_MAX_S)
            alive.append((minute, max(int(-(-stop_s // 60)), minute + 1)))
            if status.on_wrist is not None:
                (on_wrist if status.on_wrist else off_wrist).append((minute, minute + 1))
        for line, told in zip(lines, spans, strict=True):
            line.add_all(told)
        return self._active_from(records)

    def _add_transitions(self, records: Sequence[PhoneInteraction], source: Source) -> float | None:
        phone = self.phones.setdefault(source, PhoneLog())
        new = [r for r in records if phone.add(r.time, _STATE_CODE[r.interaction_state])]
        return self._active_from(new) if new else None

    def _active_from(self, records: Sequence[Timed]) -> float:
        """Mark the hours of records as active; where the first one begins (s UTC)."""
        self._mark_active({int(record.time // 3_600) for record in records})
        return min(record.time for record in records)

    def _mark_active(self, hours: Collection[int]) -> None:
        spans = [(hour, hour + 1) for hour in hours]
        self.active_hours.add_all(spans)
        self.heard_hours.add_all(spans)

    def _add_listed(
        self, schema: str, envelope: Envelope, source: Source, cutoff_s: float
    ) -> Added:
        late_count = 0
        starts: list[float] = []
        dates: list[int] = []
        if schema in _COUNTED_SCHEMAS:
            first_s = min(map(record_start_s, envelope.records))
            if first_s < self.first_sent.get((schema, source), math.inf):
                # A record that takes no place may yet tell since when there is a source of them.
                self.first_sent[schema, source] = first_s
                starts.append(first_s)
        found = self.listed.add(
            schema, source, envelope.records, received=envelope.time_received, cutoff_s=cutoff_s
        )
        for record, placed in zip(envelope.records, found, strict=True):
            late_count += placed.is_late
            if placed.changed_from_s is None:
                continue
            date = record_date(record)
            if date is None:
                starts.append(placed.changed_from_s)
                hour = int(record_start_s(record) // 3_600)
                self.heard_hours.add(hour, hour + 1)
            else:
                dates.append(int(placed.changed_from_s + 60 - LATEST_DATE_END_S) // 86_400 - 1)
                self.active_dates.add(date_index(date), date_index(date) + 1)
        return Added(late_count, min(starts, default=None), min(dates, default=None))


_LINES = ("active_hours", "heard_hours", "active_dates", "received_hours", "touched_minutes")
_CELL_SCHEMAS = frozenset(
    {
        "heart_rate/1",
        "inter_beat_interval/1",
        "steps/1",
        "phone_interaction/1",
        "device_status/1",
    }
)
_COUNTED_SCHEMAS = frozenset({"phone_app_usage/1", "phone_call/1", "phone_message/1"})
_MARGIN_HOURS = 1
_MARGIN_DAYS = 6
_ACTIVE_DAYS = 15


def interval_end_s(record: Interval) -> float:
    """Where an interval ends (s UTC)."""
    return record.time + record.duration
