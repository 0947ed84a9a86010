"""Activity: steps of an hour and of a day."""

from streams.events import ActivitySummary, WindowKind
from streams.features.base import Figure, Values, Window, feature

HOUR_COVERAGE_MIN = 0.1
"""Share of an hour's minutes that must be told."""

DAY_COVERAGE_MIN = 0.6
"""Share of a day's minutes that must be told: part of a day would look like less activity."""


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
            minimum="steps told for 60 % of the minutes, or the vendor's figure",
            source="RAPIDS: sumsteps",
        ),
    ),
)
def steps_of_day(window: Window) -> Values:
    """``step_count`` of the day's minutes; below 60 % of them the vendor's figure, else absent."""
    counted = _step_count(window, DAY_COVERAGE_MIN)
    if counted:
        return counted
    summary = window.dated("activity_summary/1")
    if not isinstance(summary, ActivitySummary) or summary.steps is None:
        return {}
    return {"step_count": float(summary.steps)}


def _step_count(window: Window, coverage_min: float) -> Values:
    steps = window.steps
    if steps is None:
        return {}
    known = steps.known[-window.length :]
    if float(known.sum()) < max(coverage_min * window.length, 1.0):
        return {}
    return {"step_count": float(steps.steps[-window.length :].sum())}
