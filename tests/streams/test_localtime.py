"""Goal: offsets and local days are found alike in every way. Method: the array against the single
look-up on random words of devices; first minutes against a search minute by minute."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.localtime import OffsetLog, first_reached, is_time_zone, zone_offset_min

MINUTE = 28_333_000


def random_log(seed: int) -> OffsetLog:
    chance = random.Random(seed)
    log = OffsetLog()
    for _ in range(chance.randint(0, 60)):
        source = chance.randint(0, 2), "device"
        log.add(source, chance.choice([60, 330, -480]), [MINUTE + chance.randint(0, 5_000)])
    return log


@pytest.mark.parametrize("seed", range(25))
def test_the_array_of_offsets_equals_the_single_look_ups(seed: int) -> None:
    log, start = random_log(seed), MINUTE + 700 * (seed % 7)
    for zone in ("Europe/Rome", "America/New_York"):
        expected = [log.at(minute, zone) for minute in range(start, start + 500)]
        assert log.between(start, start + 500, zone).tolist() == expected


@pytest.mark.parametrize("seed", range(25))
def test_a_window_ends_at_the_first_minute_that_reaches_its_clock_time(seed: int) -> None:
    log, zone = random_log(seed), "Europe/Rome"
    date = MINUTE // 1_440 + 2
    begin = MINUTE + 1_000
    found = first_reached(date, 0, not_before=begin, log=log, zone=zone)
    minutes = range(begin, date * 1_440 + 2_000)
    assert found == next(m for m in minutes if m + log.at(m, zone) >= date * 1_440)


def test_a_source_that_goes_first_decides_and_ties_go_to_the_larger_offset() -> None:
    log = OffsetLog()
    log.add((2, "phone"), 120, [MINUTE + 50])
    log.add((1, "watch"), 60, [MINUTE])
    assert log.at(MINUTE + 60, "UTC") == 60
    log.add((1, "watch"), 330, [MINUTE])
    assert log.at(MINUTE + 60, "UTC") == 330


def test_what_a_device_said_holds_for_a_day_and_not_before_it_was_said() -> None:
    log = OffsetLog()
    log.add((1, "watch"), -480, [MINUTE])
    assert log.at(MINUTE, "UTC") == 0
    assert log.at(MINUTE + 1, "UTC") == -480
    assert log.at(MINUTE + 1_440, "UTC") == -480
    assert log.at(MINUTE + 1_441, "UTC") == 0


@given(st.lists(st.sets(st.integers(MINUTE, MINUTE + 40)), max_size=5))
def test_minutes_said_together_are_those_said_one_by_one(told: list[set[int]]) -> None:
    together, single = OffsetLog(), OffsetLog()
    for minutes in map(sorted, told):
        new = [single.add((1, "watch"), 60, [minute]) for minute in minutes]
        first = next((minute for minute in new if minute is not None), None)
        assert together.add((1, "watch"), 60, minutes) == first
        single.add((1, "watch"), 60, [])
        assert together.to_state() == single.to_state()


def test_zones_are_known_by_name_only() -> None:
    assert is_time_zone("Europe/Rome")
    assert not is_time_zone("Europe/Atlantis")
    assert not is_time_zone("../etc/passwd")
    for name in ("__init__/x", "__init__", "Europe", "Europe/__init__", "zones", "Europe/Rome\n"):
        assert not is_time_zone(name)
    assert zone_offset_min("Asia/Kathmandu", 1_800_000) == 345
