"""Goal: the rest from the phone is the longest time without it, and its regularity is counted from
what was usual before. Method: lives of some weeks with known uses; a naive search over minutes."""

import random

import pytest

from streams.events import DeviceStatus, InteractionState, PhoneInteraction, WindowKind
from streams.features.base import Values
from tests.streams.features.dates import Life, utc

FIRST = "2024-01-09"
FIRST_S = utc(FIRST)
MINUTE_S = 60.0


def use(life: Life, clock_min: float, *, day: int = 0, seconds: float = 30.0) -> None:
    """A use at a time of the clock, counted from the midnight that begins a day."""
    on = FIRST_S + day * 86_400.0 + clock_min * MINUTE_S
    states = {on: InteractionState.SCREEN_ON, on + seconds: InteractionState.STANDBY}
    life.add(
        [PhoneInteraction(time=time, interaction_state=state) for time, state in states.items()],
        source="phone",
    )


def live(life: Life, first_min: int, last_min: int, *, day: int = 0) -> None:
    """Signs of life of the phone, one a minute."""
    base = FIRST_S + day * 86_400.0
    minutes = range(first_min, last_min)
    life.add(
        [DeviceStatus(time=base + minute * MINUTE_S, interval=MINUTE_S) for minute in minutes],
        source="phone",
    )


def day_of(life: Life) -> Values:
    return life.rows(WindowKind.DAY, FIRST, 1)[FIRST]


def test_rest_is_the_longest_time_without_use_from_evening_to_afternoon() -> None:
    chance = random.Random(4)
    for _ in range(5):
        life = Life()
        uses = sorted(chance.sample(range(-355, 835), 12))
        for clock in uses:
            use(life, clock, seconds=chance.choice([30.0, 59.0]))
        used = set(uses)
        runs = []
        for clock in range(-360, 840):
            if clock not in used:
                start = clock
                while start - 1 >= -360 and start - 1 not in used:
                    start -= 1
                runs.append((clock + 1 - start, -start))
        length, negative = max(runs)
        values = day_of(life)
        assert values["phone_rest_min"] == length
        assert values["phone_rest_onset_min"] == -negative
        assert values["phone_rest_offset_min"] == -negative + length


def test_a_minute_in_which_the_phone_did_not_live_ends_a_rest() -> None:
    life = Life()
    live(life, -360, 100)
    live(life, 130, 840)
    use(life, -60)
    use(life, 400)
    values = day_of(life)
    assert values["phone_rest_onset_min"] == 401.0
    assert values["phone_rest_min"] == 439.0


def test_a_phone_that_hardly_lived_tells_no_rest_and_one_never_used_does() -> None:
    hardly = Life()
    live(hardly, -360, 300)
    use(hardly, 0)
    assert "phone_rest_min" not in day_of(hardly)
    unused = Life()
    use(unused, -600)
    live(unused, -360, 1_440)
    assert day_of(unused)["phone_rest_min"] == 1_200.0
    assert not [name for name in day_of(Life()) if name.startswith("phone_rest")]


def test_overlap_and_disruptions_are_counted_from_the_rest_of_the_days_before() -> None:
    life = Life()
    onsets = [-70, -65, -60, -60, -55, -50, -10]
    for day, onset in enumerate(onsets):
        use(life, onset - 1, day=day)
        use(life, 420, day=day)
        use(life, 800, day=day)
    night = 7
    for clock in (-200, 20, 21, 100, 300, 500, 800):
        use(life, clock, day=night)
    rows = list(life.rows(WindowKind.DAY, FIRST, 8).values())
    assert "phone_rest_overlap_percent" not in rows[6]
    values = rows[7]
    # Expected from -60 to 420; the longest without it is from 501 to 800.
    assert values["phone_rest_onset_min"] == 501.0
    assert values["phone_rest_overlap_percent"] == 0.0
    assert values["phone_rest_disruption_count"] == 3.0  # 20 and 21 are one stretch
    use(life, -59, day=8)
    use(life, 181, day=8)
    use(life, 660, day=8)
    life_rows = list(life.rows(WindowKind.DAY, "2024-01-17", 1).values())
    # Among them now the rest of the day before, so that -57.5 to 420 is expected.
    assert life_rows[0]["phone_rest_onset_min"] == 182.0
    overlap = 100.0 * (420.0 - 182.0) / 477.5
    assert life_rows[0]["phone_rest_overlap_percent"] == pytest.approx(overlap, rel=1e-9)
