"""Changes of known size in settled rows of daily figures, and where they can be planted."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from streams.events import FeatureRow, WindowKind

KNOWN_DAYS = 21
"""Days on which each changed signal has to be known before a change."""

KNOWN_SHARE = 0.6
"""Share of the changed days on which each changed signal has to be known."""

APART_DAYS = 14
"""Days between the first days of a person's changes."""

SLACK_DAYS = 1
"""Days after a change within which an alert still counts as a hit."""

Key = tuple[WindowKind, str]

HEART_RATE: Key = (WindowKind.DAY, "heart_rate_resting_bpm")
VARIABILITY: Key = (WindowKind.DAY, "rmssd_ms")
SLEEP: Key = (WindowKind.NIGHT, "sleep_duration_min")
STEPS: Key = (WindowKind.DAY, "step_count")
SIGNALS = (HEART_RATE, VARIABILITY, SLEEP, STEPS)


class Change(Struct, frozen=True):
    """A change: by signal how a value becomes another, and for how many days.

    ``ramp_days``: over how many days it grows to its size; 0 means at once.
    """

    name: str
    days: int
    effects: dict[Key, Callable[[float, float], float]]
    ramp_days: int = 0


def _add(amount: float) -> Callable[[float, float], float]:
    return lambda value, grown: value + amount * grown


def _scale(factor: float) -> Callable[[float, float], float]:
    return lambda value, grown: value * (1.0 + (factor - 1.0) * grown)


_COMPOUND = {
    HEART_RATE: _add(3.0),
    VARIABILITY: _scale(0.85),
    SLEEP: _add(-60.0),
    STEPS: _scale(0.7),
}
COMPOUND = Change("compound", 5, _COMPOUND)
FAST_HEART = Change("resting heart rate +4 bpm", 5, {HEART_RATE: _add(4.0)})
SHORT_SLEEP = Change("sleep -2 h", 4, {SLEEP: _add(-120.0)})
CHANGES = (
    COMPOUND,
    FAST_HEART,
    SHORT_SLEEP,
    Change("compound, growing over 3 days", 5, _COMPOUND, ramp_days=3),
    Change("heart rate, growing over 3 days", 5, {HEART_RATE: _add(4.0)}, ramp_days=3),
    Change("more: sleep -90 min, steps +60 %", 5, {SLEEP: _add(-90.0), STEPS: _scale(1.6)}),
)


class Place(Struct, frozen=True):
    """Where a change is planted: whose rows, and the first day of it."""

    user_id: str
    first: dt.date


def places(
    people: Mapping[str, Sequence[FeatureRow]], change: Change, most: int, seed: int
) -> list[Place]:
    """Days at which a change can be planted, ``most`` a person, drawn with a seed."""
    found = []
    for user_id, rows in people.items():
        chance = np.random.default_rng([seed, sum(user_id.encode())])
        chosen: list[dt.date] = []
        possible = _possible(rows, change)
        for number in chance.permutation(len(possible)):
            day = possible[number]
            if all(abs((day - other).days) > APART_DAYS for other in chosen):
                chosen.append(day)
        found += [Place(user_id, day) for day in sorted(chosen[:most])]
    return found


def _possible(rows: Sequence[FeatureRow], change: Change) -> list[dt.date]:
    known = {
        key: {row.local_date for row in rows if row.window is key[0] and key[1] in row.values}
        for key in change.effects
    }
    dates = sorted({row.local_date for row in rows})
    last = dates[-1] - dt.timedelta(days=change.days - 1 + SLACK_DAYS)
    return [date for date in dates if date <= last and _is_known(known, date, change.days)]


def _is_known(known: Mapping[Key, set[dt.date]], first: dt.date, days: int) -> bool:
    changed = [first + dt.timedelta(days=day) for day in range(days)]
    return all(
        sum(date < first for date in dates) >= KNOWN_DAYS
        and sum(date in dates for date in changed) >= KNOWN_SHARE * days
        for dates in known.values()
    )


def planted(row: FeatureRow, change: Change, first: dt.date) -> FeatureRow:
    """A row with the change in it, if it lies within."""
    day = (row.local_date - first).days
    if not 0 <= day < change.days:
        return row
    grown = 1.0 if change.ramp_days == 0 else min((day + 1) / change.ramp_days, 1.0)
    values = dict(row.values)
    for (window, feature), effect in change.effects.items():
        if window is row.window and feature in values:
            values[feature] = max(effect(values[feature], grown), 1.0)
    return msgspec.structs.replace(row, values=values)
