"""Goal: yield counts minutes that any sensor told, and hours by their half. Method: days known by
hand."""

from streams.events import HeartRate, InterBeatInterval, PhoneInteraction, Steps
from streams.events import InteractionState as State
from streams.evidence import Evidence
from streams.features.data_yield import data_yield
from tests.streams.features.phone_days import START_S, alive, day_of, evidence_of, send


def beats(first: int, stop: int) -> list[HeartRate]:
    return [
        HeartRate(time=START_S + minute * 60.0, heart_rate=60.0) for minute in range(first, stop)
    ]


def test_sensors_are_joined_and_an_hour_needs_half_of_its_minutes() -> None:
    evidence = Evidence()
    send(evidence, beats(0, 30))
    send(evidence, beats(60, 89))
    send(evidence, [Steps(time=START_S + 89 * 60.0, duration=60.0, steps=0)])
    send(evidence, [PhoneInteraction(time=START_S, interaction_state=State.STANDBY)])
    send(evidence, [alive(2.0, START_S + 7_200.0)])
    # Two successive beats in each of 31 minutes of the sixth hour, and nothing else there.
    times = [18_000.0 + 60.0 * minute + second for minute in range(31) for second in (10.0, 11.0)]
    send(evidence, [InterBeatInterval(time=START_S + t, inter_beat_interval=1.0) for t in times])
    assert data_yield(day_of(evidence)) == {
        "valid_minute_ratio": (30 + 30 + 120 + 31) / 1_440,
        "valid_hour_count": 5.0,
        "heart_rate_valid_hour_count": 1.0,
    }


def test_a_silent_day_within_a_week_of_data_yields_nothing_and_a_later_one_is_not_told() -> None:
    evidence = evidence_of(beats(-7 * 1_440, -7 * 1_440 + 1))
    assert data_yield(day_of(evidence)) == {
        "valid_minute_ratio": 0.0,
        "valid_hour_count": 0.0,
        "heart_rate_valid_hour_count": 0.0,
    }
    evidence = evidence_of(beats(-7 * 1_440 - 60, -7 * 1_440 - 1))
    assert data_yield(day_of(evidence)) == {}
