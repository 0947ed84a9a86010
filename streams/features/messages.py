"""Messages of a day: how many, and with how many others; never their content.

Source: RAPIDS' message features (count, distinct contacts).
"""

from streams.events import MessageType, PhoneMessage, WindowKind
from streams.features.base import Figure, Values, Window, feature
from streams.features.phone_events import LIVED, begun, contact_count, phone_events

_DIRECTIONS = {"incoming": MessageType.INCOMING, "outgoing": MessageType.OUTGOING}
_NAMED = f"{LIVED}; where there were messages, one that names its other side"


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="message_incoming_count",
            meaning="Messages that came in on the day.",
            minimum=LIVED,
            source="RAPIDS: received_count",
        ),
        Figure(
            name="message_outgoing_count",
            meaning="Messages that were sent on the day.",
            minimum=LIVED,
            source="RAPIDS: sent_count",
        ),
        Figure(
            name="message_contact_count",
            meaning="Distinct others of both.",
            minimum=_NAMED,
            source="RAPIDS: distinctcontacts, by kind there",
        ),
        Figure(
            name="message_incoming_contact_count",
            meaning="Distinct others of messages that came in.",
            minimum=_NAMED,
            source="RAPIDS: received_distinctcontacts",
        ),
        Figure(
            name="message_outgoing_contact_count",
            meaning="Distinct others of messages that were sent.",
            minimum=_NAMED,
            source="RAPIDS: sent_distinctcontacts",
        ),
    ),
)
def messages_of_day(window: Window) -> Values:
    """Messages of the day.

    ``message_incoming_count``, ``message_outgoing_count``, ``message_contact_count`` (distinct
    others of both), ``message_incoming_contact_count``, ``message_outgoing_contact_count``.
    Messages of other or unknown direction are not counted.

    Absent unless a phone that reports messages lived for 60 % of the day; where no such phone
    sends signs of life, absent on a day without messages. Contacts are absent when there were
    messages and none names its other side.
    """
    messages = phone_events(window, PhoneMessage, begun)
    if messages is None:
        return {}
    counted = [message for message in messages if message.type in _DIRECTIONS.values()]
    values: Values = {}
    contacts = {"message_contact_count": contact_count(counted)}
    for direction, kind in _DIRECTIONS.items():
        own = [message for message in counted if message.type is kind]
        values[f"message_{direction}_count"] = float(len(own))
        contacts[f"message_{direction}_contact_count"] = contact_count(own)
    return values | {name: count for name, count in contacts.items() if count is not None}
