"""Plot of a person's heart rate over the last days with minutes, on their local clock."""

import datetime as dt

from connectors.report import series, words
from connectors.report.marks import BAND_COLOUR, LINE_COLOUR, Json, Plot
from connectors.report.people import Person


def heart_rate_minutes(person: Person) -> Plot | None:
    """Draw mean and range of the heart rate; None without heart-rate minutes."""
    buckets = series.minute_buckets(person.minutes)
    if buckets is None:
        return None
    length = words.duration_in_words(buckets.length_s)
    known = sum(value is not None for value in buckets.mean)
    caption = (
        f"Mean and range in steps of {length}, local time; gaps are times without data. "
        f"{words.duration_in_words(known * buckets.length_s)} with data."
    )
    figure = {"data": _traces(person, buckets), "layout": _layout(buckets)}
    return Plot("Heart rate, last days", caption, figure, is_wide=True)


def _traces(person: Person, buckets: series.Buckets) -> list[Json]:
    local = dt.datetime.fromtimestamp(buckets.start + person.utc_offset_s, dt.UTC)
    axis: Json = {"x0": f"{local:%Y-%m-%d %H:%M}", "dx": buckets.length_s * 1_000}
    heights = [
        None if low is None or high is None else round(high - low, 1)
        for low, high in zip(buckets.low, buckets.high, strict=True)
    ]
    # Bars rather than a filled line: a fill would paint over the gaps.
    spread = axis | {
        "type": "bar",
        "base": series.scaled(buckets.low),
        "y": heights,
        "marker": {"color": BAND_COLOUR, "line": {"width": 0}},
        "hoverinfo": "skip",
    }
    mean = axis | {
        "type": "scatter",
        "mode": "lines",
        "y": series.scaled(buckets.mean),
        "line": {"color": LINE_COLOUR, "width": 1.4},
        "hovertemplate": "%{x|%a %e %b %H:%M}<br>%{y:.0f} bpm<extra></extra>",
    }
    return [spread, mean]


def _layout(buckets: series.Buckets) -> Json:
    drawn = [*buckets.mean, *buckets.low, *buckets.high]
    values = [value for value in drawn if value is not None]
    # Bars would pull the axis down to zero, which no heart rate comes near.
    span = [min(values) - 3.0, max(values) + 3.0]
    return {
        "yaxis": {"title": {"text": "bpm"}, "domain": [0, 1], "range": span},
        "bargap": 0,
    }
