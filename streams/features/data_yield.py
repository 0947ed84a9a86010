"""Data yield of a day: how much of it any sensor told, and in how many of its hours.

Coverage says for each channel how many minutes were told. What it cannot say is how much of the
day was seen at all, and whether half of the minutes are half of the hours or every other minute.

Source: RAPIDS (Vega et al. 2021): a minute is valid with any row in it, an hour with at least half
of its minutes.
"""

import numpy as np

from streams.events import WindowKind
from streams.features.base import Bools, Figure, Values, Window, feature
from streams.features.coverage import phone_alive

HOUR_VALID_MIN = 30
"""Fewest valid minutes of a valid hour (RAPIDS' default: half of it)."""

MINUTES_LOOKBACK_DAYS = 7
"""Days after the last data of single minutes on which a yield is still told."""

_MINUTES = "data of single minutes within a week"


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="valid_minute_ratio",
            meaning="Share of minutes with a heart rate, beats or told steps, or in which a phone "
            "lived.",
            minimum=_MINUTES,
            source="Vega 2021; RAPIDS: ratiovalidyieldedminutes",
        ),
        Figure(
            name="valid_hour_count",
            meaning="Hours of which at least 30 minutes are valid.",
            minimum=_MINUTES,
            source="Vega 2021; RAPIDS: ratiovalidyieldedhours, a share there",
        ),
        Figure(
            name="heart_rate_valid_hour_count",
            meaning="Hours of which at least 30 minutes have a heart rate.",
            minimum=_MINUTES,
            source="Vega 2021; RAPIDS: ratiovalidyieldedhours, a share there",
        ),
    ),
)
def data_yield(window: Window) -> Values:
    """Share of valid minutes and number of valid hours.

    ``valid_minute_ratio`` (0..1): minutes with a heart rate, beats, steps that were told (zero
    included), or in which a phone is known to have lived. ``valid_hour_count``: hours of which at
    least 30 minutes are valid. ``heart_rate_valid_hour_count``: the same by heart rate alone, which
    is there only while the device is worn.

    Hours are counted from the day's beginning; what is left of an odd day is no hour. Zero on a
    day without data; absent when no data of single minutes came for a week, as from people whose
    vendors send daily figures alone.
    """
    first_hour = window.start // 60 - MINUTES_LOOKBACK_DAYS * 24
    if not window.evidence.active_hours.between(first_hour, window.stop // 60):
        return {}
    heart = np.zeros(window.length, dtype=bool) if window.heart is None else window.heart.valid
    valid = heart.copy()
    if window.beats is not None:
        valid |= window.beats.count > 0
    if window.steps is not None:
        valid |= window.steps.known[-window.length :]
    alive = phone_alive(window)
    if alive is not None:
        valid |= alive
    return {
        "valid_minute_ratio": float(np.count_nonzero(valid)) / window.length,
        "valid_hour_count": _valid_hours(valid),
        "heart_rate_valid_hour_count": _valid_hours(heart),
    }


def _valid_hours(valid: Bools) -> float:
    hours = valid[: valid.size // 60 * 60].reshape(-1, 60)
    return float(np.count_nonzero(hours.sum(axis=1) >= HOUR_VALID_MIN))
