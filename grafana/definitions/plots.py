"""Plots of one feature of the chosen person over what is usual for them, with its coverage."""
# ruff: noqa: S608 - these queries are made of names of ours; nobody's input is in them

from msgspec import Struct

from grafana.definitions import names
from grafana.definitions.panels import (
    SUBJECT_IS_CHOSEN,
    Json,
    fields,
    lines,
    override,
    panel,
    series,
)

_DAY_MS = 86_400_000
_STEP_MS = {"minute": 60_000, "hour": 3_600_000, "night": _DAY_MS, "day": _DAY_MS}
_CLOCK = "time:HH:mm"

BAND_NOTE = (
    "The shaded band is what is usual for this one person; the dashed line its middle. Without a "
    "band it is not judged, or not known yet."
)


class Plot(Struct, frozen=True):
    """A feature as it is shown.

    ``unit`` is Grafana's; ``scale`` brings the value to it. ``channel`` is the coverage beside it.
    """

    window: str
    feature: str
    title: str
    unit: str
    channel: str
    scale: int = 1


def clock(window: str, feature: str, title: str, channel: str) -> Plot:
    """Minutes from local midnight as a time of day; right only on a page whose clock is UTC."""
    return Plot(window, feature, title, _CLOCK, channel, scale=60_000)


def plot_with_coverage(plot: Plot) -> list[tuple[int, Json]]:
    """The plot of a feature and, beside it, how much of its data there was."""
    return [(9, over_usual(plot)), (3, coverage(plot.window, plot.channel, plot.title))]


def over_usual(plot: Plot) -> Json:
    """A feature's values over the band of what is usual, its last value in the legend."""
    value = (
        f'SELECT {_scaled(plot, plot.feature)} AS "value" FROM "{plot.window}" '
        f"WHERE $timeFilter AND {SUBJECT_IS_CHOSEN}"
    )
    band = (
        f'SELECT {_scaled(plot, "usual_low")} AS "usual from", '
        f'{_scaled(plot, "usual_median")} AS "usual middle", '
        f'{_scaled(plot, "usual_high")} AS "usual to" FROM "anomaly" '
        f"WHERE $timeFilter AND {SUBJECT_IS_CHOSEN} AND \"window\" = '{plot.window}' "
        f"AND \"feature\" = '{plot.feature}'"
    )
    return lines(
        plot.title,
        BAND_NOTE,
        [
            series(names.FEATURES, value, ref="A", alias=plot.title),
            series(names.FEATURES, band, ref="B", alias="$col"),
        ],
        fields(plot.unit, *_band_overrides(), custom=_custom(plot.window), noValue="not known"),
    )


def coverage(window: str, channel: str, of: str) -> Json:
    """Share of a window's minutes for which a channel was known."""
    query = f'SELECT "coverage_{channel}" FROM "{window}" WHERE $timeFilter AND {SUBJECT_IS_CHOSEN}'
    return panel(
        "timeseries",
        "Coverage",
        f"Share of the time with {channel.replace('_', ' ')} data, for: {of}. "
        "Where it is low, the plot beside it says little; no data is not zero.",
        [series(names.FEATURES, query, alias="coverage")],
        fieldConfig=fields(
            "percentunit",
            custom={"drawStyle": "bars", "fillOpacity": 60, "lineWidth": 0},
            min=0,
            max=1,
            decimals=0,
            color={"mode": "fixed", "fixedColor": "blue"},
        ),
        options={
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def _scaled(plot: Plot, field: str) -> str:
    return f'"{field}"' if plot.scale == 1 else f'"{field}" * {plot.scale}'


def _custom(window: str) -> Json:
    """Points joined by lines; where rows are missing the line breaks, for missing is not zero."""
    return {
        "drawStyle": "line",
        "lineWidth": 2,
        "pointSize": 5,
        "showPoints": "always" if _STEP_MS[window] == _DAY_MS else "never",
        "insertNulls": _STEP_MS[window] * 3 // 2,
        "spanNulls": False,
    }


def _band_overrides() -> list[Json]:
    quiet: Json = {"custom__lineWidth": 0, "custom__showPoints": "never"}
    grey: Json = {"color": {"mode": "fixed", "fixedColor": "#8e8e8e"}}
    return [
        override("usual from", **quiet, **grey),
        override(
            "usual to", **quiet, **grey, custom__fillBelowTo="usual from", custom__fillOpacity=18
        ),
        override(
            "usual middle",
            **grey,
            custom__lineWidth=1,
            custom__showPoints="never",
            custom__lineStyle={"fill": "dash", "dash": [6, 6]},
        ),
    ]
