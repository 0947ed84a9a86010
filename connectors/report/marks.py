"""What every daily plot carries beside its values: alerts, the data strip, and learning.

Kinds of alerts differ by shape and words, so that nothing rests on colour.
"""

import datetime as dt
import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from connectors.report import words
from connectors.report.people import ATTENTION_STATUSES, Span
from streams.events import Alert, AlertKind, WindowKind

Json = dict[str, Any]
"""A part of a Plotly figure."""

DAY_MS = 86_400_000
"""Distance of daily points, in the unit of Plotly's date axes (ms)."""

LEARNING_COLOUR = "#f3efe4"
STRIP_COLOURS = [[0.0, "#ffffff"], [0.5, "#b9d2dd"], [1.0, "#4f8ba6"]]
STRIP_WORDS = ("no data", "data for part of the time", "data for most of the time")

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


def alert_traces(
    alerts: Iterable[Alert], source: tuple[WindowKind, str], scale: float
) -> list[Json]:
    """Mark alerts at the value that they speak of, one trace for each kind."""
    window, feature = source
    points: dict[AlertKind, list[tuple[str, float, str]]] = {}
    for alert in alerts:
        if alert.window is not window:
            continue
        for reason in alert.reasons:
            if reason.feature == feature:
                y = round(reason.value * scale, 2)
                points.setdefault(alert.kind, []).append((_date(alert), y, _hover(alert)))
    return [_markers(kind, marks) for kind, marks in sorted(points.items())]


def data_alert_trace(alerts: Iterable[Alert], dates: Sequence[dt.date]) -> list[Json]:
    """Mark alerts on missing data in the strip that shows where data are missing."""
    marks = [
        (_date(alert), 0.0, _hover(alert))
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
        "text": [[STRIP_WORDS[level] for level in levels]] if len(levels) <= 31 else None,
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


def _markers(kind: AlertKind, marks: Sequence[tuple[str, float, str]]) -> Json:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"alert: {words.KIND_WORDS[kind].lower()}",
        "x": [x for x, _, _ in marks],
        "y": [y for _, y, _ in marks],
        "text": [text for _, _, text in marks],
        "marker": {
            "symbol": KIND_MARKERS[kind],
            "size": 11,
            "color": KIND_COLOURS[kind],
            "line": {"width": 1.5, "color": "#ffffff"},
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _date(alert: Alert) -> str:
    return alert.local_date.isoformat()


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
