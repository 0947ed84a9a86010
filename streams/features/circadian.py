"""Daily rhythm of heart rate: a cosine of 24 hours through the minutes of one day."""

import math

import numpy as np

from streams.events import WindowKind
from streams.features.base import DAY_MIN, Bools, Figure, Values, Window, feature, local_hours

HOURS_MIN = 16
"""Fewest hours of the local clock that must be told for a day's cosine."""

HOUR_MINUTES_MIN = 20
"""Fewest minutes with a sample for an hour to count as told."""

AMPLITUDE_MIN_BPM = 0.1
"""Amplitude below which there is no time of the highest: heart rates are kept to 0.1 beats/min."""

_MINIMUM = "16 hours of the local clock, each with samples in 20 minutes"


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="heart_rate_mesor_bpm",
            meaning="M of the cosinor y = M + A cos(2 pi (t - phi) / 1440), fitted by least "
            "squares to the day's minute means, t in minutes of the local clock.",
            minimum=_MINIMUM,
            source="Cornelissen 2014",
        ),
        Figure(
            name="heart_rate_amplitude_bpm",
            meaning="A of the same cosinor: half of what the rhythm moves from low to high.",
            minimum=_MINIMUM,
            source="Cornelissen 2014",
        ),
        Figure(
            name="heart_rate_acrophase_min",
            meaning="phi of the same cosinor: local clock of the rhythm's highest, 0 to 1440.",
            minimum=f"{_MINIMUM}; an amplitude of 0.1 beats/min",
            source="Cornelissen 2014",
        ),
    ),
)
def heart_rate_rhythm(window: Window) -> Values:
    """Mesor, amplitude (beats/min) and acrophase (local clock, min) of one day's heart rate.

    A cosinor with a single component of 24 hours. Minutes without a sample are left out; with
    fewer than 16 hours of the local clock told, 20 minutes each, all three are absent, for a
    cosine through part of a day is made up where there are no data. On a day of 23 or 25 hours,
    or of travel, time is that of the clock on the wall.
    """
    heart = window.heart
    if heart is None or not _is_told(window, heart.valid):
        return {}
    angle = window.local_clock[heart.valid] * (2.0 * math.pi / DAY_MIN)
    design = np.column_stack((np.ones(angle.size), np.cos(angle), np.sin(angle)))
    mesor, cosine, sine = np.linalg.lstsq(design, heart.mean_bpm[heart.valid], rcond=None)[0]
    amplitude = math.hypot(cosine, sine)
    values = {"heart_rate_mesor_bpm": float(mesor), "heart_rate_amplitude_bpm": amplitude}
    if amplitude >= AMPLITUDE_MIN_BPM:
        acrophase = math.atan2(sine, cosine) * DAY_MIN / (2.0 * math.pi)
        values["heart_rate_acrophase_min"] = acrophase % DAY_MIN
    return values


def _is_told(window: Window, valid: Bools) -> bool:
    hours = local_hours(window)[valid]
    return int((np.bincount(hours, minlength=24) >= HOUR_MINUTES_MIN).sum()) >= HOURS_MIN
