"""Goal: screen episodes add up to screen time, and of two phones one counts. Method: invariants
over random events in any order, and days known by hand."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import InteractionState, PhoneInteraction, PhoneUsageSummary
from streams.evidence import Evidence
from streams.features.phone import phone_features, screen_episodes, use_times
from tests.streams.features.phone_days import SPARE, START_S, alive, day_of, evidence_of, send

ON, UNLOCKED, OFF = InteractionState.SCREEN_ON, InteractionState.UNLOCKED, InteractionState.STANDBY
EVENTS = st.lists(
    st.builds(
        PhoneInteraction,
        time=st.integers(-28_800, 93_600).map(lambda second: START_S + second),
        interaction_state=st.sampled_from(InteractionState),
    ),
    max_size=40,
)


def event(hour: float, state: InteractionState) -> PhoneInteraction:
    return PhoneInteraction(time=START_S + hour * 3_600.0, interaction_state=state)


@given(events=EVENTS, seed=st.integers(0, 2**16))
def test_episodes_add_up_to_screen_time_however_events_arrive(
    events: list[PhoneInteraction], seed: int
) -> None:
    shuffled = random.Random(seed).sample(events, len(events))
    evidence = evidence_of(shuffled)
    send(evidence, [alive(24.0)])
    values = screen_episodes(day_of(evidence))
    assert values == screen_episodes(day_of(evidence_of([*events, alive(24.0)])))
    if not values:
        assert all(event.time >= START_S + 86_400 for event in events)
        return
    count, mean_min = values["screen_episode_count"], values.get("screen_episode_mean_min", 0.0)
    screen_min = phone_features(day_of(evidence))["screen_min"]
    assert count * mean_min == pytest.approx(screen_min, abs=1e-6)
    assert mean_min <= values.get("screen_episode_max_min", 0.0) + 1e-9 <= 360.0 + 1e-6


def test_episodes_are_cut_at_midnight_and_lost_ones_are_left_out() -> None:
    states = [(-1, ON), (1, OFF), (3, UNLOCKED), (10, OFF), (23, ON), (23.5, UNLOCKED), (25, OFF)]
    evidence = evidence_of(event(hour, state) for hour, state in states)
    assert screen_episodes(day_of(evidence)) == {
        "screen_episode_count": 2.0,
        "screen_episode_mean_min": 60.0,
        "screen_episode_max_min": 60.0,
    }
    assert use_times(day_of(evidence)) == {"first_use_min": 180.0, "last_use_min": 23.5 * 60}


@pytest.mark.parametrize(("seconds", "screen_min"), [(21_600.0, 361.0), (21_601.0, 1.0)])
def test_an_episode_of_more_than_six_hours_is_a_lost_event(
    seconds: float, screen_min: float
) -> None:
    off = PhoneInteraction(time=START_S + 3_600.0 + seconds, interaction_state=OFF)
    evidence = evidence_of([event(1, ON), off, event(12, ON), event(12 + 1 / 60, OFF)])
    assert phone_features(day_of(evidence))["screen_min"] == pytest.approx(screen_min, rel=1e-9)


@pytest.mark.parametrize(("lived_min", "is_told"), [(864, True), (863, False)])
def test_use_is_told_of_a_phone_that_lived_for_six_tenths_of_the_day(
    lived_min: int, *, is_told: bool
) -> None:
    evidence = evidence_of([event(1, ON), event(1.5, OFF), alive(lived_min / 60.0)])
    assert ("screen_min" in phone_features(day_of(evidence))) == is_told


def test_a_phone_that_lived_unused_had_no_episodes_and_one_unheard_of_none_to_tell() -> None:
    evidence = evidence_of([event(-5, OFF)])
    assert screen_episodes(day_of(evidence)) == {}
    send(evidence, [alive(24.0)])
    assert screen_episodes(day_of(evidence)) == {"screen_episode_count": 0.0}


def test_episodes_of_a_spare_phone_count_only_while_the_first_is_not_heard_of() -> None:
    evidence = Evidence()
    send(evidence, [alive(15.0)])
    send(evidence, [event(1, ON), event(1.5, OFF)])
    send(evidence, [event(1.2, ON), event(1.3, OFF), event(16, ON), event(17, OFF)], SPARE)
    assert screen_episodes(day_of(evidence)) == {
        "screen_episode_count": 2.0,
        "screen_episode_mean_min": 45.0,
        "screen_episode_max_min": 60.0,
    }


def totals(start_min: float, minutes: float, **told: float) -> PhoneUsageSummary:
    unlocks, screen_s = told.get("unlocks"), told.get("screen_s")
    return PhoneUsageSummary(
        time=START_S + start_min * 60.0,
        duration=minutes * 60.0,
        unlocks=None if unlocks is None else int(unlocks),
        unlock_duration=screen_s,
    )


def test_totals_of_the_first_phone_within_the_day_count_where_single_events_tell_nothing() -> None:
    evidence = Evidence()
    own = [
        totals(-1, 60, unlocks=100, screen_s=600.0),
        totals(0, 60, unlocks=3, screen_s=300.0),
        totals(60, 60, unlocks=4),
        totals(1_380, 60, screen_s=150.0),
        totals(1_381, 60, unlocks=100, screen_s=600.0),
    ]
    send(evidence, own)
    send(evidence, [totals(120, 60, unlocks=100, screen_s=600.0)], SPARE)
    assert phone_features(day_of(evidence)) == {"unlock_count": 7.0, "screen_min": 7.5}
    send(evidence, [event(8, UNLOCKED), event(8.5, OFF)])
    assert phone_features(day_of(evidence)) == {"unlock_count": 1.0, "screen_min": 30.0}


def test_totals_that_cannot_be_true_are_not_told() -> None:
    def told(*unlocked_h: tuple[float, float]) -> dict[str, float]:
        """Totals of 10 h, each from an hour on."""
        records = [
            PhoneUsageSummary(
                time=START_S + 3_600.0 * start_h,
                duration=36_000.0,
                unlocks=1,
                unlock_duration=3_600.0 * hours,
            )
            for start_h, hours in unlocked_h
        ]
        return phone_features(day_of(evidence_of(records)))

    assert told((0.0, 10.0), (12.0, 10.0)) == {"screen_min": 1_200.0, "unlock_count": 2.0}
    overlapping = (0.0, 10.0), (1.0, 10.0), (12.0, 10.0)
    assert told(*overlapping) == {"unlock_count": 3.0}
    longer_than_its_time = (0.0, 10.1), (12.0, 1.0)
    assert told(*longer_than_its_time) == {"unlock_count": 2.0}
