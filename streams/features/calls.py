"""Calls of a day: how many, how long, and with how many others.

Source: RAPIDS' call features (count, sum of durations, distinct contacts).
"""

from streams.events import CallType, PhoneCall, WindowKind
from streams.features.base import Figure, Values, Window, feature
from streams.features.phone_events import LIVED, begun, contact_count, phone_events

_SPOKEN = {"incoming": CallType.INCOMING, "outgoing": CallType.OUTGOING}
_NAMED = f"{LIVED}; where there were calls, one that names its other side"
_COUNTED = (CallType.INCOMING, CallType.OUTGOING, CallType.MISSED)


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="call_incoming_count",
            meaning="Incoming calls that begin on the day.",
            minimum=LIVED,
            source="RAPIDS: incoming_count",
        ),
        Figure(
            name="call_outgoing_count",
            meaning="Outgoing calls that begin on the day.",
            minimum=LIVED,
            source="RAPIDS: outgoing_count",
        ),
        Figure(
            name="call_missed_count",
            meaning="Missed calls of the day.",
            minimum=LIVED,
            source="RAPIDS: missed_count",
        ),
        Figure(
            name="call_incoming_min",
            meaning="Duration of the incoming calls that begin on the day.",
            minimum=LIVED,
            source="RAPIDS: incoming_sumduration",
        ),
        Figure(
            name="call_outgoing_min",
            meaning="Duration of the outgoing calls that begin on the day.",
            minimum=LIVED,
            source="RAPIDS: outgoing_sumduration",
        ),
        Figure(
            name="call_contact_count",
            meaning="Distinct others of incoming, outgoing and missed calls.",
            minimum=_NAMED,
            source="RAPIDS: distinctcontacts, by kind there",
        ),
        Figure(
            name="call_incoming_contact_count",
            meaning="Distinct others of incoming calls.",
            minimum=_NAMED,
            source="RAPIDS: incoming_distinctcontacts",
        ),
        Figure(
            name="call_outgoing_contact_count",
            meaning="Distinct others of outgoing calls.",
            minimum=_NAMED,
            source="RAPIDS: outgoing_distinctcontacts",
        ),
    ),
)
def calls_of_day(window: Window) -> Values:
    """Calls that begin on the day, each with its whole duration.

    ``call_incoming_count``, ``call_outgoing_count``, ``call_missed_count``; ``call_incoming_min``
    and ``call_outgoing_min`` (sum of durations); ``call_contact_count`` (distinct others of these
    three kinds of call), ``call_incoming_contact_count``, ``call_outgoing_contact_count``.
    Voicemail and calls of unknown direction are not counted.

    Absent unless a phone that reports calls lived for 60 % of the day; where no such phone sends
    signs of life, absent on a day without calls. Contacts are absent when there were calls and
    none names its other side.
    """
    calls = phone_events(window, PhoneCall, begun)
    if calls is None:
        return {}
    counted = [call for call in calls if call.type in _COUNTED]
    missed = sum(call.type is CallType.MISSED for call in calls)
    values: Values = {"call_missed_count": float(missed)}
    contacts = {"call_contact_count": contact_count(counted)}
    for direction, kind in _SPOKEN.items():
        own = [call for call in calls if call.type is kind]
        values[f"call_{direction}_count"] = float(len(own))
        values[f"call_{direction}_min"] = sum(call.duration for call in own) / 60.0
        contacts[f"call_{direction}_contact_count"] = contact_count(own)
    return values | {name: count for name, count in contacts.items() if count is not None}
