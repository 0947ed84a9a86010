"""The page of an evaluation: one HTML file with everything in it, which opens offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly has no types

from connectors.evaluation.evaluate import Evaluation
from connectors.evaluation.figures import (
    DRAWS,
    JOIN_DAYS,
    MONTH_DAYS,
    Estimate,
    Figures,
)
from streams.errors import BadInput

ABSENT = "none"
"""What the page writes where a figure cannot be told."""

COLOURS = ("#2b6c8f", "#a34a17", "#4b5763", "#7a5195", "#3d7a4a", "#9b1c3c", "#8a6d1b")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")

Json = dict[str, Any]


class RowView(Struct, frozen=True):
    """One line of a table of figures, in words."""

    name: str
    people: str
    sensitivity: str
    precision: str
    load: str
    lead: str
    before_end: str
    busiest: str


def write_page(evaluation: Evaluation, output: Path, *, facts: Mapping[str, str]) -> int:
    """Write the page and give its length (bytes).

    Raises
    ------
    BadInput
        When ``output`` cannot be written.
    """
    page = _page(evaluation, facts).encode()
    try:
        output.write_bytes(page)
    except OSError as error:
        raise BadInput(f"cannot write {output}: {error.strerror}") from error
    return len(page)


def _page(evaluation: Evaluation, facts: Mapping[str, str]) -> str:
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("connectors.evaluation", ""), PackageLoader("connectors.report", "")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = [_curves(evaluation), _leads(evaluation)]
    return environment.get_template("evaluation.html.j2").render(
        evaluation=evaluation,
        whole=row_in_words("All clinical alerts", evaluation.alerts),
        detectors=[row_in_words(name, each) for name, each in evaluation.detectors.items()],
        by_label=[row_in_words(name, each) for name, each in evaluation.by_label.items()],
        groups=[
            row_in_words(f"{each.group}: {each.value}", each.figures) for each in evaluation.groups
        ],
        facts=facts,
        draws=f"{DRAWS:,}",
        join_days=JOIN_DAYS,
        month_days=MONTH_DAYS,
        figures=_script_json(figures),
        # The library is trusted text; escaping would break it.
        plotly=Markup(get_plotlyjs()),  # noqa: S704
    )


def row_in_words(name: str, figures: Figures) -> RowView:
    """Put figures in words: a share as percent, each with its interval and its counts."""
    return RowView(
        name=name,
        people=f"{figures.people} ({figures.person_months:.0f})",
        sensitivity=_percent(figures.sensitivity, figures.labels_hit, figures.labels),
        precision=_percent(figures.precision, figures.episodes_in_label, figures.episodes),
        load=_number(figures.episodes_per_person_month, 2),
        lead=_number(figures.opened_after_start_days, 1),
        before_end=_number(figures.opened_before_end_days, 1),
        busiest=ABSENT
        if figures.busiest_tenth_share is None
        else f"{figures.busiest_tenth_share:.0%}",
    )


def _percent(estimate: Estimate, part: int, total: int) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ABSENT
    return f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%}), {part} of {total}"


def _number(estimate: Estimate, decimals: int) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ABSENT
    value, low, high = (
        f"{each:.{decimals}f}" for each in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low} to {high})"


def _curves(evaluation: Evaluation) -> Json:
    """Share of labels found against episodes per person-month, a line for each detector."""
    traces: list[Json] = []
    for index, (name, points) in enumerate(evaluation.curves.items()):
        known = [each for each in points if each.sensitivity is not None]
        known.sort(key=lambda each: each.threshold)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": [each.episodes_per_person_month for each in known],
                "y": [each.sensitivity for each in known],
                "text": [f"threshold {each.threshold:.4f}" for each in known],
                "hovertemplate": "%{text}<br>%{x:.2f} a month, %{y:.0%}<extra>%{fullData.name}"
                "</extra>",
                "line": {
                    "color": COLOURS[index % len(COLOURS)],
                    "dash": DASHES[index % len(DASHES)],
                },
                "marker": {"size": 5},
            }
        )
    traces.append(_alerts_point(evaluation.alerts))
    axes: Json = {
        "xaxis": {"title": {"text": "Openings per person-month"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "Labels found"}, "range": [0, 1], "tickformat": ".0%"},
    }
    return {"data": traces, "layout": axes | {"showlegend": True}}


def _alerts_point(alerts: Figures) -> Json:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "clinical alerts",
        "x": [alerts.episodes_per_person_month.value],
        "y": [alerts.sensitivity.value],
        "marker": {"symbol": "diamond", "size": 13, "color": "#22313f"},
        "hovertemplate": "%{x:.2f} a month, %{y:.0%}<extra>%{fullData.name}</extra>",
    }


def _leads(evaluation: Evaluation) -> Json:
    """How many days after a label's start the first alert in it opened."""
    days = evaluation.alerts.lead_days
    counts = {day: days.count(day) for day in sorted(set(days))}
    return {
        "data": [
            {
                "type": "bar",
                "x": [*counts],
                "y": [*counts.values()],
                "marker": {"color": COLOURS[0]},
                "hovertemplate": "day %{x}: %{y}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "Days from the label's start"}, "dtick": 1},
            "yaxis": {"title": {"text": "Labels"}, "rangemode": "tozero"},
        },
    }


def _script_json(value: object) -> Markup:
    """Encode for a script element: no text of it can end the element or begin another."""
    text = msgspec.json.encode(value).decode()
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704
