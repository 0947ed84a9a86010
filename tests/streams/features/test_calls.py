"""Goal: calls are counted by direction and contact. Method: plain counts over random calls, in any
order and split into any envelopes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import CallType, PhoneCall
from streams.evidence import Evidence
from streams.features.calls import calls_of_day
from tests.streams.features.phone_days import START_S, alive, day_of, send

CALLS = st.lists(
    st.builds(
        PhoneCall,
        time=st.integers(-7_200, 93_600).map(lambda second: START_S + second),
        duration=st.integers(0, 7_200).map(float),
        type=st.sampled_from(CallType),
        target=st.sampled_from([None, "a1", "b2", "c3"]),
    ),
    min_size=1,
    unique_by=lambda call: call.time,
)


@given(calls=CALLS, seed=st.integers(0, 2**16))
def test_calls_are_those_of_a_plain_count_however_they_arrive(
    calls: list[PhoneCall], seed: int
) -> None:
    chance = random.Random(seed)
    shuffled = chance.sample(calls, len(calls))
    evidence = Evidence()
    send(evidence, [alive(24.0)])
    while shuffled:
        size = chance.randint(1, len(shuffled))
        send(evidence, shuffled[:size])
        shuffled = shuffled[size:]
    values = calls_of_day(day_of(evidence))
    if min(call.time for call in calls) >= START_S + 86_400:
        assert values == {}
        return
    day = [call for call in calls if START_S <= call.time < START_S + 86_400]
    spoken = {"incoming": CallType.INCOMING, "outgoing": CallType.OUTGOING}
    for direction, kind in spoken.items():
        own = [call for call in day if call.type is kind]
        assert values[f"call_{direction}_count"] == len(own)
        assert values[f"call_{direction}_min"] == sum(call.duration for call in own) / 60
        assert values.get(f"call_{direction}_contact_count", 0) <= len(own)
    missed = [call for call in day if call.type is CallType.MISSED]
    assert values["call_missed_count"] == len(missed)
    counted = [call for call in day if call.type in {*spoken.values(), CallType.MISSED}]
    named = {call.target for call in counted if call.target}
    expected = None if counted and not named else len(named)
    assert values.get("call_contact_count") == expected


@pytest.mark.parametrize(("target", "expected"), [("a1", 1.0), (None, None)])
def test_contacts_are_absent_where_no_call_names_its_other_side(
    target: str | None, expected: float | None
) -> None:
    evidence = Evidence()
    call = PhoneCall(time=START_S, duration=90.0, type=CallType.OUTGOING, target=target)
    send(evidence, [call])
    values = calls_of_day(day_of(evidence))
    assert values.get("call_outgoing_contact_count") == expected
    assert values["call_incoming_contact_count"] == 0.0
    assert values["call_outgoing_min"] == 1.5
