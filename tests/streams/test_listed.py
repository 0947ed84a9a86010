"""Goal: one record stays of those that stand for the same thing, however envelopes divide records.
Method: revisions by hand; random envelopes against the same records one by one."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import (
    HeartRateVariability,
    MessageType,
    MoodCheckIn,
    PhoneAppUsage,
    PhoneMessage,
    Record,
    SleepEpisode,
    SleepSummary,
)
from streams.listed import REVISION_HORIZON_S, DayRecords, Entry, Listed

DAY = 19_700
NIGHT_S = DAY * 86_400.0
WATCH = (1, "watch")


def episode(start_h: float, hours: float, record_id: str | None = None) -> SleepEpisode:
    return SleepEpisode(time=NIGHT_S + start_h * 3_600, duration=hours * 3_600, record_id=record_id)


def _used(category: str, used_s: float) -> PhoneAppUsage:
    return PhoneAppUsage(time=NIGHT_S, duration=used_s, category=category)


def _sent(direction: str, target: str | None = None) -> PhoneMessage:
    return PhoneMessage(time=NIGHT_S, type=MessageType(direction), target=target)


def _asked(instrument: str, score: float) -> MoodCheckIn:
    return MoodCheckIn(time=NIGHT_S, instrument=instrument, items={}, score=score)


def add(
    listed: Listed, record: Record, received: float, cutoff_s: float = 0.0
) -> tuple[float | None, bool]:
    schema = {SleepEpisode: "sleep_episode/1", SleepSummary: "sleep_summary/1"}[type(record)]
    (placed,) = listed.add(schema, WATCH, [record], received=received, cutoff_s=cutoff_s)
    return placed.changed_from_s, placed.is_late


def held(listed: Listed) -> list[Record]:
    return [record for _, record in listed.reading().read("sleep_episode/1", DAY - 9, DAY + 9)]


def test_a_later_received_record_revises_and_an_earlier_one_does_not() -> None:
    listed = Listed()
    add(listed, episode(1, 6, "a"), received=10)
    add(listed, episode(2, 5, "a"), received=30)
    add(listed, episode(3, 4, "a"), received=20)
    assert held(listed) == [episode(2, 5, "a")]


def test_of_equal_receive_times_the_later_in_the_log_stays() -> None:
    listed = Listed()
    add(listed, episode(1, 6, "a"), received=10)
    add(listed, episode(1, 7, "a"), received=10)
    assert held(listed) == [episode(1, 7, "a")]


def test_the_same_record_again_changes_nothing() -> None:
    listed = Listed()
    add(listed, episode(1, 6), received=10)
    assert add(listed, episode(1, 6), received=10) == (None, False)


@pytest.mark.parametrize(
    ("schema", "records"),
    [
        ("phone_app_usage/1", [_used("games", 600.0), _used("social", 900.0)]),
        ("phone_message/1", [_sent("INCOMING", "a1"), _sent("INCOMING", "b2"), _sent("OUTGOING")]),
        ("mood_check_in/1", [_asked("GAD-7", 4.0), _asked("PHQ-9", 11.0)]),
    ],
)
def test_what_comes_at_one_time_without_an_id_is_told_apart_by_what_it_is(
    schema: str, records: list[Record]
) -> None:
    listed = Listed()
    for received, record in enumerate([*records, *reversed(records)]):
        listed.add(schema, WATCH, [record], received=float(received), cutoff_s=0.0)
    found = [record for _, record in listed.reading().read(schema, DAY - 9, DAY + 9)]
    assert sorted(found, key=repr) == sorted(records, key=repr)
    other = Listed()
    other.add_state(DAY, listed.to_state(DAY))
    assert [record for _, record in other.reading().read(schema, DAY - 9, DAY + 9)] == found


def test_app_use_of_one_category_that_grew_is_a_revision() -> None:
    listed = Listed()
    for received, used_s in enumerate((300.0, 900.0)):
        used = _used("social", used_s)
        listed.add("phone_app_usage/1", WATCH, [used], received=received, cutoff_s=0.0)
    found = [record for _, record in listed.reading().read("phone_app_usage/1", DAY - 9, DAY + 9)]
    assert found == [_used("social", 900.0)]


def test_a_revision_may_move_to_another_day_and_both_times_are_touched() -> None:
    listed = Listed()
    add(listed, episode(1, 6, "a"), received=10)
    changed, _ = add(listed, episode(30, 6, "a"), received=20)
    assert changed == NIGHT_S + 3_600
    assert held(listed) == [episode(30, 6, "a")]


def test_a_revision_is_late_if_what_it_would_take_back_is() -> None:
    listed = Listed()
    add(listed, episode(1, 6, "a"), received=10)
    cutoff_s = NIGHT_S + 2 * 3_600
    assert add(listed, episode(30, 6, "a"), received=20, cutoff_s=cutoff_s) == (None, True)
    assert held(listed) == [episode(1, 6, "a")]


def test_what_lies_behind_the_horizon_is_not_revised_any_more() -> None:
    listed = Listed()
    add(listed, episode(1, 6, "a"), received=10)
    cutoff_s = NIGHT_S + 2 * 3_600 + REVISION_HORIZON_S
    later = episode(7 * 24, 6, "a")
    assert add(listed, later, received=20, cutoff_s=cutoff_s)[1] is False
    assert held(listed) == [episode(1, 6, "a"), later]


def test_timed_and_dated_variability_stand_side_by_side() -> None:
    listed = Listed()
    date = dt.date(1970, 1, 1) + dt.timedelta(days=DAY)
    dated = HeartRateVariability(date=date, rmssd=40.0)
    timed = HeartRateVariability(time=NIGHT_S, duration=300.0, rmssd=50.0)
    for record in (dated, timed):
        listed.add("heart_rate_variability/1", WATCH, [record], received=1.0, cutoff_s=0.0)
    assert len(list(listed.reading().read("heart_rate_variability/1", DAY, DAY))) == 2


def test_records_at_rest_come_back_as_they_were_those_of_version_1_too() -> None:
    listed, new, old = Listed(), Listed(), Listed()
    for number in range(9):
        add(listed, episode(number / 3, 6, f"n{number}"), received=10.5 + number**2)
    date = dt.date(1970, 1, 1) + dt.timedelta(days=DAY)
    add(listed, SleepSummary(date=date, asleep_duration=400.0), received=99.0)
    state = listed.to_state(DAY)
    new.add_state(DAY, msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=DayRecords))
    assert new.to_state(DAY) == state
    assert held(new) == held(listed)
    whole = [Entry(10.0, msgspec.Raw(msgspec.msgpack.encode(episode(1, 6, "a"))))]
    kept = msgspec.msgpack.encode([("sleep_episode/1", *WATCH, whole)])
    old.add_state(DAY, msgspec.msgpack.decode(kept, type=DayRecords))
    assert held(old) == [episode(1, 6, "a")]


def test_the_first_source_stays_first_though_what_it_told_is_over() -> None:
    listed = Listed()
    band = (2, "band")
    listed.add("sleep_episode/1", band, [episode(1, 6)], received=10.0, cutoff_s=0.0)
    stop_s = NIGHT_S + 2 * 3_600
    add(listed, episode(3, 1), received=10)
    assert listed.reading().of_first("sleep_episode/1", DAY - 2, stop_s) == [episode(1, 6)]
    add(listed, episode(-20, 8), received=10)
    assert listed.reading().of_first("sleep_episode/1", DAY - 2, stop_s) == [episode(-20, 8)]


_messages = st.builds(
    PhoneMessage,
    time=st.integers(0, 11).map(lambda half_days: NIGHT_S + half_days * 43_200.0),
    type=st.sampled_from([MessageType.INCOMING, MessageType.OUTGOING]),
    length=st.sampled_from([None, 1]),
    record_id=st.sampled_from([None, "a", "b", "c"]),
)
_envelopes = st.tuples(
    st.lists(_messages, min_size=1, max_size=12), st.integers(1, 3), st.integers(-2, 12)
)


@given(st.lists(_envelopes, max_size=6))
def test_an_envelope_does_what_its_records_do_one_by_one(
    envelopes: list[tuple[list[PhoneMessage], int, int]],
) -> None:
    whole, single = Listed(), Listed()
    cutoff_s = 0.0
    for records, received, day in envelopes:
        # A topic's clock never goes back.
        cutoff_s = max(cutoff_s, NIGHT_S + day * 86_400.0)
        terms = {"received": float(received), "cutoff_s": cutoff_s}
        placed = whole.add("phone_message/1", WATCH, records, **terms)
        assert placed == [
            one
            for record in records
            for one in single.add("phone_message/1", WATCH, [record], **terms)
        ]
        assert whole.days() == single.days()
        assert all(whole.to_state(d) == single.to_state(d) for d in whole.days())
