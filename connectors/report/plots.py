"""Plots of one person as Plotly figures: plain mappings that the page draws when it is opened."""

import datetime as dt
from collections.abc import Sequence

from msgspec import Struct

from connectors.report import marks, series, words
from connectors.report.marks import BAND_COLOUR, DAY_MS, INK, LINE_COLOUR, Json, Plot
from connectors.report.minutes import heart_rate_minutes
from connectors.report.people import Person
from streams.events import FeatureRow, WindowKind


class Panel(Struct, frozen=True, kw_only=True):
    """One daily plot: the first of ``sources`` with most values is shown, times ``scale``."""

    title: str
    sources: tuple[tuple[WindowKind, str], ...]
    unit: str
    axis: str
    channel: str
    scale: float = 1.0


PANELS = (
    Panel(
        title="Resting heart rate",
        sources=(
            (WindowKind.NIGHT, "heart_rate_resting_bpm"),
            (WindowKind.DAY, "heart_rate_resting_bpm"),
        ),
        unit="bpm",
        axis="bpm",
        channel="heart_rate",
    ),
    Panel(
        title="Time asleep",
        sources=((WindowKind.NIGHT, "sleep_duration_min"),),
        unit="min",
        axis="hours",
        channel="sleep",
        scale=1 / 60,
    ),
    Panel(
        title="Heart-rate variability",
        sources=(
            (WindowKind.NIGHT, "rmssd_ms"),
            (WindowKind.DAY, "rmssd_ms"),
            (WindowKind.NIGHT, "sdnn_ms"),
            (WindowKind.DAY, "sdnn_ms"),
        ),
        unit="ms",
        axis="ms",
        channel="heart_rate",
    ),
    Panel(
        title="Screen time",
        sources=((WindowKind.DAY, "screen_min"),),
        unit="min",
        axis="hours",
        channel="phone",
        scale=1 / 60,
    ),
    Panel(
        title="Phone unlocks",
        sources=((WindowKind.DAY, "unlock_count"),),
        unit="count",
        axis="a day",
        channel="phone",
    ),
    Panel(
        title="Steps",
        sources=((WindowKind.DAY, "step_count"),),
        unit="steps",
        axis="a day",
        channel="steps",
    ),
)
"""Daily plots in their order; self-reports follow, one for each instrument."""


def plots_of(person: Person) -> list[Plot]:
    """Give the plots of which the person has any data."""
    dates = _dates(person)
    if not dates:
        return []
    panels = (*PANELS, *_self_reports(person))
    plots = [heart_rate_minutes(person), *(_daily(person, panel, dates) for panel in panels)]
    plots.insert(2, _nights(person, dates))
    return [plot for plot in plots if plot is not None]


def _dates(person: Person) -> list[dt.date]:
    all_dates = [row.local_date for row in (*person.nights, *person.days) if row.values]
    # Silence after the last value belongs to the picture, for as long as rows are there.
    ends = [row.local_date for row in (*person.nights, *person.days)]
    return series.dates_between(min(all_dates), max(ends)) if all_dates else []


def _self_reports(person: Person) -> list[Panel]:
    names = sorted({name for row in person.days for name in row.values if name.endswith("_score")})
    return [
        Panel(
            title=words.name_of(name),
            sources=((WindowKind.DAY, name),),
            unit="points",
            axis="points",
            channel="self_report",
        )
        for name in names
    ]


def _daily(person: Person, panel: Panel, dates: Sequence[dt.date]) -> Plot | None:
    window, feature = max(panel.sources, key=lambda source: _count(person, source))
    if _count(person, (window, feature)) == 0:
        return None
    rows = _rows(person, window)
    values = series.daily(rows, feature, dates)
    band = series.usual_band(rows, feature, dates)
    strip = series.data_strip(rows, feature, panel.channel, dates)
    traces = [] if band is None else _band_traces(band, panel)
    traces.append(_value_trace(values, dates[0], panel, feature))
    traces += _provisional_trace(rows, feature, panel)
    traces += marks.alert_traces(person.alerts, (window, feature), panel.scale)
    traces += [marks.strip_trace(strip, dates[0]), *marks.data_alert_trace(person.alerts, dates)]
    layout = {
        "yaxis": {"title": {"text": panel.axis}},
        "xaxis": _date_axis(dates),
    } | marks.learning_layout(person.learning.get((window, feature), []))
    caption = _caption(values, strip, dates, (feature, panel.unit))
    return Plot(panel.title, caption, {"data": traces, "layout": layout})


