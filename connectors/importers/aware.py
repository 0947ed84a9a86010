"""AWARE: a phone's screen, battery and call events.

Source: the AWARE framework's tables (unix seconds; screen 0 off, 1 on, 2 locked, 3 unlocked), as
in the sample data of niimpy. A table without a column ``user`` is of one phone. Events count as
received at the end of their quarter of an hour. A battery reading is a sign of life, and holds
until the next one is usual: for three hours.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path

from msgspec import Struct

from connectors.importers.dataset import DataSet, Person, Upload
from connectors.importers.tables import Table, columns_of, number, tables_in
from streams.errors import BadInput
from streams.events import (
    CallType,
    DeviceStatus,
    InteractionState,
    PhoneCall,
    PhoneInteraction,
    Source,
    Timed,
)

TIME_ZONE = "Europe/Helsinki"
PROJECT = "aware"
USER = "aware-phone"
DEVICE = "phone"
ALIVE_S = 10_800.0
"""How long a battery reading says that the phone lives (s)."""

UPLOAD_S = 900.0

_SCREEN = {
    0: InteractionState.STANDBY,
    1: InteractionState.SCREEN_ON,
    2: InteractionState.LOCKED,
    3: InteractionState.UNLOCKED,
}
_CALLS = {kind.value.lower(): kind for kind in CallType}


class _Kind(Struct, frozen=True):
    """A table of events: the columns beside the time, and what a row becomes."""

    columns: tuple[str, ...]
    record: Callable[[float, list[str]], Timed]


def _screen(time: float, cells: list[str]) -> Timed:
    state = _SCREEN.get(int(float(cells[0])), InteractionState.OTHER)
    return PhoneInteraction(time=time, interaction_state=state)


def _battery(time: float, cells: list[str]) -> Timed:
    level = number(cells[0])
    share = None if level is None else min(max(level / 100.0, 0.0), 1.0)
    return DeviceStatus(time=time, battery_level=share, interval=ALIVE_S)


def _call(time: float, cells: list[str]) -> Timed:
    kind = _CALLS.get(cells[0], CallType.UNKNOWN)
    return PhoneCall(time=time, duration=number(cells[1]) or 0.0, type=kind)


_KINDS = (
    _Kind(("screen_status",), _screen),
    _Kind(("battery_level",), _battery),
    _Kind(("call_type", "call_duration"), _call),
)


class _Event(Struct, frozen=True):
    user_id: str
    source_id: str
    record: Timed


def load(path: Path) -> DataSet:
    """Prepare AWARE's tables of screen, battery and calls from a folder, or one such table.

    Raises
    ------
    BadInput
        If there is no such table.
    """
    left_out: Counter[str] = Counter()
    events = [event for table in tables_in(path) for event in _events(table, left_out)]
    if not events:
        raise BadInput(f"{path}: no AWARE table of screen, battery or calls")
    events.sort(key=lambda event: (event.record.time, event.user_id))
    return DataSet(
        people=tuple(_people(events)),
        uploads=_uploads(events),
        left_out=left_out,
        tick_every_s=UPLOAD_S,
    )


def _events(path: Path, left_out: Counter[str]) -> Iterator[_Event]:
    columns = columns_of(path)
    kind = next((kind for kind in _KINDS if {"time", *kind.columns} <= set(columns)), None)
    if kind is None:
        return
    has_user = {"user", "device"} <= set(columns)
    table = Table(path, ("time", *kind.columns, *(("user", "device") if has_user else ())))
    with table.refusing():
        for time_text, *cells in table:
            user_id, source_id = (cells[-2], cells[-1]) if has_user else (USER, DEVICE)
            time = number(time_text)
            if time is None:
                left_out["events without a time"] += 1
            else:
                yield _Event(user_id, source_id, kind.record(time, cells))


def _people(events: list[_Event]) -> Iterator[Person]:
    for user_id in sorted({event.user_id for event in events}):
        own = [event for event in events if event.user_id == user_id]
        first = dt.datetime.fromtimestamp(own[0].record.time, dt.UTC).date()
        sources = sorted({event.source_id for event in own})
        yield Person(
            user_id=user_id,
            project_id=PROJECT,
            care_team="aware",
            time_zone=TIME_ZONE,
            enrolled_on=first - dt.timedelta(days=1),
            record_types=(PhoneInteraction, DeviceStatus, PhoneCall),
            sources=tuple(
                Source(source_id=source, model="Android", priority=rank)
                for rank, source in enumerate(sources)
            ),
        )


def _uploads(events: list[_Event]) -> Iterator[Upload]:
    """Events of one phone and type in a quarter of an hour arrive together, at its end."""

    def place(event: _Event) -> tuple[float, str, str, str]:
        end = (event.record.time // UPLOAD_S + 1.0) * UPLOAD_S
        return end, event.user_id, event.source_id, type(event.record).__name__

    placed = sorted(((place(event), event) for event in events), key=itemgetter(0))
    for (received, user_id, source_id, _), group in groupby(placed, key=itemgetter(0)):
        records = sorted((event.record for _, event in group), key=attrgetter("time"))
        yield Upload(received, user_id, source_id, list(records))
