"""Goal: messages are counted by direction and contact. Method: a day of a few messages."""

from streams.events import MessageType, PhoneMessage
from streams.features.messages import messages_of_day
from tests.streams.features.phone_days import START_S, day_of, evidence_of


def test_messages_are_counted_by_direction_and_others_once() -> None:
    kinds = [
        (MessageType.INCOMING, "a"),
        (MessageType.INCOMING, None),
        (MessageType.OUTGOING, "a"),
        (MessageType.OUTGOING, "b"),
        (MessageType.OUTGOING, "b"),
        (MessageType.OTHER, "c"),
    ]
    messages = [
        PhoneMessage(time=START_S + 60 * place, type=kind, target=target)
        for place, (kind, target) in enumerate(kinds)
    ]
    assert messages_of_day(day_of(evidence_of(messages))) == {
        "message_incoming_count": 2.0,
        "message_outgoing_count": 3.0,
        "message_contact_count": 2.0,
        "message_incoming_contact_count": 1.0,
        "message_outgoing_contact_count": 2.0,
    }


def test_a_day_before_the_first_message_says_nothing() -> None:
    after = PhoneMessage(time=START_S + 86_400, type=MessageType.INCOMING)
    assert messages_of_day(day_of(evidence_of([after]))) == {}
