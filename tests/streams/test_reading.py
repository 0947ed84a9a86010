"""Goal: hours read together give what each of them holds. Method: hours that are open, packed and
final, with and without each channel, by chance, against their own cells."""

import copy
import random

import numpy as np
import pytest

from streams.cells import (
    BEATS,
    COUNT,
    HEART,
    HOUR_MIN,
    INTERVALS,
    LAYOUT,
    LEAST,
    MOST,
    SQUARES,
    STEPS,
    SUM,
    Hour,
    new_cells,
)
from streams.reading import Reading

FIRST = 472_000


def hour(chance: random.Random) -> Hour:
    held = Hour()
    for channel in (HEART, BEATS, STEPS, INTERVALS):
        if chance.random() < 0.3:
            continue
        cells = held.open()[channel] = new_cells(channel)
        for part, code in zip(cells, LAYOUT[channel].codes, strict=True):
            for minute in range(0, LAYOUT[channel].cells, chance.randint(1, 20)):
                part[minute] = chance.randint(1, 255 if code == "B" else 60_000)
        if channel == HEART:
            for minute in range(HOUR_MIN):
                mean = cells[SUM][minute] // max(cells[COUNT][minute], 1)
                cells[SUM][minute] = min(mean, 3_000) * cells[COUNT][minute]
                cells[LEAST][minute], cells[MOST][minute] = min(mean, 3_000) // 2, 4_000
    chance.choice([lambda: None, held.pack, held.drop_masks])()
    return held


@pytest.mark.parametrize("seed", range(20))
def test_all_hours_of_a_channel_come_at_once(seed: int) -> None:
    chance = random.Random(seed)
    hours = {FIRST + place: hour(chance) for place in range(5) if chance.random() < 0.8}
    start = FIRST * HOUR_MIN + chance.randint(0, 90)
    stop = start + chance.randint(1, 200)
    reading = Reading(hours.get)
    for channel, places in ((HEART, range(5)), (BEATS, range(3)), (STEPS, range(2))):
        expected = np.zeros((len(places), 6 * HOUR_MIN), dtype=np.int64)
        is_there = False
        for at, held in hours.items():
            cells = copy.copy(held).open()[channel]
            if cells is not None:
                is_there |= start // HOUR_MIN <= at < -(-stop // HOUR_MIN)
                base = (at - FIRST) * HOUR_MIN
                expected[:, base : base + HOUR_MIN] = [cells[place] for place in places]
        arrays = reading.channel(start, stop, channel, places)
        assert (arrays is not None) == is_there
        base = FIRST * HOUR_MIN
        for told, wanted in zip(arrays or [], expected, strict=False):
            assert told.tolist() == wanted[start - base : stop - base].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_what_an_hour_has_once_comes_by_the_hour(seed: int) -> None:
    chance = random.Random(seed)
    hours = {FIRST + place: hour(chance) for place in range(5) if chance.random() < 0.8}
    found = {at: copy.copy(held).open()[INTERVALS] for at, held in hours.items()}
    arrays = Reading(hours.get).hours(FIRST, FIRST + 6, INTERVALS, (COUNT, SUM, SQUARES))
    assert (arrays is not None) == any(cells is not None for cells in found.values())
    for told, place in zip(arrays or [], (COUNT, SUM, SQUARES), strict=False):
        cells_of = map(found.get, range(FIRST, FIRST + 6))
        assert told.tolist() == [[cells[place][0] if cells else 0] for cells in cells_of]