def _nights(person: Person, dates: Sequence[dt.date]) -> Plot | None:
    """Draw each night as a bar from falling asleep to waking up, evening at the top."""
    onset = series.daily(person.nights, "sleep_onset_min", dates)
    offset = series.daily(person.nights, "sleep_offset_min", dates)
    pairs = [None if a is None or b is None else (a, b) for a, b in zip(onset, offset, strict=True)]
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return None
    bars: Json = {
        "type": "bar",
        "name": "asleep",
        "x0": dates[0].isoformat(),
        "dx": DAY_MS,
        "base": series.scaled([pair and pair[0] for pair in pairs], 1 / 60),
        "y": series.scaled([pair and pair[1] - pair[0] for pair in pairs], 1 / 60),
        "customdata": [pair and _from_to(*pair) for pair in pairs],
        "marker": {"color": "#7fa9bd"},
        "hovertemplate": "%{x|%a %e %b %Y}<br>%{customdata}<extra></extra>",
    }
    lines = [
        _median_trace(series.usual_band(person.nights, feature, dates), name)
        for feature, name in (
            ("sleep_onset_min", "usual time of falling asleep"),
            ("sleep_offset_min", "usual time of waking up"),
        )
    ]
    strip = series.data_strip(person.nights, "sleep_onset_min", "sleep", dates)
    traces = [bars, *(line for line in lines if line is not None)]
    for feature in ("sleep_onset_min", "sleep_offset_min"):
        traces += marks.alert_traces(person.alerts, (WindowKind.NIGHT, feature), 1 / 60)
    traces += [marks.strip_trace(strip, dates[0]), *marks.data_alert_trace(person.alerts, dates)]
    layout = {"yaxis": _clock_axis(known), "xaxis": _date_axis(dates), "bargap": 0.25}
    layout |= marks.learning_layout(person.learning.get((WindowKind.NIGHT, "sleep_onset_min"), []))
    caption = (
        f"{len(known)} of {len(dates)} nights with times. Dashed: the middle of earlier nights."
    )
    return Plot("Nights", caption, {"data": traces, "layout": layout})


def _band_traces(band: series.Band, panel: Panel) -> list[Json]:
    shared: Json = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "dx": DAY_MS}
    shared["x0"] = band.first.isoformat()
    low, middle, high = (
        series.scaled(values, panel.scale) for values in (band.low, band.middle, band.high)
    )
    edge = {"width": 0, "shape": "hvh"}
    return [
        shared | {"y": low, "line": edge, "showlegend": False},
        shared
        | {"y": high, "line": edge, "fill": "tonexty", "fillcolor": BAND_COLOUR, "name": "usual"},
        shared | {"y": middle, "line": {"color": "#86a9b9", "width": 1, "dash": "dot"}},
    ]


def _median_trace(band: series.Band | None, name: str) -> Json | None:
    if band is None:
        return None
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x0": band.first.isoformat(),
        "dx": DAY_MS,
        "y": series.scaled(band.middle, 1 / 60),
        "line": {"color": INK, "width": 1, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _value_trace(values: series.Values, first: dt.date, panel: Panel, feature: str) -> Json:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "value",
        "x0": first.isoformat(),
        "dx": DAY_MS,
        "y": series.scaled(values, panel.scale),
        "text": None
        if panel.scale == 1
        else [
            None if value is None else words.value_in_words(value, feature, panel.unit)
            for value in values
        ],
        "line": {"color": LINE_COLOUR, "width": 1.3},
        "marker": {"size": 4, "color": LINE_COLOUR},
        "hovertemplate": "%{x|%a %e %b %Y}<br>"
        + (f"%{{y:,.0f}} {panel.axis}" if panel.scale == 1 else "%{text}")
        + "<extra></extra>",
    }


def _provisional_trace(rows: Sequence[FeatureRow], feature: str, panel: Panel) -> list[Json]:
    open_rows = [row for row in rows if not row.settled and feature in row.values]
    if not open_rows:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "may still change",
            "x": [row.local_date.isoformat() for row in open_rows],
            "y": series.scaled([row.values[feature] for row in open_rows], panel.scale),
            "marker": {"size": 7, "color": "#ffffff", "line": {"color": LINE_COLOUR, "width": 1.5}},
            "hovertemplate": "late data may still change this<extra></extra>",
        }
    ]


def _rows(person: Person, window: WindowKind) -> list[FeatureRow]:
    return person.nights if window is WindowKind.NIGHT else person.days


def _count(person: Person, source: tuple[WindowKind, str]) -> int:
    window, feature = source
    return sum(feature in row.values for row in _rows(person, window))


def _date_axis(dates: Sequence[dt.date]) -> Json:
    """Axis of all the dates, so that the plots of a person lie in line with each other."""
    return {"range": [f"{dates[0] - dt.timedelta(days=1)} 12:00", f"{dates[-1]} 12:00"]}


def _clock_axis(pairs: Sequence[tuple[float, float]]) -> Json:
    """Axis of local clock hours, evening above morning, a tick every two hours."""
    first, last = min(onset for onset, _ in pairs), max(offset for _, offset in pairs)
    ticks = list(range(int(first // 120) * 2, int(last // 120) * 2 + 3, 2))
    return {
        "tickvals": ticks,
        "ticktext": [f"{hour % 24:02d}:00" for hour in ticks],
        "range": [ticks[-1], ticks[0]],
        "title": {"text": "local time"},
    }


def _from_to(onset_min: float, offset_min: float) -> str:
    start = words.value_in_words(onset_min, "sleep_onset_min", "min")
    end = words.value_in_words(offset_min, "sleep_offset_min", "min")
    return f"{start} to {end}"


def _caption(
    values: series.Values, strip: Sequence[int], dates: Sequence[dt.date], named: tuple[str, str]
) -> str:
    """Say in words what the plot shows, for those who cannot see it."""
    feature, unit = named
    value, date = next(
        (value, date)
        for value, date in zip(reversed(values), reversed(dates), strict=True)
        if value is not None
    )
    known = sum(value is not None for value in values)
    last = words.value_in_words(value, feature, unit)
    text = f"{words.name_of(feature)}, last {last} on {words.date_in_words(date)}. "
    text += f"{known} of {len(dates)} days with a value"
    missing = sum(level == 0 for level in strip)
    return f"{text}, {missing} without any data." if missing else f"{text}."
