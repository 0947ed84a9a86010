"""Single events of phones: the calls, messages or uses of apps that a window counts.

That there was none can be told only of a phone that is known to have lived and that reports such
events at all; a killed app, or one without the permission, would look alike.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import TypeVar

from streams.events import SCHEMA_OF_TYPE, PhoneCall, PhoneMessage, Timed
from streams.features.base import Window
from streams.features.phone import COVERAGE_MIN
from streams.listed import Source

LIVED = (
    "signs of life for 60 % of the day from a phone that has ever sent such an event; one event "
    "where no such phone sends any"
)
"""Least data of what counts events of a phone."""

E = TypeVar("E", bound=Timed)


def begun(window: Window, event: E) -> E | None:
    """The event if it begins in the window; it then counts whole (RAPIDS)."""
    return event if window.start_s <= event.time < window.stop_s else None


def phone_events(
    window: Window, kind: type[E], part: Callable[[Window, E], E | None]
) -> list[E] | None:
    """Events of one type, by source and time; None when they cannot be told.

    ``part`` gives of an event what belongs to the window, beginning in it, or None. Of several
    phones that report such events one wins per minute: the first in order that lived or reported
    in it.

    Told when those phones lived for 60 % of the window (RAPIDS: zero only if the yield is above a
    floor); where none of them sends signs of life, when there was an event.
    """
    schema = SCHEMA_OF_TYPE[kind]
    senders = _senders(window, schema)
    own: dict[Source, list[E]] = {}
    for source, record in window.records(schema):
        found = part(window, record) if isinstance(record, kind) else None
        if found is not None:
            own.setdefault(source, []).append(found)
    taken = 0
    kept: list[E] = []
    for source in senders:
        has = window.alive_bits(source)
        for event in own.get(source, []):
            minute = 1 << (int(event.time // 60) - window.start)
            has |= minute
            if not taken & minute:
                kept.append(event)
        taken |= has
    return kept if _is_told(window, senders, is_any=bool(kept)) else None


def contact_count(events: Sequence[PhoneCall | PhoneMessage]) -> float | None:
    """Distinct others of events; None when there are events and none names its other side."""
    targets = {event.target for event in events if event.target is not None}
    return None if events and not targets else float(len(targets))


def _senders(window: Window, schema: str) -> list[Source]:
    """Phones that have sent an event of a type before the window's end, the first to go first."""
    return sorted(
        source
        for (sent, source), first_s in window.evidence.first_sent.items()
        if sent == schema and first_s < window.stop_s
    )


def _is_told(window: Window, senders: Sequence[Source], *, is_any: bool) -> bool:
    devices = window.evidence.devices
    telling = [
        source
        for source in senders
        if source in devices and devices[source].first_s < window.stop_s
    ]
    if not telling:
        return is_any
    alive = reduce(or_, [window.alive_bits(source) for source in telling])
    return float(alive.bit_count()) >= COVERAGE_MIN * window.length
