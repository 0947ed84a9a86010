"""Goal: none is zero only of a phone known to live and to report; one phone counts at a time.
Method: small lives of one and two phones."""

import msgspec
import pytest

from streams.events import CallType, PhoneCall
from streams.evidence import Evidence, EvidenceState
from streams.features.phone_events import begun, phone_events
from tests.streams.features.phone_days import PHONE, SPARE, START_S, alive, day_of, send

YESTERDAY_S = START_S - 30_000.0


def call(time: float) -> PhoneCall:
    return PhoneCall(time=time, duration=60.0, type=CallType.INCOMING)


def told(evidence: Evidence) -> list[float] | None:
    events = phone_events(day_of(evidence), PhoneCall, begun)
    return None if events is None else [event.time for event in events]


@pytest.mark.parametrize(("hours", "expected"), [(14.4, []), (14.3, None), (24.0, [])])
def test_no_event_is_zero_when_a_phone_that_reports_them_lived_long_enough(
    hours: float, expected: list[float] | None
) -> None:
    evidence = Evidence()
    send(evidence, [call(YESTERDAY_S)])
    send(evidence, [alive(hours)])
    assert told(evidence) == expected


def test_a_living_phone_that_never_reported_such_an_event_says_nothing() -> None:
    evidence = Evidence()
    send(evidence, [alive(24.0)])
    assert told(evidence) is None
    send(evidence, [call(START_S + 86_400.0)])  # the first one lies after the day
    assert told(evidence) is None
    send(evidence, [alive(24.0)], SPARE)
    send(evidence, [call(YESTERDAY_S)], SPARE)
    assert told(evidence) == []


def test_without_signs_of_life_only_events_are_told() -> None:
    evidence = Evidence()
    send(evidence, [call(YESTERDAY_S)])
    assert told(evidence) is None
    send(evidence, [call(START_S + 5.0), call(START_S + 86_399.0), call(START_S + 86_400.0)])
    assert told(evidence) == [START_S + 5.0, START_S + 86_399.0]


def test_two_phones_are_not_counted_twice_and_the_spare_one_fills_in() -> None:
    evidence = Evidence()
    send(evidence, [alive(15.0)])
    send(evidence, [call(START_S + 60.0)])
    twice, alone = START_S + 60.4, START_S + 16 * 3_600.0
    send(evidence, [call(twice), call(alone)], SPARE)
    assert told(evidence) == [START_S + 60.0, alone]


def test_who_reports_is_known_after_the_events_are_forgotten_and_after_a_restart() -> None:
    evidence = Evidence()
    send(evidence, [call(YESTERDAY_S - 20 * 86_400.0)])
    send(evidence, [alive(24.0)])
    evidence.forget_before(int(START_S // 60))
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(evidence.to_state()), type=EvidenceState)
    restored = Evidence.from_state(state)
    assert restored.first_sent == {("phone_call/1", PHONE): YESTERDAY_S - 20 * 86_400.0}
    assert told(restored) == []


def test_a_state_from_before_this_was_kept_still_reads() -> None:
    state = msgspec.to_builtins(Evidence().to_state())[:-1]
    assert Evidence.from_state(msgspec.convert(state, EvidenceState)).first_sent == {}
