"""Trend of self-report: how fast the score of an instrument rises or falls over four weeks."""

from itertools import combinations
from statistics import median

from streams.events import WindowKind
from streams.features.base import Figure, Values, Window, feature
from streams.features.digest import recent_days

DAYS = 28
"""Days that a trend is taken from."""

ANSWERS_MIN = 4
"""Fewest days with an answer among them."""

SPAN_MIN_DAYS = 7
"""Least time from the first of them to the last: within days a slope per week says nothing."""

_WEEK_DAYS = 7.0


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="<instrument>_trend_score_per_week",
            meaning="Median of the slopes between the scores of any two days, of the last "
            f"{DAYS} days, on a day with an answer.",
            minimum=f"answers on {ANSWERS_MIN} days, {SPAN_MIN_DAYS} days from first to last",
            source="Theil 1950; Sen 1968",
        ),
    ),
)
def trend_of_self_report(window: Window) -> Values:
    """``<instrument>_trend_score_per_week``, given on days on which the instrument was answered.

    The Theil-Sen slope, which one odd answer does not move. Absent below 4 days with an answer
    among the last 28, or where the first and the last lie less than 7 days apart.

    Source: Theil 1950; Sen 1968.
    """
    days = recent_days(window, DAYS)
    values: Values = {}
    for instrument in days[window.bounds.date].scores:
        answers = [(day, d.scores[instrument]) for day, d in days.items() if instrument in d.scores]
        if len(answers) < ANSWERS_MIN or answers[-1][0] - answers[0][0] < SPAN_MIN_DAYS:
            continue
        slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(answers, 2)]
        values[f"{instrument}_trend_score_per_week"] = median(slopes) * _WEEK_DAYS
    return values
