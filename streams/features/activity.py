"""Activity: steps of an hour and of a day, minutes of activity and sedentary bouts."""

import numpy as np
from numpy.typing import NDArray

from streams.events import ActivitySummary, WindowKind
from streams.features.base import Bools, Figure, Values, Window, feature, runs_of
from streams.features.coverage import worn_minutes
from streams.features.sleep import asleep_minutes

HOUR_COVERAGE_MIN = 0.1
"""Share of an hour's minutes that must be told."""

DAY_COVERAGE_MIN = 0.6
"""Share of a day's minutes that must be told: part of a day would look like less activity."""

VENDOR_STEPS_MIN = 300
"""A vendor's daily steps that may as well be of a watch in a bag."""

MODERATE_STEPS_PER_MIN = 100
"""Least cadence of moderate activity of an adult (steps/min; Tudor-Locke et al. 2018)."""

SEDENTARY_BOUT_MIN = 30
"""Shortest sedentary bout that is counted (min; Diaz et al. 2017)."""

_SIGNS_OF_WEAR = ("resting_heart_rate/1", "sleep_summary/1")

_WAKING = "steps told (and worn, where told) for 60 % of the minutes; a sleep with times"


@feature(
    WindowKind.HOUR,
    gives=(
        Figure(
            name="step_count",
            meaning="Steps of the hour's minutes.",
            minimum="steps told for 10 % of the minutes",
            source="RAPIDS: sumsteps",
        ),
    ),
)
def steps_of_hour(window: Window) -> Values:
    """``step_count`` of the hour's minutes; absent below 10 % of them."""
    return _step_count(window, HOUR_COVERAGE_MIN)


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="step_count",
            meaning="Steps of the day's minutes, else the vendor's daily figure.",
            minimum="steps told for 60 % of the minutes, or the vendor's figure; below 300 that "
            "one only with a heart rate or a sleep of the date",
            source="RAPIDS: sumsteps",
        ),
    ),
)
def steps_of_day(window: Window) -> Values:
    """``step_count`` of the day's minutes; below 60 % of them the vendor's figure, else absent.

    A vendor's daily figure of 0 is absent, too: it says that the watch was not worn. So is one
    below 300 of a date without any heart rate or sleep: somebody stayed in bed, or the watch was
    carried from one place to another, and nothing tells which.
    """
    counted = _step_count(window, DAY_COVERAGE_MIN)
    if counted:
        return counted
    summary = window.dated("activity_summary/1")
    if not isinstance(summary, ActivitySummary) or not summary.steps:
        return {}
    if summary.steps < VENDOR_STEPS_MIN and not _is_worn(window):
        return {}
    return {"step_count": float(summary.steps)}


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="step_active_min",
            meaning="Minutes with at least one step.",
            minimum="steps told for 60 % of the minutes",
            source="own; RAPIDS has sumdurationactivebout, of bouts",
        ),
        Figure(
            name="moderate_activity_min",
            meaning="Minutes with at least 100 steps: moderate activity of adults, or more.",
            minimum="steps told for 60 % of the minutes",
            source="Tudor-Locke 2018",
        ),
    ),
)
def activity_of_day(window: Window) -> Values:
    """``step_active_min`` and ``moderate_activity_min``: minutes with steps, and at a brisk pace.

    Minutes with at least one step, and with at least 100 (Tudor-Locke et al. 2018: moderate
    activity of adults). Where a source tells steps of longer than a minute, they count as taken at
    an even pace. Absent when less than 60 % of the day's minutes were told.
    """
    steps = window.steps
    if steps is None or not _is_told(steps.known[-window.length :]):
        return {}
    per_minute = steps.steps[-window.length :]
    return {
        "step_active_min": float(np.count_nonzero(per_minute >= 1)),
        "moderate_activity_min": float(np.count_nonzero(per_minute >= MODERATE_STEPS_PER_MIN)),
    }


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="sedentary_min",
            meaning="Minutes without a step while awake and, where a device tells, on the wrist.",
            minimum=_WAKING,
            source="RAPIDS: sumdurationsedentarybout, there with sleep",
        ),
        Figure(
            name="sedentary_bout_max_min",
            meaning="The longest run of such minutes; sleep and what is not known end it.",
            minimum=_WAKING,
            source="RAPIDS: maxdurationsedentarybout, there with sleep",
        ),
        Figure(
            name="sedentary_bout_count",
            meaning="Runs of at least 30 such minutes.",
            minimum=_WAKING,
            source="Diaz 2017 (bouts of 30 min)",
        ),
    ),
)
def sedentary_of_day(window: Window) -> Values:
    """Minutes awake without steps, and their bouts.

    ``sedentary_min``: minutes that are told to have no steps, outside of sleep and, where a device
    tells, on the wrist. Standing still counts, since steps do not tell posture.
    ``sedentary_bout_max_min``: the longest run of such minutes; ``sedentary_bout_count``: runs of
    at least 30. A step, sleep, and a minute of which nothing is known end a bout, and so does the
    day.

    Absent when less than 60 % of the day's minutes were told (and worn), and when no sleep with
    times is known in the day, since waking could not be told from sleeping.
    """
    steps = window.steps
    asleep = asleep_minutes(window)
    if steps is None or not asleep.any():
        return {}
    known = steps.known[-window.length :]
    worn = worn_minutes(window)
    if worn is not None:
        known = known & worn
    if not _is_told(known):
        return {}
    sedentary = known & (steps.steps[-window.length :] == 0) & ~asleep
    bouts_min = _run_lengths(sedentary)
    return {
        "sedentary_min": float(np.count_nonzero(sedentary)),
        "sedentary_bout_max_min": float(bouts_min.max(initial=0)),
        "sedentary_bout_count": float(np.count_nonzero(bouts_min >= SEDENTARY_BOUT_MIN)),
    }


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="active_reported_min",
            meaning="The vendor's active minutes of the date, by the vendor's own rule.",
            minimum="the vendor's figure",
            source="the vendor",
        ),
        Figure(
            name="sedentary_reported_min",
            meaning="The vendor's sedentary minutes of the date, by the vendor's own rule.",
            minimum="the vendor's figure",
            source="the vendor",
        ),
    ),
)
def reported_activity(window: Window) -> Values:
    """``active_reported_min`` and ``sedentary_reported_min``: a vendor's own figures of the date.

    Vendors define them by rules of their own (often not published), so that they are kept apart
    from what is computed from steps. Absent when the vendor sends none.
    """
    summary = window.dated("activity_summary/1")
    if not isinstance(summary, ActivitySummary):
        return {}
    told_s = {
        "active_reported_min": summary.active_duration,
        "sedentary_reported_min": summary.sedentary_duration,
    }
    return {name: seconds / 60.0 for name, seconds in told_s.items() if seconds is not None}


def _is_told(known: Bools) -> bool:
    return float(np.count_nonzero(known)) >= DAY_COVERAGE_MIN * known.size


def _run_lengths(mask: Bools) -> NDArray[np.int64]:
    """Lengths of the runs of true values."""
    starts, stops = runs_of(mask)
    lengths: NDArray[np.int64] = stops - starts
    return lengths


def _is_worn(window: Window) -> bool:
    """Whether a heart rate or a sleep of the date says that a device was worn on it."""
    dated = any(window.dated(schema) is not None for schema in _SIGNS_OF_WEAR)
    return dated or window.heart is not None or bool(asleep_minutes(window).any())


def _step_count(window: Window, coverage_min: float) -> Values:
    steps = window.steps
    if steps is None:
        return {}
    known = steps.known[-window.length :]
    if float(known.sum()) < max(coverage_min * window.length, 1.0):
        return {}
    return {"step_count": float(steps.steps[-window.length :].sum())}
