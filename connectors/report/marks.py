"""What a plot is, and what it carries beside its values: alerts, the data strip, learning.

Kinds of alerts differ by shape and words, so that nothing rests on colour.
"""

import datetime as dt
import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from connectors.report import words
from connectors.report.people import ATTENTION_STATUSES, Span
from streams.events import Alert, AlertKind, Reason, WindowKind

Json = dict[str, Any]
"""A part of a Plotly figure."""

DAY_MS = 86_400_000
"""Distance of daily points, in the unit of Plotly's date axes (ms)."""

INK, LINE_COLOUR, BAND_COLOUR = "#22313f", "#2b6c8f", "#dbe8ee"
LEARNING_COLOUR = "#f3efe4"
CLOSED_OPACITY = 0.35
STRIP_COLOURS = [[0.0, "#ffffff"], [0.5, "#b9d2dd"], [1.0, "#4f8ba6"]]

KIND_COLOURS = {
    AlertKind.CLINICAL: "#b3541e",
    AlertKind.LIMIT: "#9b1c3c",
    AlertKind.DATA: "#4b5763",
    AlertKind.OPERATIONAL: "#4b5763",
}
KIND_MARKERS = {
    AlertKind.CLINICAL: "diamond",
    AlertKind.LIMIT: "triangle-up",
    AlertKind.DATA: "square-open",
    AlertKind.OPERATIONAL: "circle-open",
}


class Plot(Struct, frozen=True):
    """A figure with its title and a caption that says in words what it shows."""

    title: str
    caption: str
    figure: Json
    is_wide: bool = False


def alert_traces(
    alerts: Iterable[Alert], source: tuple[WindowKind, str], scale: float
) -> list[Json]:
    """Mark alerts at the value that they speak of, one trace for each kind."""
    window, feature = source
    points: dict[AlertKind, list[_Mark]] = {}
    for alert in alerts:
        if alert.window is not window:
            continue
        for reason in alert.reasons:
            if reason.feature == feature:
                points.setdefault(alert.kind, []).append(
                    _mark(alert, _value_at(alert, reason) * scale)
                )
    return [_markers(kind, marks) for kind, marks in sorted(points.items())]


def data_alert_trace(alerts: Iterable[Alert], dates: Sequence[dt.date]) -> list[Json]:
    """Mark alerts on missing data in the strip that shows where data are missing."""
    marks = [
        _mark(alert, 0.0)
        for alert in alerts
        if alert.kind is AlertKind.DATA and dates[0] <= alert.local_date <= dates[-1]
    ]
    if not marks:
        return []
    return [_markers(AlertKind.DATA, marks) | {"yaxis": "y2", "cliponaxis": False}]


def strip_trace(levels: Sequence[int], first: dt.date) -> Json:
    """Show below a plot how much data each day has; missing stays visibly missing."""
    return {
        "type": "heatmap",
        "x0": first.isoformat(),
        "dx": DAY_MS,
        "y0": 0,
        "z": [list(levels)],
        "zmin": 0,
        "zmax": 2,
        "colorscale": STRIP_COLOURS,
        "showscale": False,
        "yaxis": "y2",
        "hovertemplate": "%{x|%a %e %b %Y}<extra></extra>",
    }


def learning_layout(spans: Sequence[Span]) -> Json:
    """Shade the dates on which what is usual was still being learned, and say so."""
    if not spans:
        return {}
    shapes = [
        {
            "type": "rect",
            "xref": "x",
            "yref": "y domain",
            "x0": f"{span.first - dt.timedelta(days=1)} 12:00",
            "x1": f"{span.last} 12:00",
            "y0": 0,
            "y1": 1,
            "fillcolor": LEARNING_COLOUR,
            "line": {"width": 0},
            "layer": "below",
        }
        for span in spans
    ]
    label = {
        "xref": "x",
        "yref": "y domain",
        "x": spans[0].first.isoformat(),
        "y": 1,
        "xanchor": "left",
        "yanchor": "top",
        "text": "learning",
        "showarrow": False,
        "font": {"size": 11, "color": "#7a7050"},
    }
    return {"shapes": shapes, "annotations": [label]}


class _Mark(Struct, frozen=True):
    x: str
    y: float
    text: str
    opacity: float


def _mark(alert: Alert, y: float) -> _Mark:
    # Closed alerts stay visible, in the background.
    opacity = 1.0 if alert.status in ATTENTION_STATUSES else CLOSED_OPACITY
    return _Mark(alert.local_date.isoformat(), round(y, 2), _hover(alert), opacity)


def _value_at(alert: Alert, reason: Reason) -> float:
    """What the alert's own date told, so that its mark lies on the line."""
    told = {day.local_date: day.value for day in reason.evidence}
    return told.get(alert.local_date, reason.value)


def _markers(kind: AlertKind, marks: Sequence[_Mark]) -> Json:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"alert: {words.KIND_WORDS[kind].lower()}",
        "x": [mark.x for mark in marks],
        "y": [mark.y for mark in marks],
        "text": [mark.text for mark in marks],
        "marker": {
            "symbol": KIND_MARKERS[kind],
            "size": 11,
            "color": KIND_COLOURS[kind],
            "opacity": [mark.opacity for mark in marks],
            "line": {"width": 1.5, "color": "#ffffff"},
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _hover(alert: Alert) -> str:
    title = f"{words.KIND_SYMBOLS[alert.kind]} {words.KIND_WORDS[alert.kind]}"
    lines = [words.date_in_words(alert.local_date)]
    lines += [words.reason_in_words(reason) for reason in alert.reasons] or [alert.summary]
    if alert.status not in ATTENTION_STATUSES:
        lines.append(words.STATUS_WORDS[alert.status])
    return f"<b>{title}</b><br>" + "<br>".join(map(_wrapped, lines))


def _wrapped(text: str, width: int = 46) -> str:
    """Break a line for the small box that a plot shows at the pointer."""
    return "<br>".join(html.escape(part, quote=False) for part in textwrap.wrap(text, width))
